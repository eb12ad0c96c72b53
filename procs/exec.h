/* exec.h - a further process in a running container. ExecSync collects its output; streaming execs take fds.
 * Spec: CRI v1 RuntimeService.ExecSync; kubelet-visible rules: output capped and the rest dropped without an error,
 * DEADLINE_EXCEEDED on timeout after the whole process tree is killed, background children that hold the pipes are not
 * waited for. */
#ifndef PROCS_EXEC_H
#define PROCS_EXEC_H

#include "procs/container.h"
#include "reactor/err.h"
#include "reactor/fields.h"

enum { EXEC_OUTPUT_MAX = (16 << 20) - (64 << 10) }; /* stdout + stderr: one gRPC message with room for its frame */

struct exec; /* gone once `done` ran or exec_cancel() returned */

struct exec_result {
	const void *out, *err;
	size_t out_len, err_len;
	int32_t exit_code; /* 128 + n for a death by signal n */
};

/* e: FAILED_PRECONDITION (not running), DEADLINE_EXCEEDED, INTERNAL with the runtime's words (no such command),
 * UNAVAILABLE. */
typedef void exec_done(void *arg, const struct err *e, const struct exec_result *r);

/* cmd is copied. timeout_ms 0: none. `done` runs exactly once, never inside the call. */
struct exec *exec_sync(struct container *c, const struct strings *cmd, int64_t timeout_ms, exec_done *done, void *arg);
void exec_cancel(struct exec *x); /* kills the process tree; done never runs */

/* SIGKILL to pid and all its descendants, parents stopped first so that none escapes; and to those in `cgroup` that are
 * in its session, whatever became of their parents. cgroup "": only descendants. Recovery does it to
 * the execs that a dead daemon ran, which the keeper keeps as "exec/<id>". */
void exec_kill_tree(pid_t pid, const char *cgroup);

#endif
