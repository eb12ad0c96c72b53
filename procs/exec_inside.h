/* exec_inside.h - ends execs of a handler with RUNTIME_KILLS, whose processes only the runtime can reach.
 *
 * While such an exec is under way, its mark <bundle>/exec-<id>.pid.in is there: the exec's own end removes it, or the
 * kill, when the runtime has confirmed it. Until then a kill that fails is tried again: a runtime may not have begun
 * the process yet, and begin it later. (ARCHITECTURE G57) */
#ifndef PROCS_EXEC_INSIDE_H
#define PROCS_EXEC_INSIDE_H

#include "procs/container.h"
#include "procs/runtime.h"

/* SIGKILL to the processes of the exec with that pidfile. Does nothing for other handlers. */
void exec_inside_kill(const struct runtime_handler *handler, const char *container, const char *pidfile);

/* After a restart of crispd, for a running container: the same for the execs that the last crispd had under way, for
 * which nobody waits. */
void exec_inside_sweep(const struct container *container);

#endif
