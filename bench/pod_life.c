/* pod_life.c - see pod_life.h.
 *
 *   RUN --> CREATE --> START --> UP
 *    |         |         |       |
 *    +---------+---------+-------+--> STOP --> STOP_POD --> REMOVE --> REMOVE_POD --> DOWN
 *
 * Waits on: the answer of the RPC that the state is named after; in UP, and after a failure on the way up, on
 * pod_down(). On the way down a call without an id is left out, and an error does not end the sequence.
 *
 * Spec: CRI v1 api.proto. */
#include "bench/pod_life.h"

#include <stdio.h>

#include "api.pb-c.h"
#include "bench/cri_call.h"
#include "reactor/list.h"
#include "reactor/loop.h"
#include "reactor/own.h"
#include "reactor/sm.h"

enum { UP = POD_RPC_COUNT, DOWN };
enum { HOST_PORTS = 10000 };

/* A state for each RPC, under the RPC's number. */
static const struct sm_state states[] = {
	[POD_RPC_RUN] = { "RUN", TO(POD_RPC_CREATE) | TO(POD_RPC_STOP) },
	[POD_RPC_CREATE] = { "CREATE", TO(POD_RPC_START) | TO(POD_RPC_STOP) },
	[POD_RPC_START] = { "START", TO(UP) | TO(POD_RPC_STOP) },
	[UP] = { "UP", TO(POD_RPC_STOP) },
	[POD_RPC_STOP] = { "STOP", TO(POD_RPC_STOP_POD) },
	[POD_RPC_STOP_POD] = { "STOP_POD", TO(POD_RPC_REMOVE) },
	[POD_RPC_REMOVE] = { "REMOVE", TO(POD_RPC_REMOVE_POD) },
	[POD_RPC_REMOVE_POD] = { "REMOVE_POD", TO(DOWN) },
	[DOWN] = { "DOWN", 0 },
};

struct pod {
	struct sm sm;
	struct timer down_timer; /* pod_down() begins in a turn of its own: without ids no call delays `done` */
	struct arena *arena;
	struct grpc_client *client;
	const struct pod_spec *spec;
	const char *name;
	int32_t host_port; /* 0: none */
	char *pod_id, *container_id; /* NULL until the server has answered */
	int64_t took_ns[POD_RPC_COUNT];
	bool failed;
	struct err first; /* the first error of the present way, up or down */
	pod_done *done;
	void *arg;
};

static const struct cri_method methods[] = {
#define X(id, column, method, stem) \
	[POD_RPC_##id] = { "/runtime.v1.RuntimeService/" #method, &runtime__v1__##stem##_response__descriptor },
	POD_RPCS(X)
#undef X
};

const char *pod_rpc_name(enum pod_rpc rpc)
{
	static const char *const names[] = {
#define X(id, column, method, stem) column,
		POD_RPCS(X)
#undef X
	};

	return names[rpc];
}

static void pod_step(struct pod *p);

static void on_pod_answer(void *arg, const struct err *e, const void *response, int64_t took_ns)
{
	struct pod *p = arg;

	p->took_ns[p->sm.now] = took_ns;
	if (e && !p->failed) {
		p->failed = true;
		p->first = *e;
		err_wrap(&p->first, "%s of %s", pod_rpc_name((enum pod_rpc)p->sm.now), p->name);
	}
	if (!e && p->sm.now == POD_RPC_RUN)
		p->pod_id =
			arena_strdup(p->arena, ((const Runtime__V1__RunPodSandboxResponse *)response)->pod_sandbox_id);
	if (!e && p->sm.now == POD_RPC_CREATE)
		p->container_id =
			arena_strdup(p->arena, ((const Runtime__V1__CreateContainerResponse *)response)->container_id);
	if (e && p->sm.now < POD_UP_RPCS)
		return p->done(p->arg, p, &p->first); /* the state stays that of the failed RPC */
	sm_move(&p->sm, p->sm.now == POD_RPC_START ? UP : p->sm.now == POD_RPC_REMOVE_POD ? DOWN : p->sm.now + 1);
	pod_step(p);
}

static void pod_call(struct pod *p, const void *request)
{
	cri_call(p->client, &methods[p->sm.now], request, p->arena, on_pod_answer, p);
}

/* ---- requests ---- */

/* The messages of a pod's configuration, which RunPodSandbox and CreateContainer both carry. */
struct pod_config {
	Runtime__V1__PodSandboxMetadata metadata;
	Runtime__V1__NamespaceOption namespaces;
	Runtime__V1__SecurityProfile seccomp;
	Runtime__V1__LinuxSandboxSecurityContext security;
	Runtime__V1__LinuxPodSandboxConfig platform;
	Runtime__V1__PodSandboxConfig__LabelsEntry label, *labels[1];
	Runtime__V1__PortMapping port, *ports[1];
	Runtime__V1__PodSandboxConfig top;
};

static struct pod_config *pod_config(struct pod *p)
{
	struct pod_config *c = arena_zalloc(p->arena, sizeof(*c));

	runtime__v1__pod_sandbox_metadata__init(&c->metadata);
	c->metadata.name = (char *)p->name;
	c->metadata.uid = arena_printf(p->arena, "%s-uid", p->name);
	c->metadata.namespace_ = "bench";
	runtime__v1__namespace_option__init(&c->namespaces);
	c->namespaces.pid = RUNTIME__V1__NAMESPACE_MODE__CONTAINER;
	if (p->spec->host_network)
		c->namespaces.network = RUNTIME__V1__NAMESPACE_MODE__NODE;
	runtime__v1__security_profile__init(&c->seccomp); /* RuntimeDefault */
	if (!p->spec->seccomp_default)
		c->seccomp.profile_type = RUNTIME__V1__SECURITY_PROFILE__PROFILE_TYPE__Unconfined;
	runtime__v1__linux_sandbox_security_context__init(&c->security);
	c->security.namespace_options = &c->namespaces;
	c->security.seccomp = &c->seccomp;
	runtime__v1__linux_pod_sandbox_config__init(&c->platform);
	c->platform.cgroup_parent = (char *)p->spec->cgroup_parent;
	c->platform.security_context = &c->security;
	runtime__v1__pod_sandbox_config__init(&c->top);
	c->top.metadata = &c->metadata;
	c->top.hostname = (char *)p->name;
	c->top.log_directory = (char *)p->spec->log_dir;
	c->top.linux = &c->platform;
	if (p->spec->run) {
		runtime__v1__pod_sandbox_config__labels_entry__init(&c->label);
		c->label.key = POD_LABEL;
		c->label.value = (char *)p->spec->run;
		c->labels[0] = &c->label;
		c->top.labels = c->labels;
		c->top.n_labels = 1;
	}
	if (p->host_port) {
		runtime__v1__port_mapping__init(&c->port);
		c->port.container_port = 80;
		c->port.host_port = p->host_port;
		c->ports[0] = &c->port;
		c->top.port_mappings = c->ports;
		c->top.n_port_mappings = 1;
	}
	return c;
}

static void pod_run(struct pod *p)
{
	Runtime__V1__RunPodSandboxRequest r = RUNTIME__V1__RUN_POD_SANDBOX_REQUEST__INIT;

	r.config = &pod_config(p)->top;
	r.runtime_handler = (char *)p->spec->runtime_handler;
	pod_call(p, &r);
}

static void pod_create(struct pod *p)
{
	struct pod_config *pod = pod_config(p);
	static const char *const asleep[] = { "sleep", "1000000", NULL };
	const char *const *command = p->spec->command ? p->spec->command : asleep;
	Runtime__V1__ContainerMetadata metadata = RUNTIME__V1__CONTAINER_METADATA__INIT;
	Runtime__V1__ImageSpec image = RUNTIME__V1__IMAGE_SPEC__INIT;
	Runtime__V1__LinuxContainerSecurityContext security = RUNTIME__V1__LINUX_CONTAINER_SECURITY_CONTEXT__INIT;
	Runtime__V1__LinuxContainerConfig platform = RUNTIME__V1__LINUX_CONTAINER_CONFIG__INIT;
	Runtime__V1__ContainerConfig config = RUNTIME__V1__CONTAINER_CONFIG__INIT;
	Runtime__V1__CreateContainerRequest r = RUNTIME__V1__CREATE_CONTAINER_REQUEST__INIT;

	metadata.name = "main";
	image.image = (char *)p->spec->image;
	security.namespace_options = &pod->namespaces;
	security.seccomp = &pod->seccomp;
	platform.security_context = &security;
	config.metadata = &metadata;
	config.image = &image;
	for (config.command = (char **)command; command[config.n_command]; config.n_command++)
		;
	config.log_path = arena_printf(p->arena, "%s.log", p->name);
	config.linux = &platform;
	r.pod_sandbox_id = p->pod_id;
	r.config = &config;
	r.sandbox_config = &pod->top;
	pod_call(p, &r);
}

static void pod_start(struct pod *p)
{
	Runtime__V1__StartContainerRequest r = RUNTIME__V1__START_CONTAINER_REQUEST__INIT;

	r.container_id = p->container_id;
	pod_call(p, &r);
}

static void pod_stop(struct pod *p)
{
	Runtime__V1__StopContainerRequest r = RUNTIME__V1__STOP_CONTAINER_REQUEST__INIT;

	r.container_id = p->container_id;
	pod_call(p, &r);
}

static void pod_stop_sandbox(struct pod *p)
{
	Runtime__V1__StopPodSandboxRequest r = RUNTIME__V1__STOP_POD_SANDBOX_REQUEST__INIT;

	r.pod_sandbox_id = p->pod_id;
	pod_call(p, &r);
}

static void pod_remove_container(struct pod *p)
{
	Runtime__V1__RemoveContainerRequest r = RUNTIME__V1__REMOVE_CONTAINER_REQUEST__INIT;

	r.container_id = p->container_id;
	pod_call(p, &r);
}

static void pod_remove_sandbox(struct pod *p)
{
	Runtime__V1__RemovePodSandboxRequest r = RUNTIME__V1__REMOVE_POD_SANDBOX_REQUEST__INIT;

	r.pod_sandbox_id = p->pod_id;
	pod_call(p, &r);
}

static void pod_step(struct pod *p)
{
	for (;;) {
		switch (p->sm.now) {
		case POD_RPC_RUN:
			return pod_run(p);
		case POD_RPC_CREATE:
			return pod_create(p);
		case POD_RPC_START:
			return pod_start(p);
		case POD_RPC_STOP:
			if (p->container_id)
				return pod_stop(p);
			sm_move(&p->sm, POD_RPC_STOP_POD);
			continue;
		case POD_RPC_STOP_POD:
			if (p->pod_id)
				return pod_stop_sandbox(p);
			sm_move(&p->sm, POD_RPC_REMOVE);
			continue;
		case POD_RPC_REMOVE:
			if (p->container_id)
				return pod_remove_container(p);
			sm_move(&p->sm, POD_RPC_REMOVE_POD);
			continue;
		case POD_RPC_REMOVE_POD:
			if (p->pod_id)
				return pod_remove_sandbox(p);
			sm_move(&p->sm, DOWN);
			continue;
		default: /* UP, DOWN */
			return p->done(p->arg, p, p->failed ? &p->first : NULL);
		}
	}
}

/* ---- the life ---- */

struct pod *pod_up(struct grpc_client *c, const struct pod_spec *spec, const char *name, pod_done *done, void *arg)
{
	static int32_t nth_port;
	struct pod *p = new_zero(struct pod);

	if (spec->host_port)
		p->host_port = (int32_t)spec->host_port + nth_port++ % HOST_PORTS;
	p->arena = arena_new();
	p->name = arena_strdup(p->arena, name);
	p->sm = (struct sm){ states, "pod", p->name, POD_RPC_RUN };
	p->client = c;
	p->spec = spec;
	p->done = done;
	p->arg = arg;
	pod_step(p);
	return p;
}

static void on_pod_down(struct timer *t)
{
	pod_step(container_of(t, struct pod, down_timer));
}

void pod_down(struct pod *p, pod_done *done, void *arg)
{
	p->done = done;
	p->arg = arg;
	p->failed = false;
	sm_move(&p->sm, POD_RPC_STOP);
	timer_set(&p->down_timer, 0, on_pod_down);
}

void pod_free(struct pod *p)
{
	timer_clear(&p->down_timer);
	arena_free(p->arena);
	free(p);
}

int64_t pod_rpc_ns(const struct pod *p, enum pod_rpc rpc)
{
	return p->took_ns[rpc];
}

const char *pod_name(const struct pod *p)
{
	return p->name;
}

const char *pod_sandbox(const struct pod *p)
{
	return p->pod_id;
}

const char *pod_container(const struct pod *p)
{
	return p->container_id;
}
