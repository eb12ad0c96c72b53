/* wire.c - see wire.h. */
#include "handlers/stream/wire.h"

#include <stdlib.h>

#include "reactor/list.h"
#include "reactor/loop.h"
#include "reactor/own.h"
#include "reactor/websocket.h"

struct wire {
	struct conduit *conduit; /* owned by the websocket where there is one */
	struct websocket *websocket;
	const struct wire_events *events;
	void *arg;
	struct timer timer; /* frees the struct: its owner may close it inside an event */
};

static void on_wire_data(void *arg, uint8_t *p, size_t n)
{
	struct wire *w = arg;

	w->events->data(w->arg, p, n);
}

static void on_wire_piece(void *arg, const struct ws_piece *p)
{
	struct wire *w = arg;

	if (p->len)
		w->events->data(w->arg, p->data, p->len);
}

static void on_wire_room(void *arg)
{
	struct wire *w = arg;

	w->events->room(w->arg);
}

static void on_wire_gone(void *arg)
{
	struct wire *w = arg;

	w->events->gone(w->arg);
}

struct wire *wire_new(struct conduit *c, bool in_websocket, const struct wire_events *events, void *arg)
{
	static const struct conduit_events of_conduit = { on_wire_data, on_wire_room, on_wire_gone };
	static const struct websocket_events of_websocket = { on_wire_piece, on_wire_room, on_wire_gone };
	struct wire *w = new_zero(struct wire);

	w->conduit = c;
	w->events = events;
	w->arg = arg;
	if (in_websocket)
		w->websocket = websocket_new(c, &of_websocket, w);
	else
		conduit_listen(c, &of_conduit, w);
	return w;
}

void wire_send(struct wire *w, const void *p, size_t n)
{
	if (w->websocket)
		websocket_send(w->websocket, WS_BINARY, p, n);
	else
		conduit_send(w->conduit, p, n);
}

bool wire_has_room(const struct wire *w)
{
	return conduit_has_room(w->conduit);
}

void wire_pause(struct wire *w, bool paused)
{
	conduit_pause(w->conduit, paused);
}

static void on_wire_freed(struct timer *t)
{
	free(container_of(t, struct wire, timer));
}

void wire_finish(struct wire *w)
{
	if (w->websocket)
		websocket_finish(w->websocket, WS_NORMAL, "");
	else
		conduit_finish(w->conduit);
	timer_set(&w->timer, 0, on_wire_freed);
}

void wire_close(struct wire *w)
{
	if (w->websocket)
		websocket_close(w->websocket);
	else
		conduit_close(w->conduit);
	timer_set(&w->timer, 0, on_wire_freed);
}
