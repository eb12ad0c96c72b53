/* sandbox_rpc.c - the RPCs about pod sandboxes. Spec: CRI v1 RuntimeService. */
#include <string.h>

#include "handlers/convert.h"
#include "handlers/filter.h"
#include "handlers/listing.h"
#include "handlers/sandbox_flow.h"
#include "handlers/services.h"
#include "handlers/status.h"
#include "procs/runtime.h"
#include "procs/sandbox_files.h"
#include "reactor/child.h"
#include "reactor/json.h"
#include "reactor/log.h"

struct sandbox *rpc_sandbox(struct rpc *r, const char *id)
{
	struct sandbox *s = *id ? sandbox_find(id) : NULL;
	struct err e;

	if (!s) {
		err_set(&e, *id ? ERR_NOT_FOUND : ERR_INVALID_ARGUMENT, "sandbox \"%.100s\" does not exist", id);
		rpc_fail(r, &e);
	}
	return s;
}

void rpc_run_pod_sandbox(struct rpc *r, const void *request)
{
	const Runtime__V1__RunPodSandboxRequest *in = request;
	struct sandbox_config config;
	struct err e;

	if (convert_sandbox_config(&config, in->config, rpc_arena(r), &e) < 0)
		return rpc_fail(r, &e);
	config.runtime_handler = in->runtime_handler;
	sandbox_flow_run(r, &config, in->config);
}

/* The sandbox to be stopped or removed. NULL: the rpc was answered. An unknown sandbox was removed before, which is
 * success: api.proto says idempotent. */
static struct sandbox *still_there(struct rpc *r, const char *id, const void *success)
{
	struct sandbox *s = *id ? sandbox_find(id) : NULL;
	struct err e;

	if (!*id) {
		err_set(&e, ERR_INVALID_ARGUMENT, "pod_sandbox_id is empty");
		rpc_fail(r, &e);
	} else if (!s) {
		rpc_reply(r, success);
	}
	return s;
}

void rpc_stop_pod_sandbox(struct rpc *r, const void *request)
{
	const Runtime__V1__StopPodSandboxRequest *in = request;
	Runtime__V1__StopPodSandboxResponse out = RUNTIME__V1__STOP_POD_SANDBOX_RESPONSE__INIT;
	struct sandbox *s = still_there(r, in->pod_sandbox_id, &out);

	if (s)
		sandbox_flow_stop(r, s);
}

void rpc_remove_pod_sandbox(struct rpc *r, const void *request)
{
	const Runtime__V1__RemovePodSandboxRequest *in = request;
	Runtime__V1__RemovePodSandboxResponse out = RUNTIME__V1__REMOVE_POD_SANDBOX_RESPONSE__INIT;
	struct sandbox *s = still_there(r, in->pod_sandbox_id, &out);

	if (s)
		sandbox_flow_remove(r, s);
}

/* One key "info" with JSON, as other runtimes have it: crictl and other tools read it. in_runtime: what the runtime
 * says of its own sandbox, or NULL. */
static struct pairs sandbox_info(const struct sandbox *s, const json_t *in_runtime, struct arena *a)
{
	struct pair *one = arena_zalloc(a, sizeof(*one));
	struct err ignored;
	auto_json json_t *cni =
		*s->cni_result ? json_parse(s->cni_result, strlen(s->cni_result), "cni", &ignored) : NULL;
	auto_json json_t *j =
		json_pack("{s:i, s:s, s:s, s:s, s:s, s:s, s:s, s:O?, s:O*}", "pid", (int)s->pause_pid, "netns",
			  s->netns_path, "cgroup", s->cgroup, "dir", s->dir, "files", sandbox_files_dir(s),
			  "selinuxLabel", s->process_label, "mountLabel", s->mount_label, "cniResult", cni,
			  "runtimeSandbox", in_runtime);

	*one = (struct pair){ "info", fields_join_text(a, j, "config", sandbox_config_fields, &s->config) };
	return (struct pairs){ one, 1 };
}

static void reply_status(struct rpc *r, const struct sandbox *s, bool verbose, const json_t *in_runtime)
{
	Runtime__V1__PodSandboxStatusResponse out = RUNTIME__V1__POD_SANDBOX_STATUS_RESPONSE__INIT;
	struct arena *a = rpc_arena(r);

	out.status = status_sandbox(s, a);
	if (verbose) {
		struct pairs info = sandbox_info(s, in_runtime, a);

		out.n_info = info.n;
		out.info = convert_map(&info, &runtime__v1__pod_sandbox_status_response__info_entry__descriptor, a);
	}
	rpc_reply(r, &out);
}

struct status_ask {
	struct rpc *rpc;
	char id[ID_SIZE];
};

/* What the runtime cannot tell is left out. */
static void on_status_told(void *arg, const struct err *e, struct child_result *result)
{
	struct status_ask *ask = arg;
	const struct sandbox *s = rpc_sandbox(ask->rpc, ask->id); /* NULL: it was answered */
	struct err bad;
	auto_json json_t *told = e ? NULL : json_parse(result->out, result->out_len, "status", &bad);

	if (e)
		log_info("runtime_sandbox_status sandbox=%.12s error=%s", ask->id, log_quote(e->msg));
	if (s)
		reply_status(ask->rpc, s, true, told);
}

void rpc_pod_sandbox_status(struct rpc *r, const void *request)
{
	const Runtime__V1__PodSandboxStatusRequest *in = request;
	struct sandbox *s = rpc_sandbox(r, in->pod_sandbox_id); /* NULL: r was answered */
	const struct runtime_handler *h = s ? runtime_find(s->config.runtime_handler) : NULL;
	struct status_ask *ask;

	if (!s)
		return;
	if (!in->verbose || !h || !(s->made & MADE_API) || s->state != SANDBOX_READY ||
	    !(runtime_traits(h) & RUNTIME_SANDBOX_API))
		return reply_status(r, s, in->verbose, NULL);
	ask = arena_zalloc(rpc_arena(r), sizeof(*ask));
	ask->rpc = r;
	memcpy(ask->id, s->id, sizeof(ask->id));
	runtime_sandbox_status(h, s->id, on_status_told, ask);
}

/* ---- lists ---- */

static void sandbox_collect_one(void *arg, struct sandbox *s)
{
	listing_add(arg, s->id);
}

static void sandboxes_collect(struct listing *l)
{
	sandbox_each(sandbox_collect_one, l);
}

static Runtime__V1__PodSandbox *sandbox_item(struct sandbox *s, struct arena *a)
{
	Runtime__V1__PodSandbox *item = NEW_MESSAGE(a, Runtime__V1__PodSandbox, runtime__v1__pod_sandbox__init);

	item->id = s->id;
	item->metadata = convert_sandbox_metadata(&s->config, a);
	item->state = (Runtime__V1__PodSandboxState)s->state;
	item->created_at = s->created_at_ns;
	item->n_labels = s->config.labels.n;
	item->labels = convert_map(&s->config.labels, &runtime__v1__pod_sandbox__labels_entry__descriptor, a);
	item->n_annotations = s->config.annotations.n;
	item->annotations =
		convert_map(&s->config.annotations, &runtime__v1__pod_sandbox__annotations_entry__descriptor, a);
	item->runtime_handler = (char *)s->config.runtime_handler;
	return item;
}

/* The request of the Stream RPC has the same single field as the List's, so one function serves both structs. */
static void *sandbox_list_item(const void *request, const char *id, struct arena *a)
{
	const Runtime__V1__ListPodSandboxRequest *in = request;
	struct sandbox *s = sandbox_find(id);

	return s && filter_sandbox(in->filter, s) ? sandbox_item(s, a) : NULL;
}

static const struct listing_kind kind = { sandboxes_collect, sandbox_list_item, NULL };
_Static_assert(offsetof(Runtime__V1__StreamPodSandboxesRequest, filter) ==
		       offsetof(Runtime__V1__ListPodSandboxRequest, filter),
	       "one layout");

void rpc_list_pod_sandbox(struct rpc *r, const void *request)
{
	listing_reply(r, request, &kind);
}

void rpc_stream_pod_sandboxes(struct rpc *r, const void *request)
{
	listing_stream(r, request, &kind);
}
