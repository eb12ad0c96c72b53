/* restored.h - the processes that CRIU restored, compared with what their request gives, before they run.
 *
 * CRIU restores credentials as they stand in the archive: a request for uid 1234 without capabilities would get the
 * root that was dumped. So CRIU leaves the processes stopped (criu_write_inherit()), and each thread of the container's
 * cgroup is compared with config.json: Uid, Gid, Groups, Cap*, NoNewPrivs, Seccomp, and the label of AppArmor or
 * SELinux. More than the request gives is refused; less is fine. The rules of a seccomp filter are not compared.
 * Spec: proc_pid_status(5), capabilities(7). (ARCHITECTURE C20) */
#ifndef PROCS_RESTORED_H
#define PROCS_RESTORED_H

#include <stdbool.h>
#include <stdint.h>

#include "procs/container.h"
#include "reactor/arena.h"
#include "reactor/err.h"
#include "reactor/json.h"

/* What a request gives, from its config.json. Capabilities are bits by their number. */
struct restored_limits {
	int64_t uid, gid;
	struct ints groups;
	uint64_t bounding, permitted, inheritable, ambient;
	bool no_new_privs, seccomp;
	const char *apparmor, *selinux; /* "": none is asked for */
};

/* Strings and lists live in the arena. */
void restored_limits_read(struct restored_limits *out, const json_t *config, struct arena *arena);

/* status: the text of /proc/<pid>/task/<tid>/status. PERMISSION_DENIED names what the thread has more; INTERNAL: a line
 * is missing. */
int restored_compare(const struct restored_limits *limits, const char *status, struct err *e);

typedef void restored_done(void *arg, const struct err *e);

/* The container was restored with first process `pid`, and its processes are stopped. done: once, never inside the
 * call. Without an error they run when it is called; with one they are as they were, and the caller kills them.
 *   PERMISSION_DENIED   a thread has more than the request gives
 *   RESOURCE_EXHAUSTED  more processes than can be looked at
 *   INTERNAL            config.json; /proc; the first process is not in the container's cgroup */
void restored_start(const struct container *container, pid_t pid, restored_done *done, void *arg);

#endif
