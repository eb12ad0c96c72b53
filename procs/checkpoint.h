/* checkpoint.h - a running container is frozen while CRIU writes its processes to disk; it runs on afterwards.
 *
 * The container is still frozen when `dumped` runs. The caller then copies the files of the same moment and calls
 * checkpoint_thaw(). After a crash in between checkpoint_adopt() thaws the container. Spec: CRI v1
 * RuntimeService.CheckpointContainer; the runtime's part is `runc checkpoint`. (ARCHITECTURE C1) */
#ifndef PROCS_CHECKPOINT_H
#define PROCS_CHECKPOINT_H

#include <stdint.h>

#include "procs/container.h"
#include "reactor/err.h"

struct checkpoint; /* gone once `thawed` ran, or `dumped` with an error */

typedef void checkpoint_done(void *arg, const struct err *e);

/* The caller holds container->lane. Makes dir/checkpoint (CRIU's images), dir/dump.log, dir/stats-dump. done: never
 * inside the call.
 *   FAILED_PRECONDITION  it does not run, has a user namespace; the runtime has no checkpoints, or there is no criu
 *   ABORTED              it is being stopped
 *   DEADLINE_EXCEEDED    not dumped after timeout_ms > 0
 *   INTERNAL             CRIU's words */
struct checkpoint *checkpoint_start(struct container *container, const char *dir, int64_t timeout_ms,
				    checkpoint_done *dumped, void *arg);

/* Once, after `dumped` without an error. ABORTED: a stop thawed the container earlier, so the files copied after
 * `dumped` are not of one moment. INTERNAL: it could not be thawed. */
void checkpoint_thaw(struct checkpoint *checkpoint, checkpoint_done *thawed, void *arg);

/* The container is to be stopped or removed: a checkpoint of it, if there is one, thaws it at once.
 * (ARCHITECTURE C3) */
void checkpoint_yield(struct container *container);

/* Recovery, for a running container: thawed if a crash left it frozen. */
void checkpoint_adopt(struct container *container);

#endif
