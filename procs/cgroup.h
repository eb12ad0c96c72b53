/* cgroup.h - control groups of pods and containers, v1 (every hierarchy, hybrid too) and v2, cgroupfs driver.
 *
 * Paths are below each hierarchy: "/crisp/pod1/abc". Pod cgroups are ours; a container's own cgroup is made and limited by the
 * OCI runtime (cgroupsPath of its config.json), which so enforces the device list; we read counters, watch OOM and remove left-overs.
 * Specs: Documentation/admin-guide/cgroup-v1/, cgroup-v2.rst. */
#ifndef PROCS_CGROUP_H
#define PROCS_CGROUP_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "procs/config.h"
#include "reactor/err.h"

/* Finds what is mounted where. FAILED_PRECONDITION when no hierarchy is usable. `root` is the parent for pods that name none. */
struct cgroup_config {
	const char *root;   /* "/crisp" */
	const char *driver; /* "cgroupfs" */
};
int cgroup_open(const struct cgroup_config *cfg, struct err *e);
bool cgroup_is_v2(void); /* unified: no v1 controller hierarchy is mounted */

/* The pod cgroup: parent ("" = our root; a ".slice" last element is taken literally by cgroupfs) + "/" + id. In the arena. */
char *cgroup_pod_path(struct arena *a, const char *parent, const char *id);

int cgroup_make(const char *path, struct err *e);   /* in every hierarchy, parents too; v1 cpuset inherited; v2 controllers enabled */
int cgroup_limit(const char *path, const struct resources *r, struct err *e); /* pod level: cpu, memory, pids where set */
void cgroup_remove(const char *path); /* it and what is below; a busy one is retried later, in batches, never waited for */
void cgroup_kill(const char *path);   /* SIGKILL to every process in it and below */

/* Files that a child of the keeper joins by (child_spec.join_tasks); NULL-terminated, in the arena. v2: NULL, see cgroup_dirfd. */
const char *const *cgroup_tasks(struct arena *a, const char *path);
int cgroup_dirfd(const char *path, struct err *e); /* v2 only; owned by the caller */

/* OOM kills counted in this container's cgroup so far; -1: no such cgroup or counter. */
int64_t cgroup_oom_kills(const char *path);

/* Pids in it and below, at most max; the number found. */
size_t cgroup_pids(const char *path, pid_t *pids, size_t max);

#endif
