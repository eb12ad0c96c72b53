/* space.h - how much of the file system unpacking leaves alone: images.min_free. */
#ifndef IMAGES_UNPACK_SPACE_H
#define IMAGES_UNPACK_SPACE_H

#include <stdint.h>

#include "reactor/err.h"

struct space {
	unsigned percent; /* of blocks and, where the file system counts them, of inodes; or */
	uint64_t bytes;
};

/* "5%", "1073741824", "10GiB" (KiB, MiB, GiB, TiB). INTERNAL: the daemon's configuration. */
int space_parse(const char *text, struct space *out, struct err *e);

/* fd: anything on that file system. RESOURCE_EXHAUSTED with the figures; INTERNAL. */
int space_check(const struct space *s, int fd, struct err *e);

#endif
