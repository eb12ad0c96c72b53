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

/* The same for a process that was started in another way and is kept under that id: sets pause_pid and watches it. */
void sandbox_pause_began(struct sandbox *sandbox, pid_t pid);
const char *sandbox_pause_keep_id(const struct sandbox *sandbox, char out[72]);

/* After a restart of crispd: watches the pause that still runs. false: it is gone. */
bool sandbox_pause_adopt(struct sandbox *sandbox);

/* Sends SIGKILL. `done` runs, never inside the call, when the pause is dead; a missing pause counts as dead.
 * DEADLINE_EXCEEDED: it is alive after 10 s; it can be tried again. */
void sandbox_pause_kill(struct sandbox *sandbox, sandbox_pause_done *done, void *arg);

#endif
