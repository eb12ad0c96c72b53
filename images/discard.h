/* discard.h - directory trees that are no longer used: renamed away at once, then removed by a child. */
#ifndef IMAGES_DISCARD_H
#define IMAGES_DISCARD_H

#include "reactor/err.h"

/* Makes <root>/gone. What an earlier crispd left in it is removed by a child. root is copied. INTERNAL. */
int discard_open(const char *root, struct err *e);

/* Renames the tree at `path` away at once; a child removes it, and the next start what it could not remove. A missing
 * path is success. INTERNAL: the tree is where it was. */
int discard(const char *path, struct err *e);

#endif
