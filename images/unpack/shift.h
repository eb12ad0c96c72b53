/* shift.h - owners of files as a user namespace has them. */
#ifndef IMAGES_UNPACK_SHIFT_H
#define IMAGES_UNPACK_SHIFT_H

#include <stddef.h>
#include <stdint.h>

#include "reactor/err.h"

enum { SHIFT_RANGES_MAX = 340 /* of the kernel: user_namespaces(7) */ };

struct shift {
	size_t n; /* 0: ids stay as they are */
	struct {
		uint32_t inside, outside, count;
	} at[SHIFT_RANGES_MAX];
};

/* text: lines of three numbers as in /proc/<pid>/uid_map, none for no shift. INVALID_ARGUMENT. */
int shift_parse(const char *text, struct shift *out, struct err *e);

/* An id that the namespace does not have becomes the one of its root. */
uint32_t shift_id(const struct shift *s, uint32_t id);

#endif
