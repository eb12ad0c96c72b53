/* sandbox_pause.h - starts, watches and kills the pause: pid 1 of a sandbox whose containers share one PID namespace
 * (sandbox_has_pause()). The keeper keeps the process as "pause/<sandbox id>"; its death makes the sandbox NOTREADY. */
#ifndef PROCS_SANDBOX_PAUSE_H
#define PROCS_SANDBOX_PAUSE_H

#include "procs/sandbox.h"
#include "reactor/err.h"

/* Starts the pause in the sandbox's namespaces and in its own cgroup below the sandbox's. On success sandbox->pause_pid
 * is set and the pause is watched. Errors: INTERNAL, UNAVAILABLE; sandbox_down.c kills what may run then. `done` runs
 * exactly once, never inside the call. No cancel. */
typedef void sandbox_pause_done(void *arg, const struct err *e);
void sandbox_pause_start(struct sandbox *sandbox, const char *program, sandbox_pause_done *done, void *arg);

/* After a restart of crispd: watches the pause that still runs. false: it is gone. */
bool sandbox_pause_adopt(struct sandbox *sandbox);

/* Sends SIGKILL. `done` runs, never inside the call, when the pause is dead; a missing pause counts as dead. After 2 s
 * `done` runs all the same: the kernel still tears the process down, and a warning is logged. */
void sandbox_pause_kill(struct sandbox *sandbox, void (*done)(void *arg), void *arg);

#endif
