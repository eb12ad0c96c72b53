/* listing.h - List and Stream RPCs: item by item, a few milliseconds of them in one turn of the loop.
 *
 * What there is when the call comes is listed, each object once; one that goes meanwhile is left out. A List answers
 * with one message. A Stream sends batches of some hundred KiB and waits for the reader between them. Every response
 * type of both has one repeated message field, so the kind only says which objects there are and makes one item. */
#ifndef HANDLERS_LISTING_H
#define HANDLERS_LISTING_H

#include "handlers/rpc.h"

struct listing;

struct listing_kind {
	void (*collect)(struct listing *l); /* calls listing_add() for every object, in order */

	/* The item of one object, in the arena, sharing what it likes with the object: it is encoded at once. NULL: it
	 * is gone, or the request's filter does not let it pass. */
	void *(*item)(const void *request, const char *id, struct arena *a);

	/* NULL, or leaves out what clients can do without: used for the items of a List beyond half of what a message
	 * may have. */
	void (*shrink)(void *item);
};

void listing_add(struct listing *l, const char *id); /* borrows nothing */

/* request and kind live as long as the rpc. */
void listing_reply(struct rpc *r, const void *request, const struct listing_kind *kind);
void listing_stream(struct rpc *r, const void *request, const struct listing_kind *kind);

#endif
