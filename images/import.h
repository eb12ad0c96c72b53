/* import.h - images from an archive or a directory of this node: an OCI layout (a directory, or a tar of one), or what
 * `docker save` writes. A tar may be compressed by gzip or zstd.
 *
 * A child takes the files in, without following a link; then each image goes the way of a pull (pull.h), whose registry
 * is these files: manifest, config and layers are verified by digest and diff_id. (ARCHITECTURE I60) */
#ifndef IMAGES_IMPORT_H
#define IMAGES_IMPORT_H

#include <stddef.h>

#include "reactor/err.h"
#include "reactor/fields.h"

enum { ARCHIVE_IMAGES_MAX = 256 };

struct import; /* gone once `done` ran or import_cancel() returned */

struct imported {
	const char *id;
	struct strings names;
};

/* All images of the archive, or e: then the images before the one that failed are in the store.
 *   INVALID_ARGUMENT     no image in it, or one that is damaged or hostile, or has no name
 *   FAILED_PRECONDITION  it cannot be opened
 *   DATA_LOSS, RESOURCE_EXHAUSTED, UNAVAILABLE, INTERNAL  as pull.h says; UNAVAILABLE also: another import runs */
typedef void import_done(void *arg, const struct err *e, const struct imported *images, size_t n);

/* path: absolute. name: for an image that has none in the archive, or only a tag; "": none. Both are copied. */
struct import *import_start(const char *path, const char *name, import_done *done, void *arg);
void import_cancel(struct import *import);

#endif
