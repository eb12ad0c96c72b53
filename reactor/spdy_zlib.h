/* spdy_zlib.h - SPDY header blocks: name and value pairs, deflated against the protocol's dictionary. For spdy.c
 * only. */
#ifndef REACTOR_SPDY_ZLIB_H
#define REACTOR_SPDY_ZLIB_H

#include <zlib.h>

#include "reactor/arena.h"
#include "reactor/buf.h"
#include "reactor/err.h"
#include "reactor/fields.h"

/* The dictionary of section 2.6.10.1, made at the first call. */
const Bytef *spdy_dictionary(size_t *len);

/* Inflates one block and splits it into pairs, in the arena; the stream lives as long as its direction of the
 * connection. INVALID_ARGUMENT: the block is not such a stream's, is over SPDY_PLAIN_MAX or SPDY_HEADERS_MAX, or has
 * a name that is empty, not in lower case, or repeated. */
int spdy_inflate(z_stream *stream, const uint8_t *bytes, size_t len, struct arena *arena, struct pairs *out,
		 struct err *e);
void spdy_deflate(z_stream *stream, const struct pairs *headers, struct buf *out);

#endif
