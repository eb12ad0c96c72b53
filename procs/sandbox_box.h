/* sandbox_box.h - the box of a sandbox: what the runtime has of a pod beside its containers. It is the first container
 * of a pod, which the runtime wants to have (sandbox_boxed()), as gVisor and Kata do, or the runtime's own sandbox
 * (sandbox_in_runtime()).
 *
 * Its id for the runtime is that of the sandbox, and crisp-pause waits in it. Its bundle is <state>/sandboxes/<id>/box.
 * Where all containers of the pod are inside of its process (sandbox_inside()), that is kept as a pause is: its death
 * makes the sandbox NOTREADY, and sandbox_pause_kill() ends it with them. (ARCHITECTURE G1)
 * The box of a shim is a task like others, and its bundle <state>/sandboxes/<id>/<id>. The runtime tells its end, which
 * makes the sandbox NOTREADY, and kills it when it is removed. It joins the namespaces of the pod, and has the PID
 * namespace that the pod's containers share. (ARCHITECTURE G60)
 * The runtime's own sandbox has such a bundle too, without a program. Its process, where it has one, is the runtime's
 * matter: pause, namespaces and groups of the pod are as without it. (ARCHITECTURE G70) */
#ifndef PROCS_SANDBOX_BOX_H
#define PROCS_SANDBOX_BOX_H

#include "procs/sandbox.h"
#include "procs/sandbox_pause.h"
#include "reactor/err.h"

/* Makes the bundle and runs the box. On success it is watched, and sandbox->pause_pid is set where it is a container.
 * Errors: those of runtime_run_sandbox(), INTERNAL; sandbox_down.c gives back what may be there then. `done` runs
 * exactly once, never inside the call. No cancel. */
void sandbox_box_start(struct sandbox *sandbox, const char *pause_path, sandbox_pause_done *done, void *arg);

/* After box_watch_kill(); the runtime's own sandbox is stopped first. The runtime forgets the box, and the bundle goes.
 * What is not there is no error. */
void sandbox_box_remove(struct sandbox *sandbox, sandbox_pause_done *done, void *arg);

#endif
