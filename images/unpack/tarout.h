/* tarout.h - the entries of a tar, written: what tar.h reads, from the same struct.
 *
 * ustar, with a pax header in front of what does not fit: long names, big numbers, nanoseconds, extended attributes.
 * Spec: POSIX.1-2017 pax "ustar Interchange Format", "pax Extended Header"; attributes as SCHILY.xattr.*, as Go and
 * GNU tar have them. */
#ifndef IMAGES_UNPACK_TAROUT_H
#define IMAGES_UNPACK_TAROUT_H

#include <stddef.h>
#include <stdint.h>

#include "images/unpack/tar.h"
#include "reactor/buf.h"
#include "reactor/err.h"

struct tarout {
	int fd;              /* borrowed */
	struct buf out;      /* not yet written */
	uint64_t size, left; /* of the last entry's content, and what it still waits for */
};

void tarout_open(struct tarout *p, int fd);
void tarout_close(struct tarout *p);

/* A file's content, entry->size bytes, must follow by tarout_data() or tarout_copy(); nothing else has any. INTERNAL,
 * or RESOURCE_EXHAUSTED for a full disk, here and below. */
int tarout_entry(struct tarout *p, const struct tar_entry *entry, struct err *e);
int tarout_data(struct tarout *p, const void *bytes, size_t n, struct err *e);

/* All of the entry's content from `from`. One that became shorter meanwhile is filled up with zeros: 1; else 0, -1. */
int tarout_copy(struct tarout *p, int from, struct err *e);

int tarout_end(struct tarout *p, struct err *e); /* the two empty blocks, and all of it in the file */

#endif
