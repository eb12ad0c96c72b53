/* tarout.h - writes the entries of a tar; the counterpart of tar.h, with the same struct.
 *
 * The format is ustar. Long names, big numbers, nanoseconds and extended attributes, which do not fit into it, go into
 * a pax header before the entry. Spec: POSIX.1-2017 pax "ustar Interchange Format", "pax Extended Header"; attributes
 * as SCHILY.xattr.*, as Go and GNU tar write them. */
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
	uint64_t size, left; /* of the last entry's content: all bytes, and those that are still to be written */
};

void tarout_open(struct tarout *p, int fd);
void tarout_close(struct tarout *p);

/* After a file's entry its content, entry->size bytes, must follow by tarout_data() or tarout_copy(); other entries
 * have no content. INTERNAL, or RESOURCE_EXHAUSTED for a full disk, here and below. */
int tarout_entry(struct tarout *p, const struct tar_entry *entry, struct err *e);
int tarout_data(struct tarout *p, const void *bytes, size_t n, struct err *e);

/* Copies all of the entry's content from `from`. 0; 1: the file became shorter meanwhile, zeros fill the rest; -1. */
int tarout_copy(struct tarout *p, int from, struct err *e);

int tarout_end(struct tarout *p, struct err *e); /* writes the two empty blocks and all that is not yet written */

#endif
