/* life.h - a started container, from the moment its process is known until the runtime has deleted it.
 *
 * The keeper's exit record ends it: OOM is read, the cgroup killed, the log drained, the record saved as EXITED, and
 * only then may the keeper forget; the runtime's `delete` follows in the background. */
#ifndef PROCS_LIFE_H
#define PROCS_LIFE_H

#include "procs/container.h"

/* c is RUNNING, kept by the keeper under its id; c->log is open or NULL. Sets c->life. */
void life_begin(struct container *c);

/* c EXITED while we were away, and the runtime may still know it: only the end of it, the `delete`. Sets c->life. */
void life_finish(struct container *c);

/* fn runs once, when c->life is over, never inside the call. c->life must be set. Left by container_unwait(). */
void life_wait(struct container *c, struct container_wait *w, void (*fn)(struct container_wait *w));

/* Of its first process, to signal it by; borrowed. -1: it has ended, or its end is about to be told. */
int life_pidfd(const struct container *c);

#endif
