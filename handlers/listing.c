/* listing.c - see listing.h.
 *
 *   ITEMS ---all made---> answered
 *    ^ |
 *    | +---2 ms of this turn are used---> the next turn -----------+
 *    | +---a batch was sent (Stream)----> the client took it ------+
 *    +-------------------------------------------------------------+
 *
 * When the client leaves, the listing ends with CANCELLED. Waits on: the loop's next turn; the client. */
#include "handlers/listing.h"

#include <stdlib.h>
#include <string.h>

#include "reactor/buf.h"
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
	struct buf out; /* the encoded message so far: objects may be removed before it is sent */
	size_t n_items;
};

static void listing_run(struct listing *l);

static void listing_free(struct listing *l)
{
	timer_clear(&l->timer);
	for (size_t i = 0; i < l->n_ids; i++)
		free(l->ids[i]);
	free(l->ids);
	buf_free(&l->out);
	free(l);
}

void listing_add(struct listing *l, const char *id)
{
	/* The room doubles, so that a list of n ids is reallocated log n times. */
	if ((l->n_ids & (l->n_ids - 1)) == 0)
		l->ids = own_must(realloc(l->ids, (l->n_ids ? 2 * l->n_ids : 1) * sizeof(*l->ids)));
	l->ids[l->n_ids++] = own_must(strdup(id));
}

static void listing_send_batch(struct listing *l)
{
	if (l->n_items)
		rpc_send_packed(l->rpc, l->out.at, l->out.len);
	l->n_items = 0;
	buf_consume(&l->out, l->out.len);
}

static void listing_finish(struct listing *l)
{
	struct rpc *r = l->rpc;

	if (l->stream) {
		listing_send_batch(l);
		rpc_finish(r);
	} else {
		rpc_reply_packed(r, l->out.at, l->out.len);
	}
	listing_free(l);
}

/* Appends one element of the response's only field: key with wire type 2, length, message (protobuf.dev, Encoding). */
static void listing_encode(struct listing *l, const ProtobufCMessage *item)
{
	const ProtobufCFieldDescriptor *field = &rpc_output(l->rpc)->fields[0];
	size_t size = protobuf_c_message_get_packed_size(item);
	uint8_t *at = buf_room(&l->out, 16 + size), *end = at;

	assert(field->label == PROTOBUF_C_LABEL_REPEATED && field->descriptor == item->descriptor && field->id < 16);
	*end++ = (uint8_t)(field->id << 3 | 2);
	for (size_t n = size; ; n >>= 7) {
		*end++ = (uint8_t)(n < 0x80 ? n : n | 0x80);
		if (n < 0x80)
			break;
	}
	protobuf_c_message_pack(item, end);
	buf_added(&l->out, (size_t)(end - at) + size);
	l->n_items++;
}

static void listing_take_one(struct listing *l)
{
	struct arena *a = arena_new();
	ProtobufCMessage *item = l->kind->item(l->request, l->ids[l->next++], a);

	if (item && !l->stream && l->out.len > SHRINK_BYTES && l->kind->shrink)
		l->kind->shrink(item);
	if (item)
		listing_encode(l, item);
	arena_free(a);
}

static void on_listing_turn(struct timer *t)
{
	listing_run(container_of(t, struct listing, timer));
}

static void on_listing_space(void *arg)
{
	listing_run(arg);
}

static void listing_run(struct listing *l)
{
	int64_t until_ns = loop_mono_ns() + SLICE_NS;

	while (l->next < l->n_ids) {
		listing_take_one(l);
		if (l->stream && (l->n_items >= BATCH_ITEMS || l->out.len >= BATCH_BYTES)) {
			listing_send_batch(l);
			return rpc_on_space(l->rpc, on_listing_space, l);
		}
		if (loop_mono_ns() > until_ns && l->next < l->n_ids)
			return timer_set(&l->timer, 0, on_listing_turn);
	}
	listing_finish(l);
}

static void on_listing_client_gone(void *arg)
{
	struct listing *l = arg;
	struct err e;

	err_set(&e, ERR_CANCELLED, "the client left");
	rpc_fail(l->rpc, &e);
	listing_free(l);
}

static void listing_start(struct rpc *r, const void *request, const struct listing_kind *kind, bool stream)
{
	struct listing *l = new_zero(struct listing);

	l->rpc = r;
	l->request = request;
	l->kind = kind;
	l->stream = stream;
	kind->collect(l);
	rpc_on_gone(r, on_listing_client_gone, l);
	listing_run(l);
}

void listing_reply(struct rpc *r, const void *request, const struct listing_kind *kind)
{
	listing_start(r, request, kind, false);
}

void listing_stream(struct rpc *r, const void *request, const struct listing_kind *kind)
{
	listing_start(r, request, kind, true);
}
