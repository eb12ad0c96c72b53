/* debug_rpc.c - see debug_rpc.h. */
#include "handlers/cli/debug_rpc.h"

#include <string.h>

#include "api.pb-c.h"
#include "handlers/cli/json.h"
#include "handlers/cli/page.h"
#include "reactor/loop.h"
#include "reactor/own.h"
#include "reactor/words.h"

enum { PATIENCE_MS = 5000, DETAILS_MAX = 2000 /* pods, and containers, whose status is asked for */ };

struct asking {
	struct cli cli;
	struct bundle *bundle;
};

/* What may leave the node of pods, containers and images: members of that name, at every level. */
static const char *const harmless[] = {
	"items", "containers", "images", "imageFilesystems", "containerFilesystems", /* the lists */
	"id", "metadata", "name", "uid", "namespace", "attempt", "state", "createdAt", "startedAt", "finishedAt",
	"exitCode", "reason", "runtimeHandler", "podSandboxId", "image", "imageRef", "imageId", "userSpecifiedImage",
	"repoTags", "repoDigests", "size", "pinned", "username", "value", "logPath", "stopSignal",
	"status", "network", "ip", "additionalIps", "linux", "namespaces", "options", "pid", "ipc", "targetId",
	"usernsOptions", "mode", "uids", "gids", "hostId", "containerId", "length",
	"mounts", "containerPath", "hostPath", "readonly", "propagation", "selinuxRelabel", "recursiveReadOnly",
	"uidMappings", "gidMappings", "imageSubPath",
	"resources", "cpuPeriod", "cpuQuota", "cpuShares", "memoryLimitInBytes", "oomScoreAdj", "cpusetCpus",
	"cpusetMems", "hugepageLimits", "pageSize", "limit", "memorySwapLimitInBytes",
	"timestamp", "fsId", "mountpoint", "usedBytes", "inodesUsed", NULL
};

static void keep_harmless(json_t *j)
{
	const char *name;
	json_t *one;
	void *next;
	size_t i;

	json_object_foreach_safe(j, next, name, one) {
		if (word_is_one_of(name, harmless))
			keep_harmless(one);
		else
			json_object_del(j, name);
	}
	json_array_foreach(j, i, one)
		keep_harmless(one);
}

static void *ask(struct asking *a, const char *method, const void *request)
{
	struct err e;
	void *answer = cli_call(&a->cli, method, request, &e);

	if (!answer)
		bundle_problem(a->bundle, method, e.msg);
	return answer;
}

/* ---- lists, with the status of each object ---- */

struct ids {
	char **at;
	size_t n;
};

static void set_pod(void *request, void *arg, size_t i)
{
	((Runtime__V1__PodSandboxStatusRequest *)request)->pod_sandbox_id = ((struct ids *)arg)->at[i];
}

static void set_container(void *request, void *arg, size_t i)
{
	((Runtime__V1__ContainerStatusRequest *)request)->container_id = ((struct ids *)arg)->at[i];
}

/* Puts the member `status` of each answer beside what the list says. */
static void add_statuses(json_t *list, void **answers, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		auto_json json_t *j = answers[i] ? cli_json_write(answers[i]) : NULL;
		json_t *status = json_object_get(j, "status");

		if (status)
			json_object_set(json_array_get(list, i), "status", status);
	}
}

/* A list of CRI's, with the request for it and for the status of one object, into which `set` puts the id. */
struct listing {
	const char *file, *list, *member, *status;
	const void *request;
	void *one;
	void (*set)(void *request, void *arg, size_t i);
};

static void put_list(struct asking *a, const struct listing *l)
{
	const void *answer = ask(a, l->list, l->request);
	auto_json json_t *j = answer ? cli_json_write(answer) : NULL;
	json_t *items = json_object_get(j, l->member), *item;
	struct ids ids = { arena_zalloc(a->cli.arena, (json_array_size(items) + 1) * sizeof(*ids.at)), 0 };
	size_t i;

	if (!j)
		return;
	json_array_foreach(items, i, item)
		ids.at[i] = arena_strdup(a->cli.arena, json_get_str(a->cli.arena, item, "id"));
	ids.n = json_array_size(items);
	if (ids.n > DETAILS_MAX)
		bundle_problem(a->bundle, l->status, "not asked for all: there are too many");
	ids.n = ids.n > DETAILS_MAX ? DETAILS_MAX : ids.n;
	add_statuses(items, cli_call_all(&a->cli, l->status, l->one, ids.n, l->set, &ids), ids.n);
	keep_harmless(j);
	bundle_json(a->bundle, l->file, j);
}

static void put_lists(struct asking *a)
{
	Runtime__V1__ListPodSandboxRequest pods = RUNTIME__V1__LIST_POD_SANDBOX_REQUEST__INIT;
	Runtime__V1__PodSandboxStatusRequest pod = RUNTIME__V1__POD_SANDBOX_STATUS_REQUEST__INIT;
	Runtime__V1__ListContainersRequest containers = RUNTIME__V1__LIST_CONTAINERS_REQUEST__INIT;
	Runtime__V1__ContainerStatusRequest container = RUNTIME__V1__CONTAINER_STATUS_REQUEST__INIT;
	const struct listing listings[] = {
		{ "pods.json", "ListPodSandbox", "items", "PodSandboxStatus", &pods, &pod, set_pod },
		{ "containers.json", "ListContainers", "containers", "ContainerStatus", &containers, &container,
		  set_container },
	};

	for (size_t i = 0; i < sizeof(listings) / sizeof(*listings); i++)
		put_list(a, &listings[i]);
}

static void put_harmless(struct asking *a, const char *file, const char *method, const void *request)
{
	const void *answer = ask(a, method, request);
	auto_json json_t *j = answer ? cli_json_write(answer) : NULL;

	if (!j)
		return;
	keep_harmless(j);
	bundle_json(a->bundle, file, j);
}

/* ---- the daemon itself ---- */

static bool put_version(struct asking *a)
{
	Runtime__V1__VersionRequest request = RUNTIME__V1__VERSION_REQUEST__INIT;
	const void *answer = ask(a, "Version", &request);
	auto_json json_t *j = answer ? cli_json_write(answer) : json_object();

	json_object_set_new(j, "client", json_string(CRISP_VERSION));
	bundle_json(a->bundle, "version.json", j);
	return answer;
}

/* Status has the configuration as a text of JSON in its map `info`. */
static json_t *put_status(struct asking *a)
{
	Runtime__V1__StatusRequest request = RUNTIME__V1__STATUS_REQUEST__INIT;
	auto_json json_t *j = NULL;
	json_t *config, *info;
	const char *text;
	const void *answer;
	struct err e;

	request.verbose = true;
	answer = ask(a, "Status", &request);
	if (!answer)
		return NULL;
	j = cli_json_write(answer);
	info = json_object_get(j, "info");
	text = json_string_value(json_object_get(info, "config"));
	config = text ? json_parse(text, strlen(text), "config", &e) : NULL;
	if (config)
		json_object_set(info, "config", config);
	else
		bundle_problem(a->bundle, "Status", "it has no configuration: this is not crispd");
	bundle_json(a->bundle, "status.json", j);
	return config;
}

/* ---- pages ---- */

struct page_part {
	struct asking *asking;
	const char *page, *file;
};

static void on_debug_page(void *arg, const struct err *e, const char *text, size_t len)
{
	const struct page_part *p = arg;
	auto_json json_t *j = NULL;
	struct err bad;

	loop_stop();
	if (e)
		return bundle_problem(p->asking->bundle, p->page, e->msg);
	if (*text == '{' || *text == '[')
		j = json_parse_own(text, len, p->page, &bad);
	if (j) /* in lines: a line has a limit */
		bundle_json(p->asking->bundle, p->file, j);
	else
		bundle_text(p->asking->bundle, p->file, text, len);
}

static void put_pages(struct asking *a)
{
	struct page_part parts[] = { { a, "/debug/state", "state.json" }, { a, "/debug/pulls", "pulls.json" },
				     { a, "/debug/loop", "loop.json" }, { a, "/metrics", "metrics.txt" } };
	const char *socket = cli_page_socket(a->cli.address, a->cli.arena);

	if (!socket)
		return bundle_problem(a->bundle, "pages", "the address is no unix socket");
	for (size_t i = 0; i < sizeof(parts) / sizeof(*parts); i++) {
		cli_page_start(socket, parts[i].page, on_debug_page, &parts[i]);
		loop_run();
	}
}

json_t *debug_rpc(struct cli *c, struct bundle *bundle)
{
	Runtime__V1__ListImagesRequest images = RUNTIME__V1__LIST_IMAGES_REQUEST__INIT;
	Runtime__V1__ImageFsInfoRequest disk = RUNTIME__V1__IMAGE_FS_INFO_REQUEST__INIT;
	struct asking a = { *c, bundle };
	json_t *config;

	if (!a.cli.timeout_ms)
		a.cli.timeout_ms = PATIENCE_MS;
	put_pages(&a);
	if (!put_version(&a)) /* it waits for nothing, so what asks for more would not be answered either */
		return bundle_problem(bundle, "daemon", "it was asked for nothing more"), NULL;
	config = put_status(&a);
	put_lists(&a);
	put_harmless(&a, "images.json", "ListImages", &images);
	put_harmless(&a, "image_fs.json", "ImageFsInfo", &disk);
	return config;
}
