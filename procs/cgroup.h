/* cgroup.h - control groups of pods and containers, v1 (every hierarchy, hybrid too) and v2.
 *
 * Paths are below each hierarchy: "/crisp/pod1/abc". Pod cgroups are ours; a container's own cgroup is made and limited
 * by the OCI runtime (cgroupsPath of its config.json), which so enforces the device list; we read counters, watch OOM
 * and remove left-overs.
 * Specs: Documentation/admin-guide/cgroup-v1/, cgroup-v2.rst. */
#ifndef PROCS_CGROUP_H
#define PROCS_CGROUP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "procs/cri_config.h"
#include "reactor/err.h"

/* Finds what is mounted where. FAILED_PRECONDITION when no hierarchy is usable. `root` is the parent for pods that name
 * none. */
struct cgroup_config {
	const char *root;   /* "/crisp" */
	const char *driver; /* "cgroupfs"; "systemd", on v2 only; "auto": systemd where that runs the machine, and v2 */
	const char *mountinfo; /* NULL: /proc/self/mountinfo */
};
int cgroup_open(const struct cgroup_config *cfg, struct err *e);
bool cgroup_systemd(void); /* the driver is systemd */
bool cgroup_is_v2(void);   /* unified: no v1 controller hierarchy is mounted */

/* Where cgroup2 is mounted beside v1 hierarchies ("/sys/fs/cgroup/unified"); NULL: it is not. Debian's crun must not
 * see it. */
const char *cgroup_hybrid(void);

/* ---- names (cgroup/path.c), in the arena ----
 *
 * With a cgroup_parent, PARENT is the pod's group: the caller's, who makes, limits and removes it. Below it are ours: a
 * group named by the sandbox's id, by which cAdvisor knows the pod's network, and one for each container,
 * PARENT/<container id>. Without one the pod's group is <root>/<sandbox id>, which is both; the containers are below
 * it. So the group of the sandbox is always the one to remove with it, and a record of either kind tells which.
 *
 * Under systemd groups are units, found by the last element: PARENT is a slice, a container PARENT/crisp-<id>.scope,
 * and so is the pause. Without a pause the sandbox's group below a PARENT is no unit but an empty directory, as with
 * cgroupfs: the kubelet knows a sandbox by <id> or <prefix>-<id>.scope, and a scope cannot be empty. */
int cgroup_check_parent(const char *parent, struct err *e); /* INVALID_ARGUMENT: this driver cannot use it */
char *cgroup_pod_path(struct arena *a, const char *parent, const char *id); /* parent "": none */
char *cgroup_own_path(struct arena *a, const char *pod, const char *id);  /* the sandbox's own, given the pod's */
char *cgroup_pause_path(struct arena *a, const char *pod, const char *id);  /* a leaf: the sandbox's, or one below it */
char *cgroup_container_path(struct arena *a, const char *pod, const char *id);
char *cgroup_below(struct arena *a, const char *path, const char *name);

/* What the OCI runtime is told (cgroupsPath): the path, or SLICE:crisp:ID of a scope, which it makes itself then. */
char *cgroup_runtime_path(struct arena *a, const char *path);
bool cgroup_is_scope(const char *path);
const char *cgroup_unit(const char *path); /* systemd's name of it, within path; NULL: a mere directory */

/* In every hierarchy, parents too; v1: cpuset copied from the parent; v2: every controller enabled down to the children
 * of path, which then may not hold processes itself (cgroup-v2.rst, "No Internal Process Constraint"). A leaf may: it
 * enables none. */
int cgroup_make(const char *path, struct err *e);
int cgroup_make_leaf(const char *path, struct err *e);
/* A leaf without processes: removed where it is and made again, which a watcher of the tree takes for another one. */
int cgroup_renew(const char *path, struct err *e);
/* pod level: cpu, memory, pids where set */
int cgroup_limit(const char *path, const struct resources *r, struct err *e);
int64_t cgroup_weight(int64_t cpu_shares); /* v2's cpu.weight */
/* It and what is below, from the next turn on; a busy one is retried with growing pauses, never waited for. */
void cgroup_remove(const char *path);
/* The same, but tried at once where it is no unit. False: it is not gone yet, so who has a record of it keeps that. */
bool cgroup_remove_now(const char *path);
void cgroup_close(void); /* one last try at what is still to be removed, and at the root when it is empty */

/* Recovery: removes the pod cgroups right below our root whose name, an id, `known` denies: their record went before
 * they did. */
void cgroup_sweep(bool (*known)(const char *id));

/* SIGKILL to every process in it and below. Returns at once: the death of the processes is not awaited. See
 * cgroup/kill.c for how a fork during the kill is met. */
void cgroup_kill(const char *path);

/* Files that a child of the keeper joins by (child_spec.join_tasks); NULL-terminated, in the arena. v2: NULL, see
 * cgroup_dirfd. */
const char *const *cgroup_tasks(struct arena *a, const char *path);
int cgroup_dirfd(const char *path, struct err *e); /* v2 only; owned by the caller */

/* A file of the group in the hierarchy that carries the controller (v2: the only one), NUL-terminated. False: there is
 * no such hierarchy, group or file. */
bool cgroup_text(const char *controller, const char *path, const char *file, char *text, size_t size);

/* OOM kills counted in this container's cgroup so far; -1: no such cgroup or counter. */
int64_t cgroup_oom_kills(const char *path);

/* Pids in it and below, at most max; the number found. */
size_t cgroup_pids(const char *path, pid_t *pids, size_t max);

/* ---- the groups of a sandbox (cgroup/pod.c): by files or by systemd, as the driver is ----
 *
 * `done` runs exactly once, never inside the call. Errors: INTERNAL with what the kernel or systemd said; UNAVAILABLE:
 * the bus is away; INVALID_ARGUMENT: a limit that is none. What is handed over must outlive the operation. */
struct sandbox;
struct cgroup_pod_op;
typedef void cgroup_pod_done(void *arg, const struct err *e);

/* Without a cgroup_parent: makes the pod's group, with its limits. Below a parent there is nothing to make yet: the
 * sandbox's own group comes with its first process (sandbox_task.h). sandbox->cgroup is set. */
struct cgroup_pod_op *cgroup_pod_make(const struct sandbox *sandbox, cgroup_pod_done *done, void *arg);
struct cgroup_pod_op *cgroup_pod_limit(const char *cgroup, const struct resources *limits, cgroup_pod_done *done,
				       void *arg);

/* Under systemd: the pause, which runs, gets a scope. Under cgroupfs the pause has joined its group itself. */
struct cgroup_pod_op *cgroup_pod_adopt(const struct sandbox *sandbox, pid_t pause, cgroup_pod_done *done, void *arg);

/* The sandbox's own group below a parent, without processes: removed where it exists and made again. A watcher of the
 * tree (cAdvisor) takes it for another group. */
int cgroup_pod_renew(const struct sandbox *sandbox, struct err *e);

void cgroup_pod_cancel(struct cgroup_pod_op *op);       /* a later cgroup_pod_remove() takes back what was made */
bool cgroup_pod_remove(const struct sandbox *sandbox);  /* as cgroup_remove_now() */

/* ---- systemd's bus (cgroup/units.c), for the driver systemd ---- */

typedef void unit_done(void *arg, const struct err *e);

struct units_config { /* zeroed: the system bus */
	const char *address;
	bool peer; /* the other end is systemd itself, as at /run/systemd/private */
};

/* `ready` runs exactly once, never inside the call: e NULL, or FAILED_PRECONDITION with the bus that has no systemd.
 * FAILED_PRECONDITION at once: there is no such bus, by its address. */
int units_open(const struct units_config *cfg, unit_done *ready, void *arg, struct err *e);
void units_close(void); /* requests that were sent are carried out; no `done` runs any more */

#endif
