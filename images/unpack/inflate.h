/* inflate.h - a layer's plain bytes: from gzip (any number of members), zstd (any number of frames), or not compressed.
 *
 * The first bytes tell the format. What the media type says about it is wrong in images that are in use, and the
 * digests prove the content. Specs: RFC 1952; RFC 8878. (ARCHITECTURE I40) */
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
	/* Of the compressed and of the plain bytes; NULL: not known, only the size is checked. */
	const char *digest, *diff_id;
	uint64_t max_bytes;           /* of the plain bytes */
};

/* Borrows the strings. Nothing is read before the first inflate_peek(). */
struct inflate *inflate_open(const struct inflate_spec *spec);
void inflate_close(struct inflate *z);

/* Once, before the first inflate_peek(): a thread, confined by confine_thread(), inflates from now on, up to 1 MiB
 * ahead. INTERNAL: there is none. */
int inflate_ahead(struct inflate *z, struct err *e);

/* The next plain bytes: *p and how many, 0 at the end, -1. More is inflated only when all of them were skipped.
 * INVALID_ARGUMENT (damaged), RESOURCE_EXHAUSTED (max_bytes), DATA_LOSS, INTERNAL. */
ssize_t inflate_peek(struct inflate *z, const uint8_t **p, struct err *e);
void inflate_skip(struct inflate *z, size_t n); /* n <= what inflate_peek() returned */

/* Called here or by the tar reader for bytes that are damaged: INVALID_ARGUMENT, and inflate_blame() will check whether
 * they are the blob's bytes at all. Returns -1. (ARCHITECTURE I8) */
int inflate_damaged(struct inflate *z, struct err *e, const char *fmt, ...) __attribute__((format(printf, 3, 4)));

/* After inflate_peek() returned 0: DATA_LOSS unless size, digest and diff_id are those of the spec. Call once. */
int inflate_verify(struct inflate *z, struct err *e);

/* After a failure: if inflate_damaged() was called and the bytes do not have the blob's digest, *e becomes
 * DATA_LOSS. */
void inflate_blame(struct inflate *z, struct err *e);

#endif
