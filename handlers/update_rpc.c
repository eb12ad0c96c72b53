/* update_rpc.c - new limits for containers and pods. Spec: CRI v1 RuntimeService. */
#include "handlers/convert.h"
#include "handlers/convert_in.h"
#include "handlers/rpc.h"
#include "procs/cgroup.h"
#include "procs/update.h"

static void on_updated(void *arg, const struct err *e)
{
	Runtime__V1__UpdateContainerResourcesResponse out = RUNTIME__V1__UPDATE_CONTAINER_RESOURCES_RESPONSE__INIT;
	struct rpc *r = arg;

	if (e)
		rpc_fail(r, e);
	else
		rpc_reply(r, &out);
}

void rpc_update_container_resources(struct rpc *r, const void *request)
{
	const Runtime__V1__UpdateContainerResourcesRequest *in = request;
	Runtime__V1__UpdateContainerResourcesResponse out = RUNTIME__V1__UPDATE_CONTAINER_RESOURCES_RESPONSE__INIT;
	struct container *c = rpc_container(r, in->container_id);
	struct resources asked = { 0 };
	struct err e;

	if (!c)
		return;
	if (in->windows) {
		err_set(&e, ERR_INVALID_ARGUMENT, "windows: this is Linux");
		return rpc_fail(r, &e);
	}
	if (c->removing) {
		err_set(&e, ERR_FAILED_PRECONDITION, "container %.12s is being removed", c->id);
		return rpc_fail(r, &e);
	}
	if (convert_resources_in(&asked, in->linux, rpc_arena(r), &e) < 0)
		return rpc_fail(r, &e);
	if (!asked.set)
		return rpc_reply(r, &out); /* nothing to change */
	update_start(c, &asked, on_updated, r);
}

/* The kubelet has resized its pod cgroup already; what it tells is noted and shown. A pod whose cgroup nobody else
 * limits is limited here. */
void rpc_update_pod_sandbox_resources(struct rpc *r, const void *request)
{
	const Runtime__V1__UpdatePodSandboxResourcesRequest *in = request;
	Runtime__V1__UpdatePodSandboxResourcesResponse out = RUNTIME__V1__UPDATE_POD_SANDBOX_RESOURCES_RESPONSE__INIT;
	struct sandbox *s = rpc_sandbox(r, in->pod_sandbox_id);
	struct resources overhead = { 0 }, resources = { 0 };
	struct err e;

	if (!s)
		return;
	if (convert_resources_in(&overhead, in->overhead, rpc_arena(r), &e) < 0 ||
	    convert_resources_in(&resources, in->resources, rpc_arena(r), &e) < 0)
		return rpc_fail(r, &e);
	if (resources.set && !*s->config.cgroup_parent && s->state == SANDBOX_READY &&
	    cgroup_limit(s->cgroup, &resources, &e) < 0)
		return rpc_fail(r, &e);
	if (resources.set)
		fields_copy(resources_fields, &s->config.resources, &resources, s->arena);
	if (overhead.set)
		fields_copy(resources_fields, &s->config.overhead, &overhead, s->arena);
	if (sandbox_save(s, &e) < 0)
		return rpc_fail(r, &e);
	rpc_reply(r, &out);
}
