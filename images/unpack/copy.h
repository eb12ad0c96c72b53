/* copy.h - one object of a layer copied into another one. */
#ifndef IMAGES_UNPACK_COPY_H
#define IMAGES_UNPACK_COPY_H

#include <stdbool.h>
#include <sys/stat.h>

#include "reactor/err.h"

/* Owner, mode, extended attributes (overlayfs's own only when with_overlay) and times, between two open files or
 * directories. INTERNAL. */
int copy_attributes(int from, int to, bool with_overlay, struct err *e);

/* `name` in from_dir, which is no directory and looks like *st, becomes the new `name` in to_dir.
 * RESOURCE_EXHAUSTED: the disk is full; INTERNAL. */
int copy_object(int from_dir, const char *name, const struct stat *st, int to_dir, struct err *e);

#endif
