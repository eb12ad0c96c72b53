/* spawn.h - makes one child of the keeper as its request says. */
#ifndef PROCS_KEEPER_SPAWN_H
#define PROCS_KEEPER_SPAWN_H

#include <stdbool.h>
#include <sys/types.h>

#include "reactor/child_proto.h"
#include "reactor/err.h"

enum { BIRTH_TEXT_MAX = 512 };

/* Raises RLIMIT_NOFILE to its hard limit and lowers oom_score_adj where that is allowed. Both old values are
 * remembered: children get them. Sets umask 022. */
int spawn_open(struct err *e);

/* no_core() for this process; the children of spawn() get the limit that there was. */
void spawn_no_core(void);

/* Makes a child that executes the request. *fail_fd is at end of file once the program runs; or it gives the text of
 * what failed in the child, which then exits with 127. `daemon`: the child keeps the keeper's limits and oom_score_adj.
 * -1: INTERNAL or RESOURCE_EXHAUSTED. */
pid_t spawn(const struct child_request *request, bool daemon, int *fail_fd, struct err *e);

/* The same, but the child waits before execve(2) until spawn_go() is called with *gate, which that closes. When the
 * keeper dies before, the child ends without having run its program, and underway_went(slot) is false. `outlives`: it
 * may outlive the keeper; else it dies with it. */
pid_t spawn_waiting(const struct child_request *request, int *gate, int *fail_fd, struct err *e);
void spawn_go(int gate, bool outlives, int slot);

/* Makes a child that runs fn(arg) and then _exit(). It has all fds of the keeper, default signal actions and no blocked
 * signal. */
pid_t spawn_fn(void (*fn)(void *arg), void *arg, struct err *e);

/* Kills the process group of a child that is not reaped yet and has called setsid(), or is about to call it. */
void spawn_kill_group(pid_t pid);

#endif
