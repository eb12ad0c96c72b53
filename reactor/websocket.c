/* websocket.c - see websocket.h. */
#include "reactor/websocket.h"

#include <stdlib.h>

#include "reactor/list.h"
#include "reactor/log.h"
#include "reactor/loop.h"
#include "reactor/own.h"

struct websocket {
	struct conduit *conduit;
	struct ws_reader reader;
	bool ended; /* a CLOSE was sent or received: no further message is sent */
	const struct websocket_events *events; /* NULL: the user has ended it, or `gone` has run */
	void *arg;
	struct timer timer; /* frees it in the next turn: the user may end it inside an event */
};

static void websocket_send_all(struct websocket *w, struct buf *b)
{
	conduit_send(w->conduit, b->at, b->len);
	buf_free(b);
}

void websocket_send(struct websocket *w, enum ws_opcode opcode, const void *p, size_t n)
{
	struct buf out = { 0 };

	if (w->ended)
		return;
	ws_put(&out, opcode, p, n);
	websocket_send_all(w, &out);
}

static void websocket_send_close(struct websocket *w, enum ws_close code, const char *reason)
{
	struct buf out = { 0 };

	if (!w->ended) {
		ws_put_close(&out, code, reason);
		websocket_send_all(w, &out);
	}
	w->ended = true;
	ws_reader_stop(&w->reader);
}

static void websocket_tell_gone(struct websocket *w)
{
	const struct websocket_events *events = w->events;

	w->events = NULL;
	if (events)
		events->gone(w->arg);
}

static void on_websocket_piece(void *arg, const struct ws_piece *p)
{
	struct websocket *w = arg;

	switch (p->opcode) {
	case WS_PING:
		return websocket_send(w, WS_PONG, p->data, p->len);
	case WS_CLOSE:
		websocket_send_close(w, WS_NORMAL, "");
		return websocket_tell_gone(w);
	case WS_TEXT:
	case WS_BINARY:
		if (w->events)
			w->events->piece(w->arg, p);
		return;
	case WS_PONG:
	case WS_CONTINUATION:
		return;
	}
}

static void on_websocket_data(void *arg, uint8_t *p, size_t n)
{
	struct websocket *w = arg;
	struct err e;

	if (ws_read(&w->reader, p, n, on_websocket_piece, w, &e) == 0)
		return;
	log_info("websocket broken error=%s", log_quote(e.msg));
	websocket_send_close(w, WS_PROTOCOL_ERROR, e.msg);
	websocket_tell_gone(w);
}

static void on_websocket_room(void *arg)
{
	struct websocket *w = arg;

	if (w->events)
		w->events->room(w->arg);
}

static void on_websocket_gone(void *arg)
{
	websocket_tell_gone(arg);
}

struct websocket *websocket_new(struct conduit *c, const struct websocket_events *events, void *arg)
{
	static const struct conduit_events of_conduit = { on_websocket_data, on_websocket_room, on_websocket_gone };
	struct websocket *w = new_zero(struct websocket);

	w->conduit = c;
	w->events = events;
	w->arg = arg;
	conduit_listen(c, &of_conduit, w);
	return w;
}

struct conduit *websocket_conduit(struct websocket *w)
{
	return w->conduit;
}

static void on_websocket_freed(struct timer *t)
{
	free(container_of(t, struct websocket, timer));
}

static void websocket_let_go(struct websocket *w)
{
	w->events = NULL;
	ws_reader_stop(&w->reader);
	timer_set(&w->timer, 0, on_websocket_freed);
}

void websocket_finish(struct websocket *w, enum ws_close code, const char *reason)
{
	websocket_send_close(w, code, reason);
	conduit_finish(w->conduit);
	websocket_let_go(w);
}

void websocket_close(struct websocket *w)
{
	if (w->ended) /* the answer to the peer's CLOSE may still be in the queue */
		conduit_finish(w->conduit);
	else
		conduit_close(w->conduit);
	websocket_let_go(w);
}
