/* sandbox_box.h - the box of a sandbox: the first container of a pod whose containers run inside of it
 * (sandbox_boxed()), as gVisor wants it.
 *
 * Its bundle is <state>/sandboxes/<id>/box, its id for the runtime that of the sandbox. In it crisp-pause waits. The
 * process of the box is kept as a pause is: its death makes the sandbox NOTREADY, and sandbox_pause_kill() ends it with
 * all containers of the pod. (ARCHITECTURE G1) */
#ifndef PROCS_SANDBOX_BOX_H
#define PROCS_SANDBOX_BOX_H

#include "procs/sandbox.h"
#include "procs/sandbox_pause.h"
#include "reactor/err.h"

/* Makes the bundle and runs the box. On success sandbox->pause_pid is set and watched. Errors: those of
 * runtime_run_sandbox(), INTERNAL; sandbox_down.c gives back what may be there then. `done` runs exactly once, never
 * inside the call. No cancel. */
void sandbox_box_start(struct sandbox *sandbox, const char *pause_path, sandbox_pause_done *done, void *arg);

/* When the process is dead: the runtime forgets the box, and the bundle goes. What is not there is no error. */
void sandbox_box_remove(struct sandbox *sandbox, sandbox_pause_done *done, void *arg);

#endif
