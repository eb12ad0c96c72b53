/* grpc.c - see grpc.h. Listeners and connections; streams are in grpc_call.c, bytes in grpc_session.c.
 *
 * Waits on: the listening fds, or a timer while no fd number is free. Connections wait in grpc_session.c. */
#include "reactor/grpc.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "reactor/acceptor.h"
#include "reactor/grpc_call.h"
#include "reactor/listen.h"
#include "reactor/log.h"
#include "reactor/own.h"

enum {
	STREAM_WINDOW = 1 << 20,    /* bytes that a client may send on one call before they are read */
	CONN_WINDOW = 4 << 20,      /* the same for all calls of a connection together */
	CONN_OUT_MAX = 32 << 20,    /* over this many bytes of unread answers the next requests wait too */
	/* A client that gives up resets all its open streams, and may do so twice in a row. A flood of resets goes on
	 * and exceeds this. (ARCHITECTURE R5) */
	RESET_BURST = 2 * GRPC_STREAMS_MAX,
	RESET_PER_S = 1000,
	/* One read can bring 3855 PINGs of 17 bytes, which are answered after it. nghttp2's default limit of 1000 would
	 * end the connection of a correct peer. (ARCHITECTURE R6) */
	QUEUE_MAX = 8192,
	ACKS_MAX = 2 * QUEUE_MAX,
	DISPATCH_SLICE_NS = 2000000, /* one connection starts requests for this long in one half of a turn */
};

struct listener {
	struct link link;
	struct grpc_server *server;
	int fd;
	char *address;
	struct acceptor acceptor;
};

struct grpc_server {
	grpc_fn *fn;
	void *arg;
	nghttp2_session_callbacks *callbacks;
	nghttp2_option *options;
	struct link listeners; /* of struct listener.link */
	struct link conns;     /* of struct grpc_conn.link */
	uint64_t connections;
	int port;
	bool draining, freeing;
	void (*drained)(void *arg);
	void *drained_arg;
	struct timer drained_timer;
};

/* ---- frames: nghttp2's callbacks ---- */

static struct grpc_call *call_of(nghttp2_session *h2, int32_t stream)
{
	return nghttp2_session_get_stream_user_data(h2, stream);
}

static int on_grpc_begin_headers(nghttp2_session *h2, const nghttp2_frame *f, void *arg)
{
	if (f->hd.type == NGHTTP2_HEADERS && f->headers.cat == NGHTTP2_HCAT_REQUEST)
		nghttp2_session_set_stream_user_data(h2, f->hd.stream_id, grpc_call_new(arg, f->hd.stream_id));
	return 0;
}

static int on_grpc_header(nghttp2_session *h2, const nghttp2_frame *f, const uint8_t *name, size_t name_len,
			  const uint8_t *value, size_t len, uint8_t flags, void *arg)
{
	struct grpc_call *c = call_of(h2, f->hd.stream_id);

	(void)flags;
	(void)arg;
	if (c && f->hd.type == NGHTTP2_HEADERS && f->headers.cat == NGHTTP2_HCAT_REQUEST)
		grpc_call_header(c, name, name_len, value, len);
	return 0;
}

static int on_grpc_frame(nghttp2_session *h2, const nghttp2_frame *f, void *arg)
{
	struct grpc_call *c = f->hd.stream_id ? call_of(h2, f->hd.stream_id) : NULL;

	(void)arg;
	if (!c || (f->hd.type != NGHTTP2_HEADERS && f->hd.type != NGHTTP2_DATA))
		return 0;
	if (f->hd.type == NGHTTP2_HEADERS && f->headers.cat == NGHTTP2_HCAT_REQUEST)
		grpc_call_headers_end(c);
	if (f->hd.flags & NGHTTP2_FLAG_END_STREAM)
		grpc_call_request_end(c);
	return 0;
}

static int on_grpc_data(nghttp2_session *h2, uint8_t flags, int32_t stream, const uint8_t *p, size_t len, void *arg)
{
	struct grpc_call *c = call_of(h2, stream);

	(void)flags;
	(void)arg;
	if (c)
		grpc_call_data(c, p, len);
	return 0;
}

/* After an answer before the request's end the rest of the request is not needed: the stream is reset with NO_ERROR
 * (PROTOCOL-HTTP2.md, Early Server Closure; RFC 9113, section 8.1). */
static int on_grpc_frame_sent(nghttp2_session *h2, const nghttp2_frame *f, void *arg)
{
	(void)arg;
	if (f->hd.type == NGHTTP2_HEADERS && (f->hd.flags & NGHTTP2_FLAG_END_STREAM) &&
	    nghttp2_session_get_stream_remote_close(h2, f->hd.stream_id) == 0)
		grpc_must(nghttp2_submit_rst_stream(h2, NGHTTP2_FLAG_NONE, f->hd.stream_id, NGHTTP2_NO_ERROR));
	return 0;
}

static int on_grpc_stream_close(nghttp2_session *h2, int32_t stream, uint32_t code, void *arg)
{
	struct grpc_call *c = call_of(h2, stream);

	(void)code;
	(void)arg;
	if (c)
		grpc_call_closed(c);
	return 0;
}

/* ---- connections ---- */

static void on_grpc_drained(struct timer *t)
{
	struct grpc_server *s = container_of(t, struct grpc_server, drained_timer);
	void (*drained)(void *arg) = s->drained;

	s->drained = NULL;
	if (drained)
		drained(s->drained_arg);
}

static void grpc_look_drained(struct grpc_server *s)
{
	if (s->draining && list_empty(&s->conns) && !s->freeing)
		timer_set(&s->drained_timer, 0, on_grpc_drained);
}

static void grpc_run_spaced(struct grpc_conn *conn)
{
	struct link now, *l;

	list_init(&now); /* calls that are added meanwhile wait for the next turn */
	while ((l = list_first(&conn->spaced))) {
		list_drop(l);
		list_append(&now, l);
	}
	while ((l = list_first(&now)))
		grpc_call_spaced(container_of(l, struct grpc_call, turn));
}

static void on_grpc_turn(struct grpc_session *session)
{
	struct grpc_conn *conn = container_of(session, struct grpc_conn, session);
	int64_t until = loop_mono_ns() + DISPATCH_SLICE_NS;

	while (!list_empty(&conn->ready) && conn->out_bytes <= CONN_OUT_MAX) {
		struct grpc_call *c = container_of(list_first(&conn->ready), struct grpc_call, turn);

		grpc_call_dispatch(c, conn->server->fn, conn->server->arg);
		if (loop_mono_ns() > until && !list_empty(&conn->ready)) {
			grpc_session_touch(session);
			break;
		}
	}
	grpc_run_spaced(conn);
}

static void on_grpc_closed(struct grpc_session *session, const struct err *why)
{
	struct grpc_conn *conn = container_of(session, struct grpc_conn, session);
	struct grpc_server *s = conn->server;

	log_debug("grpc connection=closed reason=%s", log_quote(why->msg));
	list_drop(&conn->link);
	s->connections--;
	grpc_calls_closed(conn);
	free(conn);
	grpc_look_drained(s);
}

static const struct grpc_session_owner conn_owner = { on_grpc_turn, on_grpc_closed };

static void grpc_conn_open(struct grpc_server *s, int fd)
{
	static const nghttp2_settings_entry settings[] = {
		{ NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, GRPC_STREAMS_MAX },
		{ NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, STREAM_WINDOW },
	};
	struct grpc_conn *conn = new_zero(struct grpc_conn);
	nghttp2_session *h2;

	conn->server = s;
	list_init(&conn->calls);
	list_init(&conn->ready);
	list_init(&conn->spaced);
	list_append(&s->conns, &conn->link);
	s->connections++;
	conn->session.owner = &conn_owner;
	conn->session.peer = "grpc client";
	conn->session.queue_max = QUEUE_MAX;
	grpc_must(nghttp2_session_server_new2(&h2, s->callbacks, conn, s->options));
	grpc_must(nghttp2_submit_settings(h2, NGHTTP2_FLAG_NONE, settings, sizeof(settings) / sizeof(settings[0])));
	grpc_must(nghttp2_session_set_local_window_size(h2, NGHTTP2_FLAG_NONE, 0, CONN_WINDOW));
	/* The settings leave with the first answer: an HTTP/2 client sends first, so no write is needed now. */
	grpc_session_open(&conn->session, fd, h2, false);
}

/* ---- listeners ---- */

static void grpc_take(void *server, int fd)
{
	grpc_conn_open(server, fd);
}

static void listener_close(struct listener *l)
{
	list_drop(&l->link);
	acceptor_close(&l->acceptor);
	listen_close(l->fd, l->address);
	free(l->address);
	free(l);
}

int grpc_server_listen(struct grpc_server *s, const char *address, struct err *e)
{
	int port = 0;
	int fd = listen_open(address, &port, e);
	struct listener *l;

	if (fd < 0)
		return -1;
	l = new_zero(struct listener);
	l->server = s;
	l->fd = fd;
	l->address = own_must(strdup(address));
	if (port)
		s->port = port;
	list_append(&s->listeners, &l->link);
	acceptor_open(&l->acceptor, &(struct acceptor){ .fd = fd, .what = "grpc", .address = l->address,
							.take = grpc_take, .arg = s });
	return 0;
}

int grpc_server_port(const struct grpc_server *s)
{
	return s->port;
}

/* ---- the server ---- */

struct grpc_server *grpc_server_new(grpc_fn *fn, void *arg)
{
	struct grpc_server *s = new_zero(struct grpc_server);

	s->fn = fn;
	s->arg = arg;
	list_init(&s->listeners);
	list_init(&s->conns);
	grpc_must(nghttp2_session_callbacks_new(&s->callbacks));
	nghttp2_session_callbacks_set_on_begin_headers_callback(s->callbacks, on_grpc_begin_headers);
	nghttp2_session_callbacks_set_on_header_callback(s->callbacks, on_grpc_header);
	nghttp2_session_callbacks_set_on_frame_recv_callback(s->callbacks, on_grpc_frame);
	nghttp2_session_callbacks_set_on_data_chunk_recv_callback(s->callbacks, on_grpc_data);
	nghttp2_session_callbacks_set_on_frame_send_callback(s->callbacks, on_grpc_frame_sent);
	nghttp2_session_callbacks_set_on_stream_close_callback(s->callbacks, on_grpc_stream_close);
	grpc_must(nghttp2_option_new(&s->options));
	nghttp2_option_set_stream_reset_rate_limit(s->options, RESET_BURST, RESET_PER_S);
	nghttp2_option_set_max_outbound_ack(s->options, ACKS_MAX);
	/* Without this nghttp2 keeps up to 4096 closed streams of a connection for its priority tree.
	 * (ARCHITECTURE R4) */
	nghttp2_option_set_no_closed_streams(s->options, 1);
	return s;
}

void grpc_server_drain(struct grpc_server *s, void (*drained)(void *arg), void *arg)
{
	assert(!s->draining);
	s->draining = true;
	s->drained = drained;
	s->drained_arg = arg;
	while (!list_empty(&s->listeners))
		listener_close(container_of(list_first(&s->listeners), struct listener, link));
	list_each(l, &s->conns) {
		struct grpc_session *session = &container_of(l, struct grpc_conn, link)->session;
		int32_t last = nghttp2_session_get_last_proc_stream_id(session->h2);

		grpc_must(nghttp2_submit_goaway(session->h2, NGHTTP2_FLAG_NONE, last, NGHTTP2_NO_ERROR, NULL, 0));
		grpc_session_touch(session);
	}
	grpc_look_drained(s);
}

void grpc_server_free(struct grpc_server *s)
{
	s->freeing = true;
	timer_clear(&s->drained_timer);
	while (!list_empty(&s->listeners))
		listener_close(container_of(list_first(&s->listeners), struct listener, link));
	while (!list_empty(&s->conns)) {
		struct grpc_conn *conn = container_of(list_first(&s->conns), struct grpc_conn, link);

		assert(!conn->session.pumping); /* not from inside grpc_fn, on_gone or on_space */
		grpc_session_close(&conn->session, ERR_UNAVAILABLE, "the server ends");
	}
	nghttp2_session_callbacks_del(s->callbacks);
	nghttp2_option_del(s->options);
	free(s);
}

struct grpc_stats grpc_server_stats(const struct grpc_server *s)
{
	struct grpc_stats out = { .connections = s->connections };

	list_each(l, &s->conns) {
		list_each(c, &container_of(l, struct grpc_conn, link)->calls)
			out.calls_open++;
	}
	return out;
}
