/* sandbox_pause.h - the pause of a sandbox whose containers share one PID namespace: started, watched, killed.
 * The keeper keeps it as "pause/<sandbox id>"; its death makes the sandbox NOTREADY. */
#ifndef PROCS_SANDBOX_PAUSE_H
#define PROCS_SANDBOX_PAUSE_H

#include "procs/sandbox.h"
#include "reactor/err.h"

/* Starts it in the sandbox's namespaces and a cgroup of its own below the sandbox's. e NULL: s->pause_pid is set, and
 * it is watched.
 * Errors: INTERNAL, UNAVAILABLE; nothing runs then. `done` runs exactly once, never inside the call; it runs on: no
 * cancel. */
typedef void sandbox_pause_done(void *arg, const struct err *e);
void sandbox_pause_start(struct sandbox *s, const char *program, sandbox_pause_done *done, void *arg);

/* Watches the one that runs since before our restart; false: it is gone. */
bool sandbox_pause_adopt(struct sandbox *s);

/* SIGKILL; `done` when it is dead (a missing one is), or after 2 s, when the kernel still tears it down, which is
 * logged. */
void sandbox_pause_kill(struct sandbox *s, void (*done)(void *arg), void *arg);

#endif
