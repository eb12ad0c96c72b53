/* gc.h - removes what has no user: layers that are in no image and no snapshot, blobs of no image, old partial
 * downloads. */
#ifndef IMAGES_GC_H
#define IMAGES_GC_H

/* Listens to unused.h: each ring makes a sweep in the next turn of the loop. Call before store_open() and
 * snapshot_open(): each of the two rings when it has read its records. A sweep does nothing until both have read them,
 * because before that every layer looks unused. So the ring of the later call makes the first sweep. */
void gc_open(void);

#endif
