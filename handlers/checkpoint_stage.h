/* checkpoint_stage.h - <root>/checkpoints/NAME: a directory with the files of a checkpoint, before they are packed into
 * an archive or after they were unpacked from an archive.
 *
 * It holds the memory of processes. So it has mode 0700, and a child removes it as soon as it is not needed. */
#ifndef HANDLERS_CHECKPOINT_STAGE_H
#define HANDLERS_CHECKPOINT_STAGE_H

#include "procs/container.h"
#include "reactor/arena.h"
#include "reactor/err.h"

/* The path of a new directory, in the arena. make false: the caller makes the directory. NULL: INTERNAL. */
const char *checkpoint_stage_new(const char *id, bool make, struct arena *arena, struct err *e);
void checkpoint_stage_drop(const char *path); /* "": does nothing */

/* At start, after the containers were loaded: removes every directory from which no container is to be restored. */
void checkpoint_stages_sweep(void);

#endif
