/* ranges.h - the rest of one blob, by one request or by several requests at once for parts of it.
 *
 * A blob longer than images_config()->split_bytes is asked for in parts of half of that, and by a second request only
 * when the first part came as a part with the size that the blob must have. Whatever is odd later (a failure, a host
 * that answers with the whole blob) ends the parts: one request fetches all bytes from the first missing one on.
 * (ARCHITECTURE I58)
 * Specs: OCI distribution-spec "Pulling blobs"; RFC 9110, section 14. */
#ifndef IMAGES_PULL_RANGES_H
#define IMAGES_PULL_RANGES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "images/manifest.h"
#include "images/registry.h"
#include "reactor/err.h"

struct ranges; /* gone once `done` ran or ranges_cancel() returned */

struct ranges_events {
	/* n bytes of the blob at `offset`. Parts come in any order, each of them in its own. false: none was taken, and
	 * their transfer pauses until ranges_resume(). No ranges_cancel() inside. */
	bool (*put)(void *arg, uint64_t offset, const void *p, size_t n);
	/* All bytes before `have` were put. */
	void (*reached)(void *arg, uint64_t have);
	/* e NULL: complete, or the registry says so: compare the bytes with the size. Errors: of registry.h.
	 * parted: some bytes came by several requests. */
	void (*done)(void *arg, const struct err *e, bool parted);
	void *arg;
};

/* Fetches the blob from byte `have` on. split: several requests are allowed. `from` and `blob` are borrowed until the
 * end. No event runs inside the call. */
struct ranges *ranges_start(struct registry *from, const struct descriptor *blob, uint64_t have, bool split,
			    const struct ranges_events *events);
void ranges_resume(struct ranges *ranges); /* after put() returned false: all transfers go on */
void ranges_join(struct ranges *ranges);   /* ends the parts in the next turn: the rest comes in one piece */
bool ranges_joined(const struct ranges *ranges);
void ranges_cancel(struct ranges *ranges);

#endif
