/* gc.h - removes what has no user: layers that are in no image and no snapshot, blobs of no image, old partial
 * downloads. */
#ifndef IMAGES_GC_H
#define IMAGES_GC_H

#include <stdbool.h>
#include <stdint.h>

#include "reactor/err.h"

/* Listens to unused.h: each ring makes a sweep in the next turn of the loop. Call before store_open() and
 * snapshot_open(): each of the two rings when it has read its records. A sweep does nothing until both have read them,
 * because before that every layer looks unused. So the ring of the later call makes the first sweep. */
void gc_open(void);

/* ---- on request ---- */

struct gc_freed {
	uint32_t layers, blobs, partials;
	uint64_t bytes; /* disk space of them all; that of layers as it was counted when they were unpacked */
	bool pulling;   /* a pull is under way, so all blobs were left */
};

struct gc; /* opaque; gone once `done` ran or gc_cancel() returned */

/* UNAVAILABLE: the images are not read yet. FAILED_PRECONDITION: a record of an image or of a snapshot cannot be read,
 * so what has no user is not known. INTERNAL: some could not be removed. `freed` is valid only during this callback;
 * after an error it has what was freed before. */
typedef void gc_done(void *arg, const struct err *e, const struct gc_freed *freed);

/* Removes all that has no user, also what waits for the next try of a pull that failed; no image. dry_run: counts only.
 * Directories are renamed away, and a child removes them afterwards. `done` never runs inside this call. */
struct gc *gc_start(bool dry_run, gc_done *done, void *arg);
void gc_cancel(struct gc *gc); /* what was removed stays removed */

#endif
