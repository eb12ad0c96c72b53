/* pack.h - tars in memory, good and bad, for tests of the unpacker. */
#ifndef TESTS_PACK_H
#define TESTS_PACK_H

#include <stddef.h>
#include <stdint.h>

#include "reactor/buf.h"

struct pack_entry {
	const char *name;
	char type;        /* '0'..'7', 'S', 'x', ..; 0 is '0' */
	const char *link; /* NULL: "" */
	const char *data; /* NULL: none */
	size_t size;      /* of data; 0: its strlen */
	unsigned mode;    /* 0: 0644, directories 0755 */
	uint32_t uid, gid;
	int64_t mtime;
	unsigned major, minor;
};

/* One entry with a GNU header; names over 100 bytes go before it as 'L' and 'K' entries. */
void pack_add(struct buf *tar, struct pack_entry e);
#define PACK(tar, path, ...) pack_add((tar), (struct pack_entry){ .name = (path), ##__VA_ARGS__ })

/* A pax record for the next entry; n < 0: strlen(value). All records since the last entry go into one header. */
void pack_pax(struct buf *tar, const char *key, const char *value, int n);

void pack_end(struct buf *tar); /* two zero blocks */

void pack_gzip(struct buf *out, const struct buf *in); /* appends one member */
void pack_zstd(struct buf *out, const struct buf *in); /* appends one frame */

#endif
