/* volumes.h - copies directories of an image, as overlayfs would show them, out of its layers: what the VOLUMEs of the
 * image hold when a container is made. No mount is needed, and no path leads out of the layers (view.h). */
#ifndef IMAGES_UNPACK_VOLUMES_H
#define IMAGES_UNPACK_VOLUMES_H

#include <stdint.h>

#include "images/space.h"
#include "images/unpack/shift.h"
#include "images/unpack/view.h"
#include "reactor/err.h"

struct volumes_spec {
	const struct view *view;
	char *const *paths; /* as the image's config names them */
	int n;
	int to;             /* a directory: path i becomes its directory <i>, which must not exist */
	uint64_t max_bytes; /* of all together */
	struct space min_free;
	const struct shift *uids, *gids;
};

struct volumes_made {
	uint64_t bytes, inodes;
};

/* A path that no layer has becomes an empty directory of root with the mode 0755. Symlinks in a path are followed
 * inside the image. Hard links between files of one path stay. SELinux labels are not copied.
 * INVALID_ARGUMENT: a path that leads out of the image, or is no directory there; RESOURCE_EXHAUSTED; INTERNAL. */
int volumes_fill(const struct volumes_spec *spec, struct volumes_made *out, struct err *e);

#endif
