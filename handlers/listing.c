/* listing.c - see listing.h.
 *
 *   ITEMS ---all made---> answered
 *     |  ^
 *     v  |  a slice of a turn is used up: the next turn; a batch is not yet taken (Stream): space
 *
 * Waits on: the next turn, the reader. The client's leaving ends it. */
#include "handlers/listing.h"

#include <stdlib.h>
#include <string.h>

#include "reactor/list.h"
#include "reactor/loop.h"
#include "reactor/own.h"

enum { SLICE_NS = 2000000, BATCH_ITEMS = 100, BATCH_BYTES = 256 << 10, SHRINK_BYTES = GRPC_MESSAGE_MAX / 2 };

struct listing {
	struct rpc *rpc;
	const void *request;
	const struct listing_kind *kind;
	bool stream;
	struct timer timer;
	char **ids; /* owned, and each of them */
	size_t n_ids, next;
	ProtobufCMessage **items; /* of the message being filled; owned, what they point at is the arena's */
	size_t n_items, bytes;
	struct arena *batch; /* NULL: a List, whose items live as long as the rpc */
};

static void run(struct listing *l);

static void listing_free(struct listing *l)
{
	timer_clear(&l->timer);
	for (size_t i = 0; i < l->n_ids; i++)
		free(l->ids[i]);
	free(l->ids);
	free(l->items);
	arena_free(l->batch);
	free(l);
}

void listing_add(struct listing *l, const char *id)
{
	/* Powers of two: a reallocation for each would be as many as objects. */
	if ((l->n_ids & (l->n_ids - 1)) == 0)
		l->ids = own_must(realloc(l->ids, (l->n_ids ? 2 * l->n_ids : 1) * sizeof(*l->ids)));
	l->ids[l->n_ids++] = own_must(strdup(id));
}

/* The response with its one field set to the items. */
static void *message(struct listing *l)
{
	const ProtobufCMessageDescriptor *type = rpc_output(l->rpc);
	const ProtobufCFieldDescriptor *field = &type->fields[0];
	char *m = arena_zalloc(l->batch ? l->batch : rpc_arena(l->rpc), type->sizeof_message);

	assert(type->n_fields == 1 && field->label == PROTOBUF_C_LABEL_REPEATED && field->type == PROTOBUF_C_TYPE_MESSAGE);
	protobuf_c_message_init(type, m);
	*(size_t *)(m + field->quantifier_offset) = l->n_items;
	*(ProtobufCMessage ***)(m + field->offset) = l->items;
	return m;
}

static void send_batch(struct listing *l)
{
	if (l->n_items)
		rpc_send(l->rpc, message(l));
	l->n_items = l->bytes = 0;
	arena_free(l->batch);
	l->batch = arena_new();
}

static void finish(struct listing *l)
{
	struct rpc *r = l->rpc;

	if (l->stream) {
		send_batch(l);
		rpc_finish(r);
	} else {
		rpc_reply(r, message(l));
	}
	listing_free(l);
}

static void take_one(struct listing *l)
{
	struct arena *a = l->batch ? l->batch : rpc_arena(l->rpc);
	ProtobufCMessage *item = l->kind->item(l->request, l->ids[l->next++], a);

	if (!item)
		return;
	if (!l->stream && l->bytes > SHRINK_BYTES && l->kind->shrink)
		l->kind->shrink(item);
	l->bytes += protobuf_c_message_get_packed_size(item);
	l->items[l->n_items++] = item;
}

static void on_turn(struct timer *t)
{
	run(container_of(t, struct listing, timer));
}

static void on_space(void *arg)
{
	run(arg);
}

static void run(struct listing *l)
{
	int64_t until_ns = loop_mono_ns() + SLICE_NS;

	while (l->next < l->n_ids) {
		take_one(l);
		if (l->stream && (l->n_items >= BATCH_ITEMS || l->bytes >= BATCH_BYTES)) {
			send_batch(l);
			return rpc_on_space(l->rpc, on_space, l);
		}
		if (loop_mono_ns() > until_ns && l->next < l->n_ids)
			return timer_set(&l->timer, 0, on_turn);
	}
	finish(l);
}

static void on_client_gone(void *arg)
{
	struct listing *l = arg;
	struct err e;

	err_set(&e, ERR_CANCELLED, "the client left");
	rpc_fail(l->rpc, &e);
	listing_free(l);
}

static void start(struct rpc *r, const void *request, const struct listing_kind *kind, bool stream)
{
	struct listing *l = new_zero(struct listing);

	l->rpc = r;
	l->request = request;
	l->kind = kind;
	l->stream = stream;
	l->batch = stream ? arena_new() : NULL;
	kind->collect(l);
	l->items = own_must(calloc(l->n_ids + 1, sizeof(*l->items)));
	rpc_on_gone(r, on_client_gone, l);
	run(l);
}

void listing_reply(struct rpc *r, const void *request, const struct listing_kind *kind)
{
	start(r, request, kind, false);
}

void listing_stream(struct rpc *r, const void *request, const struct listing_kind *kind)
{
	start(r, request, kind, true);
}
