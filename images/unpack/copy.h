/* copy.h - copies one object of a layer into another layer. */
#ifndef IMAGES_UNPACK_COPY_H
#define IMAGES_UNPACK_COPY_H

#include <stdbool.h>
#include <sys/stat.h>

#include "images/unpack/shift.h"
#include "reactor/err.h"

struct copy_owner {
	const struct shift *uids, *gids;
};

/* Copies owner, mode, extended attributes (those of overlayfs only if with_overlay; never the SELinux label, which says
 * where a file is) and times between two open files or directories. owner NULL: the ids as they are. INTERNAL. */
int copy_attributes(int from, int to, bool with_overlay, const struct copy_owner *owner, struct err *e);

/* Copies `name` of from_dir, which is not a directory and whose lstat is *st, to the new `name` in to_dir.
 * RESOURCE_EXHAUSTED: the disk is full; INTERNAL. */
int copy_object(int from_dir, const char *name, const struct stat *st, int to_dir, const struct copy_owner *owner,
		struct err *e);

#endif
