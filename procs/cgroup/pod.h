/* pod.h - the groups of a sandbox: made, limited and given back, by files or by systemd as the driver is. */
#ifndef PROCS_CGROUP_POD_H
#define PROCS_CGROUP_POD_H

#include <stdbool.h>

#include "procs/sandbox.h"
#include "reactor/err.h"

/* done: exactly once, never inside the call. Errors: INTERNAL with what the kernel or systemd said; UNAVAILABLE the bus
 * is away; INVALID_ARGUMENT a limit that is none. What is handed over must outlive the operation. */
struct cgroup_pod_op;
typedef void cgroup_pod_done(void *arg, const struct err *e);

/* Without a parent of the caller's: the pod's group, with its limits. Below one there is nothing to make yet: the
 * sandbox's own comes with its first process (sandbox_task.h). s->cgroup is set. */
struct cgroup_pod_op *cgroup_pod_make(const struct sandbox *s, cgroup_pod_done *done, void *arg);
struct cgroup_pod_op *cgroup_pod_limit(const char *cgroup, const struct resources *r, cgroup_pod_done *done, void *arg);

/* Under systemd: the pause, which runs, gets a scope. Under cgroupfs it has joined its group itself. */
struct cgroup_pod_op *cgroup_pod_adopt(const struct sandbox *s, pid_t pause, cgroup_pod_done *done, void *arg);

/* The sandbox's own group below a parent, without processes: removed where it is and made again, which a watcher of
 * the tree takes for another one. */
int cgroup_pod_renew(const struct sandbox *s, struct err *e);

void cgroup_pod_cancel(struct cgroup_pod_op *op); /* cgroup_pod_remove() afterwards takes all of it back */
bool cgroup_pod_remove(const struct sandbox *s);  /* as cgroup_remove_now() */

#endif
