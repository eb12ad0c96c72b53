/* forward.c - port-forward over SPDY/3.1: each connection to a port has a pair of streams, for errors and for data.
 *
 *   pair:  HALF ---the other stream---> LINKED ---connection ended---> freed
 *            |                             |---data stream reset---> freed
 *            +---30 s---> reset, freed     +---no connection: error on the error stream, data reset---> freed
 *
 * The client's connection stays open for further pairs until the client closes it. Clients of the Go library ignore
 * SPDY's windows. So when a port does not read and 256 KiB wait for it, crispd stops reading from the client, for all
 * ports. crispd does the same when 8 MiB wait for all ports together, because one client may have 1024 pairs.
 * (ARCHITECTURE R16)
 * Waits on: the wire; the connections to the ports; a timer for each pair that is HALF.
 * Spec: portforward.k8s.io of Kubernetes: headers streamType, port, requestID. */
#include <stdlib.h>
#include <string.h>

#include "handlers/stream/clog.h"
#include "handlers/stream/request.h"
#include "handlers/stream/wire.h"
#include "procs/keeper.h"
#include "procs/portfwd.h"
#include "procs/runtime.h"
#include "procs/sandbox.h"
#include "reactor/list.h"
#include "reactor/log.h"
#include "reactor/loop.h"
#include "reactor/own.h"
#include "reactor/spdy_mux.h"

enum {
	PAIR_MS = 30000,
	PAIRS_MAX = SPDY_STREAMS_MAX / 2,
	REQUEST_ID_MAX = 64,
};

struct pair_of_streams {
	struct link link;
	struct forward *forward;
	char request_id[REQUEST_ID_MAX];
	uint32_t error, data; /* streams; 0: not made yet */
	uint16_t port;
	struct portfwd *conn; /* NULL: HALF */
	struct timer timer;
	struct port_clog clog;
	bool eof;
};

struct forward {
	struct stream_request *request;
	struct wire *wire;
	struct spdy_mux *mux;
	struct link pairs; /* of struct pair_of_streams.link */
	size_t npairs, served;
	struct clog clog; /* of all pairs */
	struct timer timer;
	bool over;
};

static void on_forward_freed(struct timer *t)
{
	struct forward *f = container_of(t, struct forward, timer);

	spdy_mux_free(f->mux);
	arena_free(f->request->arena);
	free(f);
}

/* ---- pairs ---- */

static void pair_given(struct pair_of_streams *p, size_t n)
{
	wire_pause(p->forward->wire, clog_given(&p->forward->clog, &p->clog, n));
}

static void pair_taken(struct pair_of_streams *p, size_t n)
{
	wire_pause(p->forward->wire, clog_taken(&p->forward->clog, &p->clog, n));
}

static void pair_free(struct pair_of_streams *p)
{
	pair_taken(p, p->clog.untaken);
	timer_clear(&p->timer);
	if (p->conn)
		portfwd_close(p->conn);
	list_drop(&p->link);
	p->forward->npairs--;
	free(p);
}

static struct pair_of_streams *pair_of(struct forward *f, uint32_t stream)
{
	list_each(l, &f->pairs) {
		struct pair_of_streams *p = container_of(l, struct pair_of_streams, link);

		if (p->error == stream || p->data == stream)
			return p;
	}
	return NULL;
}

static struct pair_of_streams *pair_named(struct forward *f, const char *request_id)
{
	list_each(l, &f->pairs) {
		struct pair_of_streams *p = container_of(l, struct pair_of_streams, link);

		if (!p->conn && strcmp(p->request_id, request_id) == 0)
			return p;
	}
	return NULL;
}

static void on_pair_late(struct timer *t)
{
	struct pair_of_streams *p = container_of(t, struct pair_of_streams, timer);

	spdy_mux_reset(p->forward->mux, p->error ? p->error : p->data, SPDY_CANCEL);
	pair_free(p);
}

static struct pair_of_streams *pair_new(struct forward *f, const char *request_id)
{
	struct pair_of_streams *p;

	if (f->npairs >= PAIRS_MAX)
		return NULL;
	p = new_zero(struct pair_of_streams);
	p->forward = f;
	strcpy(p->request_id, request_id);
	list_append(&f->pairs, &p->link);
	f->npairs++;
	timer_set(&p->timer, PAIR_MS, on_pair_late);
	return p;
}

/* ---- from the port ---- */

static void forward_pause_all(struct forward *f, bool paused)
{
	list_each(l, &f->pairs) {
		struct pair_of_streams *p = container_of(l, struct pair_of_streams, link);

		if (p->conn)
			portfwd_pause(p->conn, paused || spdy_mux_waiting(f->mux, p->data));
	}
}

static void on_pair_data(void *arg, const void *bytes, size_t n)
{
	struct pair_of_streams *p = arg;
	struct forward *f = p->forward;

	spdy_mux_write(f->mux, p->data, bytes, n);
	if (!wire_has_room(f->wire))
		forward_pause_all(f, true);
	else if (spdy_mux_waiting(f->mux, p->data))
		portfwd_pause(p->conn, true);
}

static void on_pair_eof(void *arg)
{
	struct pair_of_streams *p = arg;

	p->eof = true;
	spdy_mux_fin(p->forward->mux, p->data);
}

static void on_pair_taken(void *arg, size_t n)
{
	struct pair_of_streams *p = arg;

	pair_taken(p, n);
	spdy_mux_taken(p->forward->mux, p->data, n);
}

static void pair_fail(struct pair_of_streams *p, const struct err *e)
{
	struct forward *f = p->forward;
	struct arena *a = arena_new();
	const char *text =
		arena_printf(a, "error forwarding port %u to sandbox %.12s: %s", p->port, f->request->id, e->msg);

	log_info("port_forward sandbox=%.12s port=%u error=%s", f->request->id, p->port, log_quote(e->msg));
	spdy_mux_write(f->mux, p->error, text, strlen(text));
	arena_free(a);
}

/* Every end of a connection closes the error stream, because the client waits for that. */
static void on_pair_over(void *arg, const struct err *e)
{
	struct pair_of_streams *p = arg;
	struct spdy_mux *mux = p->forward->mux;

	if (e)
		pair_fail(p, e);
	spdy_mux_fin(mux, p->error);
	if (!p->eof)
		spdy_mux_reset(mux, p->data, SPDY_CANCEL);
	pair_free(p);
}

int forward_netns(const char *sandbox_id, struct err *e)
{
	const struct sandbox *s = sandbox_find(sandbox_id);
	struct arena *a;
	int fd;

	if (!s || s->state != SANDBOX_READY) {
		err_set(e, s ? ERR_FAILED_PRECONDITION : ERR_NOT_FOUND, "sandbox %.12s is %s", sandbox_id,
			s ? "not ready" : "gone");
		return FORWARD_NONE;
	}
	if (sandbox_inside(s))
		return FORWARD_INSIDE;
	if (!*s->netns_path)
		return FORWARD_HOST;
	a = arena_new();
	fd = keeper_copy(arena_printf(a, "sandbox/%s/net", s->id));
	arena_free(a);
	if (fd >= 0)
		return fd;
	err_set(e, ERR_UNAVAILABLE, "the network namespace of sandbox %.12s is lost", sandbox_id);
	return FORWARD_NONE;
}

struct portfwd *forward_connect(const char *sandbox_id, int netns, uint16_t port, const struct portfwd_events *events,
				void *arg)
{
	const struct sandbox *s = netns == FORWARD_INSIDE ? sandbox_find(sandbox_id) : NULL;

	if (s)
		return portfwd_start_inside(runtime_find(s->config.runtime_handler), s->id, port, events, arg);
	return portfwd_start(netns, port, events, arg);
}

static void pair_link(struct pair_of_streams *p)
{
	static const struct portfwd_events of_port = { on_pair_data, on_pair_eof, on_pair_taken, on_pair_over };
	struct forward *f = p->forward;
	struct err e;
	int netns = forward_netns(f->request->id, &e);

	timer_clear(&p->timer);
	if (netns == FORWARD_NONE)
		return on_pair_over(p, &e);
	f->served++;
	p->conn = forward_connect(f->request->id, netns, p->port, &of_port, p);
	portfwd_pause(p->conn, !wire_has_room(f->wire));
}

/* ---- from the client ---- */

/* Old clients send no requestID. They make the error stream first and the data stream next, as streams n and n + 2. */
static int request_id(const struct pairs *headers, uint32_t stream, bool is_data, char out[REQUEST_ID_MAX])
{
	const char *given = pairs_get(headers, "requestid");
	int n = given && *given ? snprintf(out, REQUEST_ID_MAX, "%s", given)
				: snprintf(out, REQUEST_ID_MAX, "stream %u", is_data ? stream - 2 : stream);

	return n < REQUEST_ID_MAX ? 0 : -1;
}

static int port_of(const struct pairs *headers, uint16_t *out)
{
	const char *text = pairs_get(headers, "port");
	char *end;
	long v = text ? strtol(text, &end, 10) : 0;

	if (!text || text[0] < '0' || text[0] > '9' || *end || v < 1 || v > 65535)
		return -1;
	*out = (uint16_t)v;
	return 0;
}

static int forward_add_stream(struct forward *f, uint32_t stream, const struct pairs *headers)
{
	const char *type = pairs_get(headers, "streamtype");
	bool is_data = type && strcmp(type, "data") == 0;
	char id[REQUEST_ID_MAX];
	struct pair_of_streams *p;
	uint16_t port;

	if ((!is_data && (!type || strcmp(type, "error") != 0)) || port_of(headers, &port) < 0 ||
	    request_id(headers, stream, is_data, id) < 0)
		return -1;
	p = pair_named(f, id);
	if (!p)
		p = pair_new(f, id);
	if (!p || (is_data ? p->data : p->error) || (p->port && p->port != port))
		return -1;
	*(is_data ? &p->data : &p->error) = stream;
	p->port = port;
	if (p->data && p->error)
		pair_link(p);
	return 0;
}

static void on_forward_open(void *arg, uint32_t stream, const struct pairs *headers)
{
	struct forward *f = arg;

	if (forward_add_stream(f, stream, headers) < 0)
		spdy_mux_reset(f->mux, stream, SPDY_PROTOCOL_ERROR);
}

static void on_forward_data(void *arg, uint32_t stream, const void *bytes, size_t n)
{
	struct forward *f = arg;
	struct pair_of_streams *p = pair_of(f, stream);

	if (!p || !p->conn || stream != p->data)
		return spdy_mux_taken(f->mux, stream, n);
	pair_given(p, n);
	portfwd_write(p->conn, bytes, n);
}

static void on_forward_fin(void *arg, uint32_t stream)
{
	struct pair_of_streams *p = pair_of(arg, stream);

	if (p && p->conn && p->data == stream)
		portfwd_end(p->conn);
}

static void on_forward_reset(void *arg, uint32_t stream)
{
	struct forward *f = arg;
	struct pair_of_streams *p = pair_of(f, stream);

	if (!p || p->data != stream)
		return;
	if (p->error)
		spdy_mux_fin(f->mux, p->error);
	pair_free(p);
}

static void on_forward_room(void *arg)
{
	struct forward *f = arg;

	if (wire_has_room(f->wire))
		forward_pause_all(f, false);
}

static void on_forward_stream_room(void *arg, uint32_t stream)
{
	(void)stream;
	on_forward_room(arg);
}

static void on_forward_send(void *arg, const void *p, size_t n)
{
	struct forward *f = arg;

	if (!f->over)
		wire_send(f->wire, p, n);
}

static void on_forward_gone(void *arg)
{
	struct forward *f = arg;

	if (f->over)
		return;
	log_info("stream_ended verb=port_forward sandbox=%.12s connections=%zu", f->request->id, f->served);
	f->over = true;
	while (!list_empty(&f->pairs))
		pair_free(container_of(list_first(&f->pairs), struct pair_of_streams, link));
	spdy_mux_stop(f->mux);
	wire_close(f->wire);
	timer_set(&f->timer, 0, on_forward_freed); /* not now: the mux may be the caller */
}

static void on_forward_wire_data(void *arg, const uint8_t *p, size_t n)
{
	struct forward *f = arg;
	struct err e;

	if (f->over || spdy_mux_read(f->mux, p, n, &e) == 0)
		return;
	log_info("stream_broken error=%s", log_quote(e.msg));
	on_forward_gone(f);
}

void forward_start(struct stream_request *r, struct conduit *c, const struct stream_protocol *protocol)
{
	static const struct wire_events of_wire = { on_forward_wire_data, on_forward_room, on_forward_gone };
	static const struct spdy_mux_events of_mux = { on_forward_send,       on_forward_open,         on_forward_data,
						       on_forward_fin, on_forward_reset, on_forward_stream_room };
	struct forward *f = new_zero(struct forward);

	f->request = r;
	list_init(&f->pairs);
	f->mux = spdy_mux_new(&of_mux, f);
	f->wire = wire_new(c, protocol->transport == STREAM_SPDY_IN_WS, &of_wire, f);
}
