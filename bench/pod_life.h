/* pod_life.h - one pod with one container, brought up and taken down through CRI; each RPC is timed.
 *
 * The order of the calls is the kubelet's. The container runs the image's `sleep`. It has a PID namespace of its own
 * (pid: CONTAINER), seccomp Unconfined and a log file: the kubelet's request for a pod without further settings. With
 * seccomp_default the profile is RuntimeDefault, as with the kubelet's seccompDefault. */
#ifndef BENCH_POD_LIFE_H
#define BENCH_POD_LIFE_H

#include <stdbool.h>
#include <stdint.h>

#include "reactor/err.h"
#include "reactor/grpc_client.h"

/* The RPCs in their order; the first POD_UP_RPCS bring the pod up. X(id, column name, method, message stem) */
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

/* The common settings of a run's pods; outlives the pods. */
struct pod_spec {
	const char *runtime_handler; /* "" for the server's default */
	const char *image, *log_dir, *cgroup_parent;
	const char *run;	      /* value of POD_LABEL, by which bench_sweep() finds pods; NULL: no label */
	const char *const *command;   /* of the container, ended by NULL; NULL: sleep */
	bool seccomp_default;
	bool host_network; /* network: NODE */
	long host_port;	   /* each pod has a hostPort: this one, or one of the 9999 behind it; 0: none */
};
#define POD_LABEL "crisp-bench"

struct pod;

/* `e` is NULL, or the first error of the RPCs. */
typedef void pod_done(void *arg, struct pod *p, const struct err *e);

/* RunPodSandbox, CreateContainer, StartContainer. `done` runs exactly once, never inside this call. After success and
 * after failure the caller calls pod_down(), and pod_free() when that is done. `name` is unique among a server's pods.
 */
struct pod *pod_up(struct grpc_client *c, const struct pod_spec *spec, const char *name, pod_done *done, void *arg);

/* StopContainer without grace, StopPodSandbox, RemoveContainer, RemovePodSandbox. Calls for a container or a pod that
 * was not made are left out. After an error the next call is made all the same. */
void pod_down(struct pod *p, pod_done *done, void *arg);
void pod_free(struct pod *p); /* before `done` ran: only after its client was freed, which ends the call */

int64_t pod_rpc_ns(const struct pod *p, enum pod_rpc rpc); /* 0: not called */
const char *pod_name(const struct pod *p);
const char *pod_sandbox(const struct pod *p);	/* ids; NULL: the server gave none */
const char *pod_container(const struct pod *p);

#endif
