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

/* One block inflated and taken apart, in the arena; z lives as long as its direction of the connection.
 * INVALID_ARGUMENT: not deflated so, over SPDY_CONTROL_MAX or SPDY_HEADERS_MAX, a name that is empty, in capitals or
 * there twice. */
int spdy_inflate(z_stream *z, const uint8_t *p, size_t n, struct arena *a, struct pairs *out, struct err *e);
void spdy_deflate(z_stream *z, const struct pairs *headers, struct buf *out);

#endif
