/* containerd_rpc.c - the three methods of containerd's own API that the kubelet's cAdvisor calls, served beside CRI
 * (kubelet --containerd=SOCKET).
 *
 * cAdvisor takes the last element of a cgroup's path as an id and asks for the container with that id. Pod, container
 * and image of its series come from the labels in the answer. Network series belong to the sandbox: cAdvisor reads
 * /proc/PID/net/dev of the sandbox's task. A sandbox without a process of its own therefore answers with the process of
 * a container. Spec: containerd api/services, containers and tasks v1; wire facts in cri/containerd.proto.
 * (ARCHITECTURE H8) */
#include <string.h>

#include "containerd.pb-c.h"
#include "handlers/convert.h"
#include "handlers/services.h"
#include "procs/bundle.h"
#include "procs/sandbox_task.h"

/* Dashboards drop series without an image, because these belong to cgroups above containers. The network series of a
 * pod must not be dropped, so its sandbox has an image. */
#define SANDBOX_IMAGE "crisp/sandbox"
#define SPEC_TYPE "types.containerd.io/opencontainers/runtime-spec/1/Spec"
/* cAdvisor reads process.env, so the spec of a sandbox has one. */
#define SANDBOX_SPEC "{\"ociVersion\":\"1.0.2\",\"process\":{\"cwd\":\"/\",\"env\":[]}}"

void rpc_containerd_version(struct rpc *r, const void *request)
{
	Containerd__VersionResponse out = CONTAINERD__VERSION_RESPONSE__INIT;

	(void)request;
	out.version = CRISP_VERSION;
	out.revision = "crisp";
	rpc_reply(r, &out);
}

static void not_found(struct rpc *r, const char *what, const char *id)
{
	struct err e;

	err_set(&e, ERR_NOT_FOUND, "%s \"%.100s\": not found", what, id);
	rpc_fail(r, &e);
}

static void put_labels(Containerd__Container *out, const struct pairs *labels, const char *kind, struct arena *a)
{
	struct pairs all = { arena_zalloc(a, (labels->n + 1) * sizeof(*all.at)), labels->n + 1 };

	if (labels->n)
		memcpy(all.at, labels->at, labels->n * sizeof(*all.at));
	all.at[labels->n] = (struct pair){ "io.cri-containerd.kind", kind };
	out->n_labels = all.n;
	out->labels = convert_map(&all, &containerd__container__labels_entry__descriptor, a);
}

static int put_container(Containerd__Container *out, const struct container *c, struct arena *a, struct err *e)
{
	out->id = (char *)c->id;
	out->sandbox = c->sandbox->id;
	/* An image without a tag has its id as name, which says nothing in a series: then the reference by digest. */
	out->image = (char *)(strncmp(c->image.name, "sha256:", 7) == 0 ? c->image.ref : c->image.name);
	put_labels(out, &c->config.labels, "container", a);
	out->spec->value.data = (uint8_t *)bundle_config_text(c->bundle, a, &out->spec->value.len, e);
	return out->spec->value.data ? 0 : -1;
}

static void put_sandbox(Containerd__Container *out, const struct sandbox *s, struct arena *a)
{
	out->id = (char *)s->id;
	out->sandbox = (char *)s->id;
	out->image = (char *)SANDBOX_IMAGE;
	put_labels(out, &s->config.labels, "sandbox", a);
	out->spec->value = (ProtobufCBinaryData){ sizeof(SANDBOX_SPEC) - 1, (uint8_t *)SANDBOX_SPEC };
}

void rpc_containerd_container(struct rpc *r, const void *request)
{
	const Containerd__GetContainerRequest *in = request;
	Containerd__GetContainerResponse out = CONTAINERD__GET_CONTAINER_RESPONSE__INIT;
	struct container *c = container_find(in->id);
	/* sandbox_by_id() also finds a sandbox that is being made: its pause may have a cgroup already. */
	struct sandbox *s = c ? NULL : sandbox_by_id(in->id);
	struct arena *a = rpc_arena(r);
	struct err e;

	if (!c && !s)
		return not_found(r, "container", in->id);
	out.container = NEW_MESSAGE(a, Containerd__Container, containerd__container__init);
	out.container->spec = NEW_MESSAGE(a, Containerd__Any, containerd__any__init);
	out.container->spec->type_url = SPEC_TYPE;
	if (s)
		put_sandbox(out.container, s, a);
	else if (put_container(out.container, c, a, &e) < 0)
		return rpc_fail(r, &e);
	rpc_reply(r, &out);
}

void rpc_containerd_task(struct rpc *r, const void *request)
{
	const Containerd__GetTaskRequest *in = request;
	Containerd__GetTaskResponse out = CONTAINERD__GET_TASK_RESPONSE__INIT;
	struct container *c = container_find(in->container_id);
	struct sandbox *s = c ? NULL : sandbox_by_id(in->container_id);
	int32_t pid = c ? c->pid : s ? sandbox_task_pid(s) : 0;

	if (!pid || *in->exec_id)
		return not_found(r, "task", in->container_id);
	out.process = NEW_MESSAGE(rpc_arena(r), Containerd__Process, containerd__process__init);
	out.process->container_id = out.process->id = c ? c->id : s->id;
	out.process->pid = (uint32_t)pid;
	out.process->status = CONTAINERD__STATUS__RUNNING;
	rpc_reply(r, &out);
}
