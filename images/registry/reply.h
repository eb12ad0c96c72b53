/* reply.h - what one HTTP answer of a registry says: the headers that matter, and why it is an error. */
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
	uint64_t range_from;    /* of 206; UINT64_MAX: it does not say */
	int64_t retry_after_ms; /* 0: not given; at most a minute */
	const char *refused;    /* a success that is of no use; static */
	struct buf body;        /* of errors, its beginning */
	uint64_t body_bytes;    /* all that came of it */
	struct arena *arena;
};

void reply_head(struct reply *r, const struct http *h, int status);
bool reply_body(struct reply *r, const void *p, size_t n); /* false: more than an error needs */
bool reply_refuse(struct reply *r, const char *why);       /* always false */
void reply_free(struct reply *r); /* leaves it empty and usable */

/* "status 404: MANIFEST_UNKNOWN: manifest unknown", "status 502: an html page". */
const char *reply_text(struct reply *r, struct arena *a);

/* Retry-After, in seconds or as a date. RFC 9110, section 10.2.3. */
int64_t retry_after_ms(const char *value, int64_t now_s);

#endif
