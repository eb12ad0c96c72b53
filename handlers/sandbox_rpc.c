/* sandbox_rpc.c - the RPCs about pod sandboxes. Spec: CRI v1 RuntimeService. */
#include <string.h>

#include "handlers/convert.h"
#include "handlers/filter.h"
#include "handlers/rpc.h"
#include "handlers/sandbox_flow.h"
#include "reactor/json.h"

void rpc_run_pod_sandbox(struct rpc *r, const void *request)
{
	const Runtime__V1__RunPodSandboxRequest *in = request;
	struct sandbox_config config;
	struct err e;

	if (convert_sandbox_config(&config, in->config, rpc_arena(r), &e) < 0)
		return rpc_fail(r, &e);
	config.runtime_handler = in->runtime_handler;
	sandbox_flow_run(r, &config);
}

/* The sandbox to be stopped or removed; NULL and the rpc was answered: an unknown one is gone already, which is success. */
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

static Runtime__V1__PodSandboxNetworkStatus *network_of(const struct sandbox *s, struct arena *a)
{
	Runtime__V1__PodSandboxNetworkStatus *out =
		NEW_MESSAGE(a, Runtime__V1__PodSandboxNetworkStatus, runtime__v1__pod_sandbox_network_status__init);

	/* Addresses of a stopped sandbox may already belong to another one. */
	if (!s->ips.n || s->state != SANDBOX_READY)
		return out;
	out->ip = (char *)s->ips.at[0];
	out->n_additional_ips = s->ips.n - 1;
	out->additional_ips = arena_zalloc(a, (s->ips.n - 1) * sizeof(*out->additional_ips));
	for (size_t i = 1; i < s->ips.n; i++) {
		Runtime__V1__PodIP *ip = NEW_MESSAGE(a, Runtime__V1__PodIP, runtime__v1__pod_ip__init);

		ip->ip = (char *)s->ips.at[i];
		out->additional_ips[i - 1] = ip;
	}
	return out;
}

static Runtime__V1__PodSandboxStatus *status_of(const struct sandbox *s, struct arena *a)
{
	Runtime__V1__PodSandboxStatus *out = NEW_MESSAGE(a, Runtime__V1__PodSandboxStatus, runtime__v1__pod_sandbox_status__init);
	Runtime__V1__LinuxPodSandboxStatus *linux =
		NEW_MESSAGE(a, Runtime__V1__LinuxPodSandboxStatus, runtime__v1__linux_pod_sandbox_status__init);
	Runtime__V1__Namespace *ns = NEW_MESSAGE(a, Runtime__V1__Namespace, runtime__v1__namespace__init);

	out->id = (char *)s->id;
	out->metadata = convert_sandbox_metadata(&s->config, a);
	out->state = (Runtime__V1__PodSandboxState)s->state;
	out->created_at = s->created_at_ns;
	out->network = network_of(s, a);
	ns->options = convert_ns_options(&s->config.security.ns, a);
	linux->namespaces = ns;
	out->linux = linux;
	out->n_labels = s->config.labels.n;
	out->labels = convert_map(&s->config.labels, &runtime__v1__pod_sandbox_status__labels_entry__descriptor, a);
	out->n_annotations = s->config.annotations.n;
	out->annotations = convert_map(&s->config.annotations, &runtime__v1__pod_sandbox_status__annotations_entry__descriptor, a);
	out->runtime_handler = (char *)s->config.runtime_handler;
	return out;
}

/* One key "info", as other runtimes do, whose value crictl and tools read as JSON. */
static struct pairs info_of(const struct sandbox *s, struct arena *a)
{
	struct pair *one = arena_zalloc(a, sizeof(*one));
	struct err ignored;
	auto_json json_t *cni = *s->cni_result ? json_parse(s->cni_result, strlen(s->cni_result), "cni", &ignored) : NULL;
	auto_json json_t *j = json_pack("{s:i, s:s, s:s, s:s, s:O?, s:o}", "pid", (int)s->pause_pid, "netns", s->netns_path,
					"cgroup", s->cgroup, "dir", s->dir, "cniResult", cni, "config",
					fields_to_json(sandbox_config_fields, &s->config));

	*one = (struct pair){ "info", json_text(a, j) };
	return (struct pairs){ one, 1 };
}

void rpc_pod_sandbox_status(struct rpc *r, const void *request)
{
	const Runtime__V1__PodSandboxStatusRequest *in = request;
	Runtime__V1__PodSandboxStatusResponse out = RUNTIME__V1__POD_SANDBOX_STATUS_RESPONSE__INIT;
	const struct sandbox *s = *in->pod_sandbox_id ? sandbox_find(in->pod_sandbox_id) : NULL;
	struct arena *a = rpc_arena(r);
	struct err e;

	if (!s) {
		err_set(&e, *in->pod_sandbox_id ? ERR_NOT_FOUND : ERR_INVALID_ARGUMENT, "sandbox \"%.100s\" does not exist",
			in->pod_sandbox_id);
		return rpc_fail(r, &e);
	}
	out.status = status_of(s, a);
	if (in->verbose) {
		struct pairs info = info_of(s, a);

		out.n_info = info.n;
		out.info = convert_map(&info, &runtime__v1__pod_sandbox_status_response__info_entry__descriptor, a);
	}
	rpc_reply(r, &out);
}

struct listing {
	const Runtime__V1__PodSandboxFilter *filter;
	Runtime__V1__ListPodSandboxResponse *out;
	struct arena *arena;
};

static void list_one(void *arg, struct sandbox *s)
{
	struct listing *l = arg;
	struct arena *a = l->arena;
	Runtime__V1__PodSandbox *item;

	if (!filter_sandbox(l->filter, s))
		return;
	item = NEW_MESSAGE(a, Runtime__V1__PodSandbox, runtime__v1__pod_sandbox__init);
	item->id = s->id;
	item->metadata = convert_sandbox_metadata(&s->config, a);
	item->state = (Runtime__V1__PodSandboxState)s->state;
	item->created_at = s->created_at_ns;
	item->n_labels = s->config.labels.n;
	item->labels = convert_map(&s->config.labels, &runtime__v1__pod_sandbox__labels_entry__descriptor, a);
	item->n_annotations = s->config.annotations.n;
	item->annotations = convert_map(&s->config.annotations, &runtime__v1__pod_sandbox__annotations_entry__descriptor, a);
	item->runtime_handler = (char *)s->config.runtime_handler;
	l->out->items[l->out->n_items++] = item;
}

static void count_one(void *arg, struct sandbox *s)
{
	(void)s;
	++*(size_t *)arg;
}

void rpc_list_pod_sandbox(struct rpc *r, const void *request)
{
	const Runtime__V1__ListPodSandboxRequest *in = request;
	Runtime__V1__ListPodSandboxResponse out = RUNTIME__V1__LIST_POD_SANDBOX_RESPONSE__INIT;
	struct listing l = { in->filter, &out, rpc_arena(r) };
	size_t n = 0;

	sandbox_each(count_one, &n);
	out.items = arena_zalloc(l.arena, n * sizeof(*out.items));
	sandbox_each(list_one, &l);
	rpc_reply(r, &out);
}
