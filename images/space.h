/* space.h - how much space on the file system pulls and unpacking leave free: images.min_free. */
#ifndef IMAGES_SPACE_H
#define IMAGES_SPACE_H

#include <stdbool.h>
#include <stdint.h>

#include "reactor/err.h"

struct space {
	unsigned percent; /* of the blocks and, where the file system counts them, of the inodes; or 0 and: */
	uint64_t bytes;
};

/* "5%", "1073741824", "10GiB" (KiB, MiB, GiB, TiB). INVALID_ARGUMENT: anything else. */
int space_parse(const char *text, struct space *out, struct err *e);

/* Is there less than this and `percent` of the file system more? false: no, or nothing is asked to be left free. */
bool space_is_near(const struct space *s, unsigned percent, int fd);

/* fd: any file of the file system. RESOURCE_EXHAUSTED, with the figures; INTERNAL. */
int space_check(const struct space *s, int fd, struct err *e);

#endif
