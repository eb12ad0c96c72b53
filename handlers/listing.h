/* listing.h - List and Stream RPCs: items are made one by one, for at most 2 ms in one turn of the loop.
 *
 * A listing has the objects that exist when the call comes, each once. An object that is removed meanwhile is left out.
 * A List answers with one message. A Stream sends batches of up to 100 items or 256 KiB, and waits between them until
 * the client has taken the last batch. Every response type of both has one repeated message field. So a kind only names
 * the objects and makes one item. (ARCHITECTURE H3) */
#ifndef HANDLERS_LISTING_H
#define HANDLERS_LISTING_H

#include "handlers/rpc.h"

struct listing;

struct listing_kind {
	void (*collect)(struct listing *listing); /* calls listing_add() for every object, in order */

	/* The item of one object, in the arena. It may share strings with the object, because it is encoded at once.
	 * NULL: the object is gone, or the request's filter excludes it. */
	void *(*item)(const void *request, const char *id, struct arena *arena);

	/* Removes the fields that clients can do without. Called for the items of a List once the message has half of
	 * the size that a gRPC message may have. May be NULL. */
	void (*shrink)(void *item);
};

void listing_add(struct listing *listing, const char *id); /* copies the id */

/* request and kind are borrowed until the rpc is answered. */
void listing_reply(struct rpc *rpc, const void *request, const struct listing_kind *kind);
void listing_stream(struct rpc *rpc, const void *request, const struct listing_kind *kind);

#endif
