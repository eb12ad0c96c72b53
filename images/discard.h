/* discard.h - trees that nobody wants: out of the way at once, removed by a child. */
#ifndef IMAGES_DISCARD_H
#define IMAGES_DISCARD_H

#include "reactor/err.h"

/* Makes <root>/gone and removes what is left in it in a child. root is copied. INTERNAL. */
int discard_open(const char *root, struct err *e);

/* Renames a tree away at once and removes it in a child. No such path is fine. */
void discard(const char *path);

#endif
