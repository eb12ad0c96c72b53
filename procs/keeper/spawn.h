/* spawn.h - makes one child of the keeper exactly as its request says. */
#ifndef PROCS_KEEPER_SPAWN_H
#define PROCS_KEEPER_SPAWN_H

#include <stdbool.h>
#include <sys/types.h>

#include "reactor/child_proto.h"
#include "reactor/err.h"

enum { BIRTH_TEXT_MAX = 512 };

/* Raises RLIMIT_NOFILE to its hard limit, lowers our OOM score where that is allowed and remembers both for the
 * children; umask 022. */
int spawn_open(struct err *e);

/* A child that executes r. *fail_fd reads at its end when the program runs, or gives the text of what failed in the
 * child, which then exits with 127. `daemon`: it keeps our limits and OOM score. -1: INTERNAL or RESOURCE_EXHAUSTED. */
pid_t spawn(const struct child_request *r, bool daemon, int *fail_fd, struct err *e);

/* A child that runs fn(arg) and leaves by _exit(). It has all our fds, no signal handler and no blocked signal. */
pid_t spawn_fn(void (*fn)(void *arg), void *arg, struct err *e);

/* The process group of an unreaped child that called setsid(), or will. */
void spawn_kill_group(pid_t pid);

#endif
