/* gc.h - removes what has no user: layers that are in no image and no snapshot, blobs of no image, old partial
 * downloads. */
#ifndef IMAGES_GC_H
#define IMAGES_GC_H

/* Listens to unused.h: each ring makes a sweep in the next turn. Call before store_open() and snapshot_open(): the one
 * that opens last rings for the first sweep. Before both are read every layer would look unused, so a sweep does
 * nothing until then. */
void gc_open(void);

#endif
