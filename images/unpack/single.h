/* single.h - a layer that is one file: a blob of an artifact, as it is. (ARCHITECTURE I66) */
#ifndef IMAGES_UNPACK_SINGLE_H
#define IMAGES_UNPACK_SINGLE_H

#include <stdint.h>

#include "images/space.h"
#include "images/unpack/contents.h"
#include "images/unpack/extract.h"
#include "images/unpack/input.h"
#include "reactor/err.h"

struct single_spec {
	int root;           /* borrowed, the layer's directory */
	const char *name;   /* untrusted: a canonical path (path.h), or it is refused */
	const char *digest; /* of the blob */
	uint64_t max_bytes;
	struct space min_free;
	struct contents *contents; /* borrowed; gets the file. NULL: not wanted */
};

/* The blob becomes root/<name>, mode 0644, below new directories of mode 0755. INVALID_ARGUMENT: the name;
 * RESOURCE_EXHAUSTED: max_bytes, min_free; DATA_LOSS: its size or digest; INTERNAL. */
int single_write(const struct single_spec *spec, struct input *in, struct extracted *out, struct err *e);

#endif
