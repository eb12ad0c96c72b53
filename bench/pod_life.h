/* pod_life.h - one pod with one container, brought up and taken down through CRI, each RPC timed.
 *
 * The order of the calls is the kubelet's. The container is the image's `sleep` in a pod whose containers have process
 * namespaces of their own (pid: CONTAINER), seccomp unconfined and a log file: what the kubelet asks for when the pod
 * says nothing else. With seccomp_default it asks for RuntimeDefault, as a kubelet with seccompDefault does. */
#ifndef BENCH_POD_LIFE_H
#define BENCH_POD_LIFE_H

#include <stdbool.h>
#include <stdint.h>

#include "reactor/err.h"
#include "reactor/grpc_client.h"

/* RPCs in the order of a life; the first POD_UP_RPCS bring it up. X(id, column name, method, message stem) */
#define POD_RPCS(X) \
	X(RUN, "run_pod", RunPodSandbox, run_pod_sandbox) \
	X(CREATE, "create", CreateContainer, create_container) \
	X(START, "start", StartContainer, start_container) \
	X(STOP, "stop", StopContainer, stop_container) \
	X(STOP_POD, "stop_pod", StopPodSandbox, stop_pod_sandbox) \
	X(REMOVE, "remove", RemoveContainer, remove_container) \
	X(REMOVE_POD, "remove_pod", RemovePodSandbox, remove_pod_sandbox)

enum pod_rpc {
#define X(id, column, method, stem) POD_RPC_##id,
	POD_RPCS(X)
#undef X
	POD_RPC_COUNT,
	POD_UP_RPCS = POD_RPC_STOP,
};

const char *pod_rpc_name(enum pod_rpc rpc); /* "run_pod" */

/* What every pod of a run has in common; outlives the pods. */
struct pod_spec {
	const char *runtime_handler; /* "" for the server's default */
	const char *image, *log_dir, *cgroup_parent;
	const char *run;	      /* value of the label POD_LABEL by which a sweep finds them; NULL: no label */
	const char *const *command;   /* of the container, ended by NULL; NULL: it sleeps */
	bool seccomp_default;
};
#define POD_LABEL "crisp-bench"

struct pod;

/* e is NULL, or the first error of the RPCs asked for. */
typedef void pod_done(void *arg, struct pod *p, const struct err *e);

/* RunPodSandbox, CreateContainer, StartContainer. `done` exactly once, never inside this call; the pod is to be freed
 * after pod_down() is done, however it went. `name` is unique among the pods of a server. */
struct pod *pod_up(struct grpc_client *c, const struct pod_spec *spec, const char *name, pod_done *done, void *arg);

/* StopContainer with no grace, StopPodSandbox, RemoveContainer, RemovePodSandbox, of what there is: a pod that came up
 * half, or whose teardown fails on the way, is taken down as far as it goes. */
void pod_down(struct pod *p, pod_done *done, void *arg);
void pod_free(struct pod *p); /* before `done` only after its client was freed, which ends its call */

int64_t pod_rpc_ns(const struct pod *p, enum pod_rpc rpc); /* 0: not called */
const char *pod_name(const struct pod *p);
const char *pod_sandbox(const struct pod *p);	/* ids; NULL: the server gave none */
const char *pod_container(const struct pod *p);

#endif
