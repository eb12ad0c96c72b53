/* cgroup.h - control groups of pods and containers, v1 (every hierarchy, hybrid too) and v2. The only header of cgroup/
 * for the rest of crisp.
 *
 * A path is below each hierarchy: "/crisp/pod1/abc". crisp makes and limits the groups of pods. The OCI runtime makes
 * and limits a container's group (cgroupsPath of its config.json), and so enforces the device list; crisp reads the
 * counters of that group, watches it for OOM, and removes what is left of it.
 * Specs: Documentation/admin-guide/cgroup-v1/, cgroup-v2.rst. */
#ifndef PROCS_CGROUP_H
#define PROCS_CGROUP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "procs/cri_config.h"
#include "reactor/err.h"
#include "reactor/list.h"

/* Finds the mounted hierarchies. FAILED_PRECONDITION: none is usable. `root` is the parent of pods without a
 * cgroup_parent. */
struct cgroup_config {
	const char *root;   /* "/crisp" */
	const char *driver; /* "cgroupfs"; "systemd", on v2 only; "auto": systemd where it runs the host and on v2 */
	const char *mountinfo; /* NULL: /proc/self/mountinfo */
};
int cgroup_open(const struct cgroup_config *cfg, struct err *e);
bool cgroup_systemd(void); /* the driver is systemd */
bool cgroup_is_v2(void);   /* unified: no v1 controller hierarchy is mounted */

/* Where cgroup2 is mounted beside v1 hierarchies ("/sys/fs/cgroup/unified"); NULL: nowhere. The mount is hidden from
 * crun 1.8.1 of Debian 12, which refuses such hosts. */
const char *cgroup_hybrid(void);

/* ---- names (cgroup/path.c), in the arena ----
 *
 * With a cgroup_parent, PARENT is the pod's group; the kubelet makes, limits and removes it. Below it crisp has a group
 * named by the sandbox's id, by which cAdvisor finds the pod's network, and a group for each container,
 * PARENT/<container id>. Without a cgroup_parent the pod's group is <root>/<sandbox id>, which is the sandbox's group
 * too; the containers are below it. So the sandbox's group is always the one to remove with the sandbox, and the path
 * in its record tells which of the two it is.
 *
 * Under systemd groups are units, found by the last element: PARENT is a slice, and the groups of a container and of
 * the pause are PARENT/crisp-<id>.scope. Without a pause the sandbox's group below a PARENT is not a unit but an empty
 * directory, as with cgroupfs: the kubelet knows a sandbox by <id> or <prefix>-<id>.scope, and a scope cannot be
 * empty. */
int cgroup_check_parent(const char *parent, struct err *e); /* INVALID_ARGUMENT: this driver cannot use it */
char *cgroup_pod_path(struct arena *arena, const char *parent, const char *id); /* parent "": none */
char *cgroup_own_path(struct arena *arena, const char *pod, const char *id);  /* the sandbox's, given the pod's */
char *cgroup_pause_path(struct arena *arena, const char *pod, const char *id); /* a leaf: the sandbox's, or below it */
char *cgroup_container_path(struct arena *arena, const char *pod, const char *id);
char *cgroup_below(struct arena *arena, const char *path, const char *name);

/* What the OCI runtime is told (cgroupsPath): the path, or SLICE:crisp:ID of a scope, which it makes itself then. */
char *cgroup_runtime_path(struct arena *arena, const char *path);
bool cgroup_is_scope(const char *path);
const char *cgroup_unit(const char *path); /* its name for systemd, within path; NULL: not a unit */

/* Makes the group in every hierarchy, with its parents. v1: cpuset is copied from the parent. v2: all controllers are
 * enabled for the children of path, so path itself may not hold processes (cgroup-v2.rst, "No Internal Process
 * Constraint"). cgroup_make_leaf() enables none for children, so a leaf may hold processes. */
int cgroup_make(const char *path, struct err *e);
int cgroup_make_leaf(const char *path, struct err *e);
/* A leaf without processes: removed where it exists and made again. A watcher of the tree takes it for another
 * group. */
int cgroup_renew(const char *path, struct err *e);
/* For a pod's group: writes those of the limits on cpu, cpuset and memory, and of `unified`, that are set. */
int cgroup_limit(const char *path, const struct resources *limits, struct err *e);
int64_t cgroup_weight(int64_t cpu_shares); /* the value for cpu.weight of v2 */
/* Removes the group and all below it, from the next turn on. A busy group is tried again after growing pauses. */
void cgroup_remove(const char *path);
/* The same, but a group that is not a unit is tried at once. false: it is not gone yet, and is tried again as above;
 * the caller keeps the group in its record. */
bool cgroup_remove_now(const char *path);
void cgroup_close(void); /* tries once more to remove what is queued, and the root if it is empty */

/* Recovery: removes the groups of pods right below the root for whose id `known` returns false: the record of such a
 * pod was removed before its group was. */
void cgroup_sweep(bool (*known)(const char *id));

/* SIGKILL to every process in it and below, also when it is frozen. A small group is killed within the call, a large
 * one in slices of later turns; the death of the processes is not awaited. See cgroup/kill.c for how a fork during the
 * kill is met. */
void cgroup_kill(const char *path);

struct cgroup_wait {
	struct link link;
	void (*fn)(struct cgroup_wait *wait);
};

/* False: no kill of this group is under way. True: fn runs once, when all its processes have their signal;
 * list_drop(&wait->link) takes the waiter away before. */
bool cgroup_kill_wait(const char *path, struct cgroup_wait *wait, void (*fn)(struct cgroup_wait *wait));

/* Is the group frozen by another one above its parent? Then its processes do not die of SIGKILL (v1 only). */
bool cgroup_frozen_above(const char *path);

/* As cgroup_remove_now(). False: the group is gone. True: it is busy, and fn runs once, never inside the call, when it
 * is gone; list_drop(&wait->link) takes the waiter away before. (ARCHITECTURE P14) */
bool cgroup_remove_wait(const char *path, struct cgroup_wait *wait, void (*fn)(struct cgroup_wait *wait));

/* The files by which a child of the keeper joins the group (child_spec.join_tasks); NULL-terminated, in the arena. v2:
 * NULL, use cgroup_dirfd(). */
const char *const *cgroup_tasks(struct arena *arena, const char *path);
int cgroup_dirfd(const char *path, struct err *e); /* v2 only; owned by the caller */
/* v2 only: the group for one more process of a container whose group is `path`. A container may have made groups in its
 * own, with controllers; then that one can hold no process, and it is the group of the container's first process.
 * (ARCHITECTURE N21) */
int cgroup_dirfd_beside(const char *path, pid_t first, struct err *e);

/* A file of the group in the hierarchy that carries the controller (v2: the only one), NUL-terminated. False: there is
 * no such hierarchy, group or file. */
bool cgroup_text(const char *controller, const char *path, const char *file, char *text, size_t size);

/* The path of such a file, in the arena; NULL: no hierarchy has the controller. With file "" that of the group. */
const char *cgroup_file_path(struct arena *arena, const char *controller, const char *path, const char *file);
/* Where the hierarchies in use are mounted; NULL-terminated, in the arena. */
const char **cgroup_mounts(struct arena *arena);

/* The number of OOM kills in this container's group so far; -1: no such group or counter. */
int64_t cgroup_oom_kills(const char *path);

/* Lists the pids in the group and below it, at most max; returns how many. */
size_t cgroup_pids(const char *path, pid_t *pids, size_t max);
pid_t *cgroup_all_pids(const char *path, size_t *n); /* owned by the caller; NULL: none */
bool cgroup_has(const char *path, pid_t pid); /* is the process in the group, or below it? */

/* ---- the groups of a sandbox (cgroup/pod.c): by files or by systemd, as the driver is ----
 *
 * `done` runs exactly once, never inside the call. Errors: INTERNAL with what the kernel or systemd said; UNAVAILABLE:
 * the bus is away; INVALID_ARGUMENT: a limit that is none. No cancel. What is handed over must outlive
 * the operation. */
struct sandbox;
typedef void cgroup_pod_done(void *arg, const struct err *e);

/* Without a cgroup_parent: makes the pod's group, with its limits. Below a parent there is nothing to make yet: the
 * sandbox's own group comes with its first process (sandbox_task.h). sandbox->cgroup is set. */
void cgroup_pod_make(const struct sandbox *sandbox, cgroup_pod_done *done, void *arg);
void cgroup_pod_limit(const char *cgroup, const struct resources *limits, cgroup_pod_done *done, void *arg);

/* Under systemd: the pause, which runs, gets a scope. Under cgroupfs the pause has joined its group itself. */
void cgroup_pod_adopt(const struct sandbox *sandbox, pid_t pause, cgroup_pod_done *done, void *arg);

/* The sandbox's own group below a parent, without processes: removed where it exists and made again. A watcher of the
 * tree (cAdvisor) takes it for another group. */
int cgroup_pod_renew(const struct sandbox *sandbox, struct err *e);

bool cgroup_pod_remove(const struct sandbox *sandbox); /* as cgroup_remove_now() */
bool cgroup_pod_remove_wait(const struct sandbox *sandbox, struct cgroup_wait *wait,
			    void (*fn)(struct cgroup_wait *wait)); /* as cgroup_remove_wait() */

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
