/* ttrpc.c - see ttrpc.h.
 *
 *   call:      FLYING --answer, deadline, lost connection--> done    `done` runs
 *                |
 *                +--connection closed, no call possible--> next turn: `done` runs
 *
 * Frames (big-endian): u32 length of the body, u32 stream, u8 type, u8 flags. The caller numbers its calls 1, 3, 5...;
 * answers come in any order.
 *   Request:  1 service, 2 method, 3 payload, 4 timeout in ns, 5 metadata { 1 key, 2 value }
 *   Response: 1 status { 1 code, 2 message }, 2 payload
 *
 * The memory of a connection that is closed inside its own ttrpc_feed() lives until that returns.
 * Waits on: the channel, and a timer of each call. */
#include "reactor/ttrpc.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "reactor/be32.h"
#include "reactor/buf.h"
#include "reactor/conduit.h"
#include "reactor/list.h"
#include "reactor/loop.h"
#include "reactor/own.h"
#include "reactor/protobuf.h"

enum frame_type { REQUEST = 1, RESPONSE = 2, DATA = 3 };

struct frame {
	uint32_t len, stream;
	uint8_t type, flags;
};

struct ttrpc {
	struct ttrpc_channel channel;
	struct conduit *conduit; /* of ttrpc_open_fd() */
	const struct ttrpc_events *events;
	void *arg;
	struct link calls, requests; /* of struct ttrpc_call.link, struct ttrpc_request.link */
	size_t n_calls, n_requests;
	uint32_t next_stream, last_request;
	struct buf in;
	uint64_t skip;      /* bytes of a frame over the limit that are still to come */
	bool lost, feeding, closed;
	const char *broken; /* how the peer has broken the protocol: the connection ends behind this ttrpc_feed() */
};

struct ttrpc_call {
	struct link link;
	struct ttrpc *ttrpc; /* NULL: not on its list any more */
	uint32_t stream;
	struct timer timer;
	ttrpc_done *done;
	void *arg;
	enum err_code code;  /* of a call that ends in the next turn */
	const char *why;
};

struct ttrpc_request {
	struct link link;
	struct ttrpc *ttrpc; /* NULL: the connection is gone */
	uint32_t stream;
};

/* ---- frames ---- */

static void send_frame(struct ttrpc *t, uint32_t stream, enum frame_type type, const struct buf *body)
{
	struct buf frame = { 0 };
	uint8_t *head = buf_room(&frame, TTRPC_HEAD + body->len);

	be32_put(head, (uint32_t)body->len);
	be32_put(head + 4, stream);
	head[8] = (uint8_t)type;
	head[9] = 0;
	buf_added(&frame, TTRPC_HEAD);
	buf_append(&frame, body->at, body->len);
	t->channel.send(t->channel.arg, frame.at, frame.len);
	buf_free(&frame);
}

static struct frame frame_head(const uint8_t *at)
{
	return (struct frame){ be32_get(at), be32_get(at + 4), at[8], at[9] };
}

/* ---- calls ---- */

static void call_off(struct ttrpc_call *c)
{
	if (!c->ttrpc)
		return;
	list_drop(&c->link);
	c->ttrpc->n_calls--;
	c->ttrpc = NULL;
}

void ttrpc_call_cancel(struct ttrpc_call *c)
{
	call_off(c);
	timer_clear(&c->timer);
	free(c);
}

static void call_end(struct ttrpc_call *c, const struct err *e, const uint8_t *body, size_t len)
{
	ttrpc_done *done = c->done;
	void *arg = c->arg;

	ttrpc_call_cancel(c);
	done(arg, e, body, len);
}

static void call_fail(struct ttrpc_call *c, enum err_code code, const char *why)
{
	struct err e;

	err_set(&e, code, "%s", why);
	call_end(c, &e, NULL, 0);
}

static void on_call_over(struct timer *timer)
{
	struct ttrpc_call *c = container_of(timer, struct ttrpc_call, timer);

	call_fail(c, c->code, c->why);
}

static void call_fail_later(struct ttrpc_call *c, enum err_code code, const char *why)
{
	call_off(c);
	c->code = code;
	c->why = why;
	timer_set(&c->timer, 0, on_call_over);
}

static void put_request(struct buf *out, const struct ttrpc_ask *ask)
{
	pb_put_str(out, 1, ask->service);
	pb_put_str(out, 2, ask->method);
	if (ask->len)
		pb_put_bytes(out, 3, ask->body, ask->len);
	pb_put_u64(out, 4, (uint64_t)ask->timeout_ms * 1000000);
	for (size_t i = 0; i < ask->n; i++) {
		struct buf pair = { 0 };

		pb_put_str(&pair, 1, ask->metadata[i].key);
		pb_put_str(&pair, 2, ask->metadata[i].value);
		pb_put_bytes(out, 5, pair.at, pair.len);
		buf_free(&pair);
	}
}

struct ttrpc_call *ttrpc_call(struct ttrpc *t, const struct ttrpc_ask *ask, ttrpc_done *done, void *arg)
{
	struct ttrpc_call *c = new_zero(struct ttrpc_call);
	struct buf body = { 0 };

	c->done = done;
	c->arg = arg;
	put_request(&body, ask);
	if (t->lost || t->closed)
		call_fail_later(c, ERR_UNAVAILABLE, "the connection is closed");
	else if (body.len > TTRPC_BODY_MAX)
		call_fail_later(c, ERR_RESOURCE_EXHAUSTED, "the request is over 4 MiB");
	else if (t->n_calls >= TTRPC_CALLS_MAX)
		call_fail_later(c, ERR_RESOURCE_EXHAUSTED, "too many calls wait on this connection");
	else if (t->next_stream > UINT32_MAX - 2)
		call_fail_later(c, ERR_UNAVAILABLE, "the connection has no stream number left");
	if (c->why) {
		buf_free(&body);
		return c;
	}
	c->ttrpc = t;
	c->stream = t->next_stream;
	t->next_stream += 2;
	t->n_calls++;
	list_append(&t->calls, &c->link);
	if (ask->timeout_ms) {
		c->code = ERR_DEADLINE_EXCEEDED;
		c->why = "no answer in time";
		timer_set(&c->timer, ask->timeout_ms, on_call_over);
	}
	send_frame(t, c->stream, REQUEST, &body);
	buf_free(&body);
	return c;
}

/* A code that gRPC does not know, and OK with a status, are UNKNOWN. */
static enum err_code known_code(uint64_t code)
{
	switch (code) {
#define X(name, value) case (value): return (value) ? ERR_##name : ERR_UNKNOWN;
	ERR_CODES(X)
#undef X
	}
	return ERR_UNKNOWN;
}

/* false: the status says success. */
static bool status_error(struct pb status, struct err *e)
{
	struct pb_field f;
	char text[TTRPC_ERROR_MAX + 1] = "";
	uint64_t code = 0;

	while (pb_next(&status, &f)) {
		if (f.number == 1)
			code = f.value;
		else if (f.number == 2)
			pb_copy(&f, text, sizeof(text));
	}
	if (!code && !status.bad)
		return false;
	for (char *s = text; *s; s++)
		if ((unsigned char)*s < ' ' || *s == 0x7f)
			*s = ' ';
	err_set(e, known_code(code), "%s", text[0] ? text : "an error without a text");
	return true;
}

static void take_response(struct ttrpc_call *c, const uint8_t *body, size_t len)
{
	struct pb r = pb_from(body, len);
	struct pb_field f, payload = { 0 };
	struct err e;
	bool failed = false;

	while (pb_next(&r, &f)) {
		if (f.number == 1)
			failed = status_error(pb_inside(&f), &e);
		else if (f.number == 2)
			payload = f;
	}
	if (r.bad)
		call_fail(c, ERR_INTERNAL, "the answer is malformed");
	else
		call_end(c, failed ? &e : NULL, failed ? NULL : payload.bytes, failed ? 0 : payload.len);
}

static struct ttrpc_call *call_of(struct ttrpc *t, uint32_t stream)
{
	list_each(it, &t->calls) {
		struct ttrpc_call *c = container_of(it, struct ttrpc_call, link);

		if (c->stream == stream)
			return c;
	}
	return NULL;
}

/* ---- requests ---- */

static void request_free(struct ttrpc_request *r)
{
	if (r->ttrpc) {
		list_drop(&r->link);
		r->ttrpc->n_requests--;
	}
	free(r);
}

static void send_status(struct ttrpc *t, uint32_t stream, enum err_code code, const char *text)
{
	struct buf status = { 0 }, body = { 0 };

	pb_put_u64(&status, 1, code);
	pb_put_str(&status, 2, text);
	pb_put_bytes(&body, 1, status.at, status.len);
	send_frame(t, stream, RESPONSE, &body);
	buf_free(&status);
	buf_free(&body);
}

void ttrpc_fail(struct ttrpc_request *r, const struct err *e)
{
	if (r->ttrpc && !r->ttrpc->lost)
		send_status(r->ttrpc, r->stream, e->code, e->msg);
	request_free(r);
}

void ttrpc_reply(struct ttrpc_request *r, const void *payload, size_t len)
{
	struct buf body = { 0 };

	if (len)
		pb_put_bytes(&body, 2, payload, len);
	if (r->ttrpc && !r->ttrpc->lost) {
		if (body.len > TTRPC_BODY_MAX)
			send_status(r->ttrpc, r->stream, ERR_RESOURCE_EXHAUSTED, "the answer is over 4 MiB");
		else
			send_frame(r->ttrpc, r->stream, RESPONSE, &body);
	}
	buf_free(&body);
	request_free(r);
}

static void serve(struct ttrpc *t, uint32_t stream, const uint8_t *body, size_t len)
{
	char service[TTRPC_NAME_MAX + 1] = "", method[TTRPC_NAME_MAX + 1] = "";
	struct pb r = pb_from(body, len);
	struct pb_field f, payload = { 0 };
	struct ttrpc_request *request;
	bool fits = true;

	while (pb_next(&r, &f)) {
		if (f.number == 1)
			fits &= pb_copy(&f, service, sizeof(service));
		else if (f.number == 2)
			fits &= pb_copy(&f, method, sizeof(method));
		else if (f.number == 3)
			payload = f;
	}
	if (r.bad || !fits)
		return send_status(t, stream, ERR_INVALID_ARGUMENT, "the request is malformed");
	request = new_zero(struct ttrpc_request);
	request->ttrpc = t;
	request->stream = stream;
	list_append(&t->requests, &request->link);
	t->n_requests++;
	t->events->serve(t->arg, request, service, method, payload.bytes, payload.len);
}

static void take_request(struct ttrpc *t, const struct frame *f, const uint8_t *body)
{
	if (f->stream % 2 == 0 || f->stream <= t->last_request)
		return send_status(t, f->stream, ERR_INVALID_ARGUMENT, "streams have odd numbers that increase");
	t->last_request = f->stream;
	if (!t->events->serve)
		send_status(t, f->stream, ERR_UNIMPLEMENTED, "nothing is served on this connection");
	else if (f->flags)
		send_status(t, f->stream, ERR_UNIMPLEMENTED, "there is no method with a stream");
	else if (!body)
		send_status(t, f->stream, ERR_RESOURCE_EXHAUSTED, "the request is over 4 MiB");
	else if (t->n_requests >= TTRPC_REQUESTS_MAX)
		send_status(t, f->stream, ERR_RESOURCE_EXHAUSTED, "too many requests wait for an answer");
	else
		serve(t, f->stream, body, f->len);
}

/* body NULL: it is over the limit. Data of streams that this end has refused, and answers to calls that were
 * cancelled, are dropped. */
static void take_frame(struct ttrpc *t, const struct frame *f, const uint8_t *body)
{
	struct ttrpc_call *c;

	if (f->type == REQUEST)
		return take_request(t, f, body);
	c = call_of(t, f->stream);
	if (!c)
		return;
	if (f->type == DATA)
		call_fail(c, ERR_INTERNAL, "a stream came instead of an answer");
	else if (!body)
		call_fail(c, ERR_INTERNAL, "the answer is over 4 MiB");
	else
		take_response(c, body, f->len);
}

/* ---- the connection ---- */

struct ttrpc *ttrpc_open(const struct ttrpc_channel *channel, const struct ttrpc_events *events, void *arg)
{
	struct ttrpc *t = new_zero(struct ttrpc);

	t->channel = *channel;
	t->events = events;
	t->arg = arg;
	t->next_stream = 1;
	list_init(&t->calls);
	list_init(&t->requests);
	return t;
}

static void requests_orphan(struct ttrpc *t)
{
	list_each(it, &t->requests) {
		list_drop(it);
		container_of(it, struct ttrpc_request, link)->ttrpc = NULL;
	}
	t->n_requests = 0;
}

static void ttrpc_free(struct ttrpc *t)
{
	buf_free(&t->in);
	free(t);
}

void ttrpc_close(struct ttrpc *t)
{
	t->closed = true;
	requests_orphan(t);
	list_each(it, &t->calls)
		call_fail_later(container_of(it, struct ttrpc_call, link), ERR_CANCELLED, "the connection was closed");
	if (t->conduit)
		conduit_close(t->conduit);
	if (!t->feeding)
		ttrpc_free(t);
}

/* Ends with the memory of `t` when it was closed meanwhile. */
static void ttrpc_lost(struct ttrpc *t, const char *why)
{
	struct err e;

	t->lost = true;
	t->feeding = true;
	requests_orphan(t);
	while (!t->closed && !list_empty(&t->calls))
		call_fail(container_of(list_first(&t->calls), struct ttrpc_call, link), ERR_UNAVAILABLE, why);
	err_set(&e, ERR_UNAVAILABLE, "%s", why);
	if (!t->closed)
		t->events->gone(t->arg, &e);
	t->feeding = false;
	if (t->closed)
		ttrpc_free(t);
}

void ttrpc_channel_gone(struct ttrpc *t)
{
	if (!t->lost)
		ttrpc_lost(t, "the connection was closed by the other end");
}

/* Takes one frame from the front of t->in; false: it is not whole. */
static bool next_frame(struct ttrpc *t)
{
	struct frame f;

	if (t->in.len < TTRPC_HEAD)
		return false;
	f = frame_head(t->in.at);
	if (f.type < REQUEST || f.type > DATA)
		t->broken = "the other end sent a frame of an unknown type";
	else if (f.len > TTRPC_FRAME_MAX)
		t->broken = "the other end sent a frame of more than 64 MiB";
	if (t->broken) {
		t->lost = true;
		return false;
	}
	if (f.len > TTRPC_BODY_MAX) {
		take_frame(t, &f, NULL);
		t->skip = f.len;
		buf_consume(&t->in, TTRPC_HEAD);
		return true;
	}
	if (t->in.len - TTRPC_HEAD < f.len)
		return false;
	take_frame(t, &f, t->in.at + TTRPC_HEAD);
	buf_consume(&t->in, TTRPC_HEAD + f.len);
	return true;
}

static void pass_over(struct ttrpc *t)
{
	size_t n = t->skip < t->in.len ? (size_t)t->skip : t->in.len;

	if (!n)
		return;
	t->skip -= n;
	buf_consume(&t->in, n);
}

void ttrpc_feed(struct ttrpc *t, const void *bytes, size_t len)
{
	if (t->lost)
		return;
	t->feeding = true;
	buf_append(&t->in, bytes, len);
	do
		pass_over(t);
	while (!t->closed && !t->lost && next_frame(t));
	t->feeding = false;
	if (t->closed)
		ttrpc_free(t);
	else if (t->lost)
		ttrpc_lost(t, t->broken);
}

/* ---- on a socket ---- */

static void on_socket_data(void *arg, uint8_t *bytes, size_t len)
{
	ttrpc_feed(arg, bytes, len);
}

static void on_socket_room(void *arg)
{
	(void)arg;
}

static void on_socket_gone(void *arg)
{
	ttrpc_channel_gone(arg);
}

static void to_socket(void *arg, const void *bytes, size_t len)
{
	conduit_send(arg, bytes, len);
}

struct ttrpc *ttrpc_open_fd(int fd, const struct ttrpc_events *events, void *arg)
{
	static const struct conduit_events socket_events = { on_socket_data, on_socket_room, on_socket_gone };
	struct conduit *conduit = conduit_new(fd, NULL, 0);
	struct ttrpc *t = ttrpc_open(&(struct ttrpc_channel){ to_socket, conduit }, events, arg);

	t->conduit = conduit;
	conduit_listen(conduit, &socket_events, t);
	return t;
}
