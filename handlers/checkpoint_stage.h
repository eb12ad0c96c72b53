/* checkpoint_stage.h - <root>/checkpoints/NAME: a checkpoint as files, on its way into an archive or out of one.
 *
 * Memory of processes is in there: 0700, and gone (in a child) as soon as nobody needs it. */
#ifndef HANDLERS_CHECKPOINT_STAGE_H
#define HANDLERS_CHECKPOINT_STAGE_H

#include "procs/container.h"
#include "reactor/arena.h"
#include "reactor/err.h"

/* A name that was never used; the directory is made, or left to be made by somebody else (make false). NULL:
 * INTERNAL. */
const char *checkpoint_stage_new(const char *id, bool make, struct arena *a, struct err *e);
void checkpoint_stage_drop(const char *path); /* "" is fine */

/* At start, when containers are known: what no container waits to be restored from goes. */
void checkpoint_stages_sweep(void);

#endif
