/* space.h - how much space on the file system unpacking leaves free: images.min_free. */
#ifndef IMAGES_UNPACK_SPACE_H
#define IMAGES_UNPACK_SPACE_H

#include <stdint.h>

#include "reactor/err.h"

struct space {
	unsigned percent; /* of the blocks and, where the file system counts them, of the inodes; or 0 and: */
	uint64_t bytes;
};

/* "5%", "1073741824", "10GiB" (KiB, MiB, GiB, TiB). INTERNAL: anything else; crispd has checked its configuration. */
int space_parse(const char *text, struct space *out, struct err *e);

/* fd: any file of the file system. RESOURCE_EXHAUSTED, with the figures; INTERNAL. */
int space_check(const struct space *s, int fd, struct err *e);

#endif
