/* checkpoint.h - a running container held still while its processes are written to disk by CRIU; it runs on
 * afterwards.
 *
 * Frozen, dumped, and still frozen when `dumped` runs: the caller copies the files that belong to this moment, then
 * lets it go by checkpoint_thaw(). A crash in between is mended by checkpoint_adopt(). Spec: CRI v1
 * RuntimeService.CheckpointContainer; the runtime's part is `runc checkpoint`. */
#ifndef PROCS_CHECKPOINT_H
#define PROCS_CHECKPOINT_H

#include <stdint.h>

#include "procs/container.h"
#include "reactor/err.h"

struct checkpoint; /* gone once `thawed` ran, or `dumped` with an error */

typedef void checkpoint_done(void *arg, const struct err *e);

/* The caller holds c->lane. Makes dir/checkpoint (CRIU's images), dir/dump.log, dir/stats-dump. done: never inside
 * the call.
 *   FAILED_PRECONDITION  it does not run, has a user namespace; the runtime has no checkpoints, or there is no criu
 *   ABORTED              it is being stopped
 *   DEADLINE_EXCEEDED    not dumped after timeout_ms > 0
 *   INTERNAL             CRIU's words */
struct checkpoint *checkpoint_start(struct container *c, const char *dir, int64_t timeout_ms, checkpoint_done *dumped,
				    void *arg);

/* Once, after `dumped` came without error. ABORTED: it was thawed before, since somebody wanted it stopped: what was
 * copied after `dumped` is not of one moment. INTERNAL: it could not be thawed. */
void checkpoint_thaw(struct checkpoint *k, checkpoint_done *thawed, void *arg);

/* Somebody wants c stopped or gone: it is thawed at once. Nothing to do is fine. */
void checkpoint_yield(struct container *c);

/* Recovery, of a running container: thawed if a crash left it frozen. */
void checkpoint_adopt(struct container *c);

#endif
