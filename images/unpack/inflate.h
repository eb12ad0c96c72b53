/* inflate.h - a layer's plain bytes, from gzip (any number of members), zstd (any number of frames) or plain.
 *
 * What the bytes are is read off their first bytes and must be what the media type says.
 * Specs: RFC 1952; RFC 8878; OCI image-spec layer.md "+gzip", "+zstd"; Docker's names for the same. */
#ifndef IMAGES_UNPACK_INFLATE_H
#define IMAGES_UNPACK_INFLATE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "images/unpack/input.h"
#include "reactor/err.h"

struct inflate;

struct inflate_spec {
	struct input_spec source;
	const char *media_type;       /* NULL: not said, the bytes decide */
	const char *digest, *diff_id; /* as compressed, as plain; NULL: not known, the size alone is verified */
	uint64_t max_bytes;           /* plain */
};

/* Borrows the strings. Nothing is read before the first inflate_peek(). */
struct inflate *inflate_open(const struct inflate_spec *spec);
void inflate_close(struct inflate *z);

/* The plain bytes that come next: *p and how many, 0 at the end, -1. Only when all were skipped is more inflated.
 * INVALID_ARGUMENT (damaged, or not what the media type says), RESOURCE_EXHAUSTED (max_bytes), DATA_LOSS, INTERNAL. */
ssize_t inflate_peek(struct inflate *z, const uint8_t **p, struct err *e);
void inflate_skip(struct inflate *z, size_t n); /* n <= what inflate_peek() returned */

/* The bytes make no sense, here or to the tar reader: INVALID_ARGUMENT, and inflate_blame() will look whether they
 * are the right ones at all. Returns -1. */
int inflate_damaged(struct inflate *z, struct err *e, const char *fmt, ...) __attribute__((format(printf, 3, 4)));

/* After inflate_peek() returned 0: DATA_LOSS unless size, digest and diff_id are the ones of the spec. Call once. */
int inflate_verify(struct inflate *z, struct err *e);

/* After a failure: bytes that made no sense because they are not the blob's become DATA_LOSS in *e. */
void inflate_blame(struct inflate *z, struct err *e);

#endif
