/* forward_ws.c - port-forward over WebSocket channels, the protocol of old clients. For the i-th port of the request
 * channel 2i carries data and channel 2i + 1 errors. Each channel begins with the port's number, two bytes in
 * little-endian order. All ports are connected at the start, one connection each.
 *
 * Waits on: the channels; the connections to the ports. Spec: kubelet's package "portforward", websocket.go:
 * v4.channel.k8s.io. */
#include <stdlib.h>
#include <string.h>

#include "handlers/stream/channels.h"
#include "handlers/stream/clog.h"
#include "handlers/stream/request.h"
#include "procs/portfwd.h"
#include "reactor/list.h"
#include "reactor/log.h"
#include "reactor/loop.h"
#include "reactor/own.h"

struct port {
	struct forward_ws *forward;
	unsigned index;
	struct portfwd *conn; /* NULL: it has ended */
	struct port_clog clog;
};

struct forward_ws {
	struct stream_request *request;
	struct channels *channels;
	struct port *ports; /* request->ports.n of them */
	size_t open; /* ports */
	struct clog clog;
	struct timer timer; /* on_forward_ws_begin(), later on_forward_ws_freed() */
};

static void on_forward_ws_freed(struct timer *t)
{
	struct forward_ws *f = container_of(t, struct forward_ws, timer);

	arena_free(f->request->arena);
	free(f);
}

static void port_given(struct port *p, size_t n)
{
	channels_pause(p->forward->channels, clog_given(&p->forward->clog, &p->clog, n));
}

static void port_taken(struct port *p, size_t n)
{
	channels_pause(p->forward->channels, clog_taken(&p->forward->clog, &p->clog, n));
}

static void forward_ws_pause_all(struct forward_ws *f, bool paused)
{
	for (size_t i = 0; i < f->request->ports.n; i++)
		if (f->ports[i].conn)
			portfwd_pause(f->ports[i].conn, paused);
}

static void on_port_data(void *arg, const void *bytes, size_t n)
{
	struct port *p = arg;
	struct forward_ws *f = p->forward;

	channels_send(f->channels, 2 * p->index, bytes, n);
	if (!channels_have_room(f->channels))
		forward_ws_pause_all(f, true);
}

static void on_port_eof(void *arg)
{
	(void)arg; /* a channel cannot be closed alone in v4 */
}

static void on_port_taken(void *arg, size_t n)
{
	struct port *p = arg;

	port_taken(p, n);
}

static void on_port_over(void *arg, const struct err *e)
{
	struct port *p = arg;
	struct forward_ws *f = p->forward;

	if (e)
		channels_send(f->channels, 2 * p->index + 1, e->msg, strlen(e->msg));
	port_taken(p, p->clog.untaken);
	if (p->conn)
		portfwd_close(take_ptr(&p->conn));
	if (--f->open)
		return;
	channels_finish(f->channels);
	timer_set(&f->timer, 0, on_forward_ws_freed);
}

static void on_forward_ws_data(void *arg, unsigned channel, const void *bytes, size_t n)
{
	struct forward_ws *f = arg;
	struct port *p = channel % 2 == 0 && channel / 2 < f->request->ports.n ? &f->ports[channel / 2] : NULL;

	if (!p || !p->conn)
		return;
	port_given(p, n);
	portfwd_write(p->conn, bytes, n);
}

static void on_forward_ws_closed(void *arg, unsigned channel)
{
	(void)arg; /* only v5 closes channels; the kubelet offers v4 for port-forward */
	(void)channel;
}

static void on_forward_ws_room(void *arg)
{
	forward_ws_pause_all(arg, false);
}

static void on_forward_ws_gone(void *arg)
{
	struct forward_ws *f = arg;

	for (size_t i = 0; i < f->request->ports.n; i++)
		if (f->ports[i].conn)
			portfwd_close(take_ptr(&f->ports[i].conn));
	channels_close(f->channels);
	timer_set(&f->timer, 0, on_forward_ws_freed);
}

static void on_forward_ws_begin(struct timer *t)
{
	static const struct portfwd_events of_port = { on_port_data, on_port_eof, on_port_taken, on_port_over };
	struct forward_ws *f = container_of(t, struct forward_ws, timer);
	size_t n = f->request->ports.n;
	struct err e;
	int netns = forward_netns(f->request->id, &e);

	channels_pause(f->channels, false);
	f->open = n;
	for (size_t i = 0; i < n; i++) {
		uint16_t number = (uint16_t)f->request->ports.at[i];
		uint8_t head[2] = { (uint8_t)number, (uint8_t)(number >> 8) };

		channels_send(f->channels, 2 * (unsigned)i, head, 2);
		channels_send(f->channels, 2 * (unsigned)i + 1, head, 2);
		f->ports[i] = (struct port){ .forward = f, .index = (unsigned)i };
		if (netns != FORWARD_NONE)
			f->ports[i].conn = forward_connect(f->request->id, netns, number, &of_port, &f->ports[i]);
	}
	for (size_t i = 0; i < n && netns == FORWARD_NONE; i++)
		on_port_over(&f->ports[i], &e);
}

void forward_ws_start(struct stream_request *r, struct conduit *c, const struct stream_protocol *p)
{
	static const struct channels_events of_channels = { on_forward_ws_data, on_forward_ws_closed,
							    on_forward_ws_room, on_forward_ws_gone };
	struct forward_ws *f = new_zero(struct forward_ws);

	f->request = r;
	f->ports = arena_zalloc(r->arena, (r->ports.n + 1) * sizeof(*f->ports));
	f->channels = channels_new(c, p->transport == STREAM_WS_BASE64, false, &of_channels, f);
	channels_pause(f->channels, true);
	timer_set(&f->timer, 0, on_forward_ws_begin);
}
