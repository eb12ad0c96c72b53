/* gc.h - removes what nobody refers to: layers in no image and no snapshot, blobs of no image, partial downloads of
 * old. */
#ifndef IMAGES_GC_H
#define IMAGES_GC_H

#include <stdbool.h>

#include "reactor/err.h"

/* Makes <root>/gone and removes what is left in it in a child. root is borrowed for ever. INTERNAL. */
int gc_open(const char *root, struct err *e);

/* Next turn, once both store and snapshots have been read: before that every layer would look unused. */
void gc_soon(void);

/* Renames a tree away at once and removes it in a child. No such path is fine. */
void gc_discard(const char *path);

/* What a pull that failed or was cancelled left for its next try goes after this time. */
enum { GC_KEEP_S = 3600 };

#endif
