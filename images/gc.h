/* gc.h - removes what nobody refers to: layers in no image and no snapshot, blobs of no image, partial downloads of
 * old. */
#ifndef IMAGES_GC_H
#define IMAGES_GC_H

/* Next turn, once both store and snapshots have been read: before that every layer would look unused. */
void gc_soon(void);

/* What a pull that failed or was cancelled left for its next try goes after this time. */
enum { GC_KEEP_S = 3600 };

#endif
