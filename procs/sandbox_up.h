/* sandbox_up.h - RunPodSandbox: makes cgroup, namespaces, files, network, and the pause where the pod needs one. A
 * failure undoes them in reverse.
 * Spec: CRI v1 RuntimeService.RunPodSandbox. */
#ifndef PROCS_SANDBOX_UP_H
#define PROCS_SANDBOX_UP_H

#include "procs/sandbox.h"
#include "procs/sandbox_check.h" /* sandbox_check(), which callers run before sandbox_new() */
#include "reactor/err.h"

struct sandbox_up_config { /* borrowed for ever */
	const char *pause_path; /* the built-in pause */
	const char *node_name;
	const char *hosts;	 /* "/etc/hosts" */
	const char *resolv_conf; /* "/etc/resolv.conf": for a sandbox without dns_config */
};
void sandbox_up_open(const struct sandbox_up_config *cfg);

struct sandbox_up; /* gone once `done` ran */
typedef void sandbox_up_done(void *arg, const struct err *e);

/* The caller holds the sandbox's lane, and its config passed sandbox_check(). On success the sandbox is READY, saved
 * and no longer hidden. On an error everything is undone and the caller frees the sandbox. If the undo of the network
 * failed, the sandbox stays, NOTREADY and listed, so that a later StopPodSandbox tries again. Errors:
 *   FAILED_PRECONDITION  no network can be made today: no CNI configuration (nothing was made)
 *   DEADLINE_EXCEEDED    the file system of hosts or resolv_conf did not answer (nothing was made)
 *   INVALID_ARGUMENT     the kernel refused a sysctl or the hostname
 *   RESOURCE_EXHAUSTED   the kernel's limits on namespaces
 *   those of network_add(); INTERNAL; UNAVAILABLE
 * While the network takes more than a second the sandbox is listed, NOTREADY, so that it can be seen and stopped. */
struct sandbox_up *sandbox_up_start(struct sandbox *sandbox, sandbox_up_done *done, void *arg);

/* Gives up a network that is being made, and undoes everything; `done` then gets ABORTED. Without effect in the other
 * steps, which end by themselves: only a network waits for programs of others. */
void sandbox_up_cancel(struct sandbox_up *up);

#endif
