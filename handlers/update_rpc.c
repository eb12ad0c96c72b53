/* update_rpc.c - UpdateContainerResources and UpdatePodSandboxResources. Spec: CRI v1 RuntimeService. */
#include <string.h>

#include "handlers/convert.h"
#include "handlers/convert_in.h"
#include "handlers/nri.h"
#include "handlers/services.h"
#include "procs/cgroup.h"
#include "procs/update.h"

/* In the arena of its rpc. */
struct container_update {
	struct rpc *rpc;
	char id[ID_SIZE];
};

static void on_container_updated(void *arg, const struct err *e)
{
	Runtime__V1__UpdateContainerResourcesResponse out = RUNTIME__V1__UPDATE_CONTAINER_RESOURCES_RESPONSE__INIT;
	struct container_update *u = arg;
	struct container *c = container_find(u->id);

	if (!e && c)
		nri_tell_container(NRI_POST_UPDATE, c, NULL, NULL);
	if (e)
		rpc_fail(u->rpc, e);
	else
		rpc_reply(u->rpc, &out);
}

static void container_update_begin(struct container_update *u, struct container *c, const struct resources *limits)
{
	struct err e;

	if (c->removing) {
		err_set(&e, ERR_FAILED_PRECONDITION, "container %.12s is being removed", c->id);
		return rpc_fail(u->rpc, &e);
	}
	update_start(c, limits, on_container_updated, u);
}

static void on_update_asked(void *arg, const struct err *e, const struct resources *limits)
{
	struct container_update *u = arg;
	struct container *c = e ? NULL : rpc_container(u->rpc, u->id); /* NULL: it is gone, and the rpc answered */
	struct err why;

	if (c)
		container_update_begin(u, c, limits);
	if (!e)
		return;
	why = *e;
	err_wrap(&why, "update container %.12s", u->id);
	rpc_fail(u->rpc, &why);
}

void rpc_update_container_resources(struct rpc *r, const void *request)
{
	const Runtime__V1__UpdateContainerResourcesRequest *in = request;
	Runtime__V1__UpdateContainerResourcesResponse out = RUNTIME__V1__UPDATE_CONTAINER_RESOURCES_RESPONSE__INIT;
	struct container *c = rpc_container(r, in->container_id);
	struct resources asked = { 0 };
	struct container_update *u;
	struct err e;

	if (!c)
		return;
	if (in->windows) {
		err_set(&e, ERR_INVALID_ARGUMENT, "windows: not supported on Linux");
		return rpc_fail(r, &e);
	}
	if (convert_resources_in(&asked, in->linux, rpc_arena(r), &e) < 0)
		return rpc_fail(r, &e);
	if (!asked.set)
		return rpc_reply(r, &out); /* nothing to change */
	u = arena_zalloc(rpc_arena(r), sizeof(*u));
	u->rpc = r;
	memcpy(u->id, c->id, sizeof(u->id));
	if (!nri_update(c, &asked, on_update_asked, u))
		container_update_begin(u, c, &asked);
}

/* ---- pods ---- */

struct pod_update {
	struct rpc *rpc;
	char id[ID_SIZE];
	struct resources overhead, resources; /* the request's */
};

static void pod_update_note(struct pod_update *u)
{
	Runtime__V1__UpdatePodSandboxResourcesResponse out = RUNTIME__V1__UPDATE_POD_SANDBOX_RESOURCES_RESPONSE__INIT;
	struct sandbox *s = rpc_sandbox(u->rpc, u->id); /* NULL: it was removed meanwhile */
	struct err e;

	if (!s)
		return;
	if (u->resources.set)
		fields_copy(resources_fields, &s->config.resources, &u->resources, s->arena);
	if (u->overhead.set)
		fields_copy(resources_fields, &s->config.overhead, &u->overhead, s->arena);
	if (sandbox_save(s, &e) < 0)
		return rpc_fail(u->rpc, &e);
	nri_tell_pod(NRI_POST_UPDATE_POD, s, NULL, NULL);
	rpc_reply(u->rpc, &out);
}

static void on_pod_limited(void *arg, const struct err *e)
{
	struct pod_update *u = arg;

	if (e)
		rpc_fail(u->rpc, e);
	else
		pod_update_note(u);
}

/* The kubelet has resized the pod's cgroup itself, so the values are only recorded. A pod without a cgroup_parent has a
 * cgroup of crisp's, which is limited here. */
static void pod_update_begin(struct pod_update *u, const struct sandbox *s)
{
	if (u->resources.set && !*s->config.cgroup_parent && s->state == SANDBOX_READY)
		cgroup_pod_limit(s->cgroup, &u->resources, on_pod_limited, u);
	else
		pod_update_note(u);
}

static void on_pod_asked(void *arg, const struct err *e)
{
	struct pod_update *u = arg;
	struct sandbox *s = e ? NULL : rpc_sandbox(u->rpc, u->id); /* NULL: it was removed meanwhile */
	struct err why;

	if (s)
		pod_update_begin(u, s);
	if (!e)
		return;
	why = *e;
	err_wrap(&why, "update sandbox %.12s", u->id);
	rpc_fail(u->rpc, &why);
}

void rpc_update_pod_sandbox_resources(struct rpc *r, const void *request)
{
	const Runtime__V1__UpdatePodSandboxResourcesRequest *in = request;
	struct sandbox *s = rpc_sandbox(r, in->pod_sandbox_id);
	struct pod_update *u;
	struct err e;

	if (!s)
		return;
	u = arena_zalloc(rpc_arena(r), sizeof(*u));
	u->rpc = r;
	memcpy(u->id, s->id, sizeof(u->id));
	if (convert_resources_in(&u->overhead, in->overhead, rpc_arena(r), &e) < 0 ||
	    convert_resources_in(&u->resources, in->resources, rpc_arena(r), &e) < 0)
		return rpc_fail(r, &e);
	if (!nri_update_pod(s, &u->overhead, &u->resources, on_pod_asked, u))
		pod_update_begin(u, s);
}
