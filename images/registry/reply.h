/* reply.h - one HTTP answer of a registry: the headers that are used, and the text of an error. */
#ifndef IMAGES_REGISTRY_REPLY_H
#define IMAGES_REGISTRY_REPLY_H

#include <stdbool.h>
#include <stdint.h>

#include "reactor/arena.h"
#include "reactor/buf.h"

struct http;

struct reply {
	int status;
	const char *content_type, *digest, *location, *challenge; /* "" where absent */
	/* Content-Range of a status 206: the first byte, the last one, the size of the whole. UINT64_MAX: it is missing
	 * or malformed; range_of also where it is not told. */
	uint64_t range_from, range_to, range_of;
	int64_t retry_after_ms; /* 0: not given; at most a minute */
	const char *refused;    /* why a success is not usable; a string literal */
	struct buf body;        /* of an error: its beginning */
	uint64_t body_bytes;    /* how many bytes of it arrived */
	struct arena *arena;
};

void reply_head(struct reply *reply, const struct http *http, int status);
bool reply_body(struct reply *reply, const void *p, size_t n); /* false: the body is too long for an error */
bool reply_refuse(struct reply *reply, const char *why);       /* returns false */
void reply_free(struct reply *reply); /* leaves it empty and usable */

/* "status 404: MANIFEST_UNKNOWN: manifest unknown", "status 502: an html page". */
const char *reply_text(struct reply *reply, struct arena *arena);

/* Retry-After, in seconds or as a date. RFC 9110, section 10.2.3. */
int64_t retry_after_ms(const char *value, int64_t now_s);

#endif
