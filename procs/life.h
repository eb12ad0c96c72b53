/* life.h - a started container, from the moment its process is known until the runtime has deleted it.
 *
 * The keeper's exit record ends it. Then, in this order: the OOM counter is read, the cgroup killed, the log
 * drained, the container recorded as EXITED, the keeper told to forget, and the runtime's `delete` runs in the
 * background. (ARCHITECTURE P1) */
#ifndef PROCS_LIFE_H
#define PROCS_LIFE_H

#include "procs/container.h"

/* The container is RUNNING, and the keeper keeps its process under its id; its log is open or NULL. Sets
 * container->life. */
void life_begin(struct container *container);

/* For an EXITED container that the runtime may still know after a crash: only the `delete`. Sets container->life. */
void life_finish(struct container *container);

/* fn runs once, when container->life is over, never inside the call. container->life must be set. container_unwait()
 * ends the wait. */
void life_wait(struct container *container, struct container_wait *wait, void (*fn)(struct container_wait *wait));

/* The pidfd of its first process, to send signals by; borrowed. -1: the process has ended. */
int life_pidfd(const struct container *container);

/* container->pid is its first process still, and no other process has that pid now. */
bool life_has_pid(const struct container *container);

#endif
