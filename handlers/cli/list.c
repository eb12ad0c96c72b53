/* list.c - the commands ps and pods: lists of objects as tables. */
#include <stdlib.h>
#include <string.h>

#include "api.pb-c.h"
#include "handlers/cli/command.h"
#include "handlers/cli/find.h"
#include "handlers/cli/table.h"

static const char *container_state(int state)
{
	static const char *const names[] = { "created", "running", "exited", "unknown" };

	return state >= 0 && state < 4 ? names[state] : "unknown";
}

static const char *pod_state(int state)
{
	return state == RUNTIME__V1__POD_SANDBOX_STATE__SANDBOX_READY ? "ready" : "not ready";
}

static const char *pod_name(const Runtime__V1__PodSandbox *p)
{
	return p && p->metadata ? p->metadata->name : "";
}

static const char *pod_namespace(const Runtime__V1__PodSandbox *p)
{
	return p && p->metadata ? p->metadata->namespace_ : "";
}

/* Newest first: people mostly look for an object they have just made. */
static int newer_container(const void *a, const void *b)
{
	int64_t x = (*(Runtime__V1__Container *const *)a)->created_at,
		y = (*(Runtime__V1__Container *const *)b)->created_at;

	return (x < y) - (x > y);
}

static int newer_pod(const void *a, const void *b)
{
	int64_t x = (*(Runtime__V1__PodSandbox *const *)a)->created_at,
		y = (*(Runtime__V1__PodSandbox *const *)b)->created_at;

	return (x < y) - (x > y);
}

/* Pods with their statuses: the list has no IP addresses. */
struct pods {
	Runtime__V1__ListPodSandboxResponse *list;
	void **status; /* of Runtime__V1__PodSandboxStatusResponse; NULL where the pod was removed meanwhile */
};

static void set_pod_id(void *request, void *arg, size_t i)
{
	((Runtime__V1__PodSandboxStatusRequest *)request)->pod_sandbox_id = ((struct pods *)arg)->list->items[i]->id;
}

static int load_pods(struct cli *c, struct pods *p, struct err *e)
{
	Runtime__V1__ListPodSandboxRequest request = RUNTIME__V1__LIST_POD_SANDBOX_REQUEST__INIT;
	Runtime__V1__PodSandboxStatusRequest one = RUNTIME__V1__POD_SANDBOX_STATUS_REQUEST__INIT;

	p->list = cli_call(c, "ListPodSandbox", &request, e);
	if (!p->list)
		return -1;
	if (p->list->n_items > 0)
		qsort(p->list->items, p->list->n_items, sizeof(*p->list->items), newer_pod);
	p->status = c->json ? NULL : cli_call_all(c, "PodSandboxStatus", &one, p->list->n_items, set_pod_id, p);
	return 0;
}

static const char *pod_ip(const struct pods *p, size_t i)
{
	const Runtime__V1__PodSandboxStatusResponse *s = p->status[i];

	return s && s->status && s->status->network ? s->status->network->ip : "";
}

static void container_row(struct cli *c, struct cli_table *t, const Runtime__V1__Container *one,
			  const struct pods *pods, const Runtime__V1__ListImagesResponse *images)
{
	const char *pod = cli_table_id(c->arena, one->pod_sandbox_id), *ns = "", *ip = "", *image;

	for (size_t i = 0; i < pods->list->n_items; i++) {
		if (strcmp(pods->list->items[i]->id, one->pod_sandbox_id) != 0)
			continue;
		pod = pod_name(pods->list->items[i]);
		ns = pod_namespace(pods->list->items[i]);
		ip = pod_ip(pods, i);
	}
	image = cli_find_image_name(images, one->image, *one->image_id ? one->image_id : one->image_ref);
	cli_table_row(t, cli_table_id(c->arena, one->id), ns, pod, one->metadata ? one->metadata->name : "",
		      container_state((int)one->state), cli_table_age(c->arena, one->created_at), image, ip, NULL);
}

static int ps(struct cli *c, const struct cli_args *args)
{
	Runtime__V1__ListContainersRequest request = RUNTIME__V1__LIST_CONTAINERS_REQUEST__INIT;
	Runtime__V1__ContainerFilter filter = RUNTIME__V1__CONTAINER_FILTER__INIT;
	Runtime__V1__ContainerStateValue running = RUNTIME__V1__CONTAINER_STATE_VALUE__INIT;
	Runtime__V1__ListImagesRequest images_request = RUNTIME__V1__LIST_IMAGES_REQUEST__INIT;
	Runtime__V1__ListContainersResponse *list;
	Runtime__V1__ListImagesResponse *images;
	struct cli_table *t;
	struct pods pods;
	struct err e;

	running.state = RUNTIME__V1__CONTAINER_STATE__CONTAINER_RUNNING;
	filter.state = &running;
	request.filter = cli_args_flag(args, "all") ? NULL : &filter;
	list = cli_call(c, "ListContainers", &request, &e);
	if (!list)
		return cli_fail(c, &e, "ps");
	if (list->n_containers > 0)
		qsort(list->containers, list->n_containers, sizeof(*list->containers), newer_container);
	if (c->json)
		return cli_print(list), 0;
	images = cli_call(c, "ListImages", &images_request, &e);
	if (!images || load_pods(c, &pods, &e) < 0)
		return cli_fail(c, &e, "ps");
	t = cli_table_new(c->arena, "CONTAINER", "NAMESPACE", "POD", "NAME", "STATE", "AGE", "IMAGE", "IP", NULL);
	for (size_t i = 0; i < list->n_containers; i++)
		container_row(c, t, list->containers[i], &pods, images);
	cli_table_print(t, stdout);
	return 0;
}

static const struct cli_option ps_options[] = {
	{ "all", 'a', NULL, "list containers that do not run, too" },
	{ 0 },
};

const struct cli_command cli_ps = {
	.name = "ps", .operands = "", .summary = "list containers", .options = ps_options, .run = ps,
	.more = "Examples:\n"
		"  crisp ps\n"
		"  crisp ps -a --json | jq -r '.containers[].id'\n",
};

static int pods_list(struct cli *c, const struct cli_args *args)
{
	struct cli_table *t;
	struct pods pods;
	struct err e;

	(void)args;
	if (load_pods(c, &pods, &e) < 0)
		return cli_fail(c, &e, "pods");
	if (c->json)
		return cli_print(pods.list), 0;
	t = cli_table_new(c->arena, "POD", "NAMESPACE", "NAME", "STATE", "AGE", "RUNTIME", "IP", NULL);
	for (size_t i = 0; i < pods.list->n_items; i++) {
		const Runtime__V1__PodSandbox *p = pods.list->items[i];

		cli_table_row(t, cli_table_id(c->arena, p->id), pod_namespace(p), pod_name(p),
			      pod_state((int)p->state), cli_table_age(c->arena, p->created_at),
			      *p->runtime_handler ? p->runtime_handler : "(default)", pod_ip(&pods, i), NULL);
	}
	cli_table_print(t, stdout);
	return 0;
}

const struct cli_command cli_pods = {
	.name = "pods", .operands = "", .summary = "list pods", .run = pods_list,
	.more = "Examples:\n"
		"  crisp pods\n"
		"  crisp pods --json\n",
};
