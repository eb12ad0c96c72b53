/* exec.h - a further process in a running container. ExecSync collects its output; streaming execs take fds.
 * Spec: CRI v1 RuntimeService.ExecSync; kubelet-visible rules: output capped and the rest dropped without an error,
 * DEADLINE_EXCEEDED on timeout after the whole process tree is killed, background children that hold the pipes are not
 * waited for. */
#ifndef PROCS_EXEC_H
#define PROCS_EXEC_H

#include "procs/container.h"
#include "reactor/err.h"
#include "reactor/fields.h"

/* EXEC_OUTPUT_MAX: stdout and stderr of one ExecSync together, one gRPC message with room for its frame.
 * EXEC_OUTPUTS_MAX: the outputs of all ExecSyncs that run, since each pod may have probes; beyond it, each keeps
 * EXEC_OUTPUT_MIN of its own. The kubelet reads 10 KiB of a probe's output. */
enum { EXEC_OUTPUT_MAX = (16 << 20) - (64 << 10), EXEC_OUTPUTS_MAX = 64 << 20, EXEC_OUTPUT_MIN = 64 << 10 };

struct exec; /* gone once `done` ran or exec_cancel() returned */

struct exec_result {
	const void *out, *err;
	size_t out_len, err_len;
	int32_t exit_code; /* 128 + n for a death by signal n */
};

/* e: FAILED_PRECONDITION (not running), DEADLINE_EXCEEDED, INTERNAL with the runtime's words (no such command),
 * UNAVAILABLE. */
typedef void exec_done(void *arg, const struct err *e, const struct exec_result *result);

/* cmd is copied. timeout_ms 0: none. `done` runs exactly once, never inside the call. */
struct exec *exec_sync(struct container *container, const struct strings *cmd, int64_t timeout_ms, exec_done *done,
		       void *arg);
void exec_cancel(struct exec *exec); /* kills the process tree; done never runs */

/* SIGKILL to pid and all its descendants, a small tree within the call, a large one in slices of later turns, pid last.
 * Parents are stopped first, so that no child escapes. The processes of
 * `cgroup` in the session of pid are killed too, also those whose parent has died. cgroup "": only descendants.
 * Recovery calls this for the execs of a dead daemon, which the keeper keeps as "exec/<id>". */
void exec_kill_tree(pid_t pid, const char *cgroup);
bool exec_tree_busy(pid_t pid); /* is the kill of its tree still under way? */

#endif
