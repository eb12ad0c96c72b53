/* grpc_client.c - see grpc_client.h.
 *
 *   request:   FLYING --trailers, reset, deadline, lost connection--> DONE    `done` runs
 *                |                                                     freed once its stream is closed
 *                +--cancel--> DONE                                      nothing runs
 *
 * A client has one current connection and any number of ending ones: after GOAWAY the old connection serves its open
 * calls, and the next call connects again. Waits on, all in FLYING: frames, the deadline, the next turn (connect(2)
 * failed). */
#include "reactor/grpc_client.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "reactor/grpc.h"
#include "reactor/grpc_frame.h"
#include "reactor/grpc_session.h"
#include "reactor/listen.h"
#include "reactor/own.h"
#include "reactor/sm.h"

enum { STREAM_WINDOW = 1 << 20, CONN_WINDOW = 16 << 20 };

enum request_state { FLYING, DONE };

static const struct sm_state request_states[] = {
	[FLYING] = { "FLYING", TO(DONE) },
	[DONE]   = { "DONE",   0 },
};

struct grpc_client {
	char *address;
	struct listen_address to;
	nghttp2_session_callbacks *callbacks;
	struct link conns;        /* of struct client_conn.link */
	struct link unsent;       /* of struct grpc_request.link: connect(2) failed, `done` runs in the next turn */
	struct client_conn *current; /* takes new calls; NULL: the next call connects */
};

struct client_conn {
	struct grpc_session session;
	struct grpc_client *client; /* NULL: the client was freed */
	struct link link;
	struct link requests;       /* of struct grpc_request.link */
};

struct grpc_request {
	struct sm sm;
	struct link link;
	struct client_conn *conn; /* NULL: in client->unsent */
	int32_t stream;
	struct grpc_handlers to;
	struct timer timer;       /* the deadline; for the unsent: the report */
	struct buf out;           /* the framed request, what is left of it */
	struct grpc_reader in;
	int http_status;
	bool has_status;          /* grpc-status came */
	struct err err;           /* the answer once has_status, or why it failed */
};

/* ---- requests ---- */

static void request_free(struct grpc_request *r)
{
	timer_clear(&r->timer);
	list_drop(&r->link);
	buf_free(&r->out);
	grpc_reader_free(&r->in);
	free(r);
}

/* Tells the user. `done` may free the client; the request itself stays until its stream is closed. */
static void request_finish(struct grpc_request *r)
{
	struct err err = r->err;

	if (r->sm.now == DONE)
		return;
	sm_move(&r->sm, DONE);
	timer_clear(&r->timer);
	r->to.done(r->to.arg, err.code == ERR_OK ? NULL : &err);
}

static void request_reset(struct grpc_request *r, uint32_t code)
{
	if (!r->conn->session.h2)
		return;
	grpc_must(nghttp2_submit_rst_stream(r->conn->session.h2, NGHTTP2_FLAG_NONE, r->stream, code));
	grpc_session_touch(&r->conn->session);
}

static void request_fail(struct grpc_request *r, enum err_code code, const char *why)
{
	if (r->sm.now == DONE)
		return;
	err_set(&r->err, code, "%s", why);
	request_reset(r, NGHTTP2_CANCEL);
	request_finish(r);
}

static void on_request_deadline(struct timer *t)
{
	struct grpc_request *r = container_of(t, struct grpc_request, timer);

	request_fail(r, ERR_DEADLINE_EXCEEDED, "the deadline passed");
}

/* PROTOCOL-HTTP2.md, Errors: what a reset means. */
static enum err_code code_of_reset(uint32_t error)
{
	switch (error) {
	case NGHTTP2_REFUSED_STREAM:
		return ERR_UNAVAILABLE;
	case NGHTTP2_CANCEL:
		return ERR_CANCELLED;
	case NGHTTP2_ENHANCE_YOUR_CALM:
		return ERR_RESOURCE_EXHAUSTED;
	case NGHTTP2_INADEQUATE_SECURITY:
		return ERR_PERMISSION_DENIED;
	}
	return ERR_INTERNAL;
}

/* grpc's http-grpc-status-mapping.md, for answers without a grpc-status. */
static enum err_code code_of_http(int status)
{
	switch (status) {
	case 400:
		return ERR_INTERNAL;
	case 401:
		return ERR_UNAUTHENTICATED;
	case 403:
		return ERR_PERMISSION_DENIED;
	case 404:
		return ERR_UNIMPLEMENTED;
	case 429:
	case 502:
	case 503:
	case 504:
		return ERR_UNAVAILABLE;
	}
	return ERR_UNKNOWN;
}

static void request_ended(struct grpc_request *r, uint32_t error)
{
	if (r->has_status) {
		if (r->err.code == ERR_OK && !grpc_reader_is_between(&r->in))
			err_set(&r->err, ERR_INTERNAL, "the response message is cut short");
	} else if (error != NGHTTP2_NO_ERROR) {
		err_set(&r->err, code_of_reset(error), "the server reset the call: %s", nghttp2_http2_strerror(error));
	} else if (r->http_status != 200) {
		err_set(&r->err, code_of_http(r->http_status), "HTTP status %d and no grpc-status", r->http_status);
	} else {
		err_set(&r->err, ERR_INTERNAL, "the server ended the call without a grpc-status");
	}
	request_finish(r);
}

/* ---- frames: nghttp2's callbacks ---- */

static struct grpc_request *request_of(nghttp2_session *h2, int32_t stream)
{
	return nghttp2_session_get_stream_user_data(h2, stream);
}

static int status_number(const uint8_t *v, size_t len)
{
	int n = 0;

	if (len < 1 || len > 3)
		return -1;
	for (size_t i = 0; i < len; i++) {
		if (v[i] < '0' || v[i] > '9')
			return -1;
		n = n * 10 + (v[i] - '0');
	}
	return n;
}

static int on_client_header(nghttp2_session *h2, const nghttp2_frame *f, const uint8_t *name, size_t name_len,
			    const uint8_t *v, size_t len, uint8_t flags, void *arg)
{
	struct grpc_request *r = request_of(h2, f->hd.stream_id);
	int n;

	(void)flags;
	(void)arg;
	if (!r || r->sm.now == DONE)
		return 0;
	if (grpc_field_is(name, name_len, ":status")) {
		r->http_status = status_number(v, len);
	} else if (grpc_field_is(name, name_len, "grpc-status")) {
		n = status_number(v, len);
		r->has_status = true;
		r->err.code = n >= 0 && n <= ERR_UNAUTHENTICATED ? (enum err_code)n : ERR_UNKNOWN;
	} else if (grpc_field_is(name, name_len, "grpc-message")) {
		grpc_percent_decode(r->err.msg, sizeof(r->err.msg), v, len);
	}
	return 0;
}

static int on_client_data(nghttp2_session *h2, uint8_t flags, int32_t stream, const uint8_t *p, size_t len, void *arg)
{
	struct grpc_request *r = request_of(h2, stream);

	(void)flags;
	(void)arg;
	if (!r || r->http_status != 200)
		return 0;
	while (len && r->sm.now == FLYING) { /* a handler may cancel */
		switch (grpc_reader_feed(&r->in, &p, &len, GRPC_MESSAGE_MAX)) {
		case GRPC_READ_MORE:
			break;
		case GRPC_READ_MESSAGE:
			if (r->to.message)
				r->to.message(r->to.arg, grpc_reader_message(&r->in), r->in.body_len);
			grpc_reader_next(&r->in);
			break;
		case GRPC_READ_TOO_BIG:
			request_fail(r, ERR_RESOURCE_EXHAUSTED, "the response message is larger than 16 MiB");
			break;
		case GRPC_READ_COMPRESSED:
		case GRPC_READ_BAD_FLAG:
			request_fail(r, ERR_INTERNAL, "the response message is compressed or malformed");
			break;
		}
	}
	return 0;
}

static void client_conn_retire(struct client_conn *conn)
{
	if (conn->client && conn->client->current == conn)
		conn->client->current = NULL;
}

static int on_client_frame(nghttp2_session *h2, const nghttp2_frame *f, void *arg)
{
	struct grpc_request *r = f->hd.stream_id ? request_of(h2, f->hd.stream_id) : NULL;

	if (f->hd.type == NGHTTP2_GOAWAY)
		client_conn_retire(arg);
	if (r && f->hd.type <= NGHTTP2_HEADERS && (f->hd.flags & NGHTTP2_FLAG_END_STREAM)) { /* DATA is 0, HEADERS 1 */
		/* The answer came before the whole request was sent: the rest is not sent. */
		if (!nghttp2_session_get_stream_local_close(h2, f->hd.stream_id))
			request_reset(r, NGHTTP2_NO_ERROR);
		request_ended(r, NGHTTP2_NO_ERROR);
	}
	return 0;
}

static int on_client_stream_close(nghttp2_session *h2, int32_t stream, uint32_t error, void *arg)
{
	struct grpc_request *r = request_of(h2, stream);

	(void)arg;
	if (!r)
		return 0;
	nghttp2_session_set_stream_user_data(h2, stream, NULL);
	request_ended(r, error);
	request_free(r);
	return 0;
}

static ssize_t on_client_out(nghttp2_session *h2, int32_t stream, uint8_t *at, size_t room, uint32_t *flags,
			     nghttp2_data_source *source, void *arg)
{
	struct grpc_request *r = source->ptr;
	size_t n = r->out.len < room ? r->out.len : room;

	(void)h2;
	(void)stream;
	(void)arg;
	memcpy(at, r->out.at, n);
	buf_consume(&r->out, n);
	if (r->out.len == 0)
		*flags |= NGHTTP2_DATA_FLAG_EOF;
	return (ssize_t)n;
}

/* ---- connections ---- */

static void on_client_turn(struct grpc_session *s)
{
	(void)s; /* handlers run where their frames are read */
}

static void on_client_closed(struct grpc_session *session, const struct err *why)
{
	struct client_conn *conn = container_of(session, struct client_conn, session);
	struct link *l;

	client_conn_retire(conn);
	/* A handler may cancel any of the others, or free the client. */
	while ((l = list_first(&conn->requests))) {
		struct grpc_request *r = container_of(l, struct grpc_request, link);

		r->err = *why;
		request_finish(r);
		request_free(r);
	}
	if (conn->client)
		list_drop(&conn->link);
	free(conn);
}

static const struct grpc_session_owner conn_owner = { on_client_turn, on_client_closed };

static void client_conn_open(struct grpc_client *c, int fd, bool connecting)
{
	static const nghttp2_settings_entry settings[] = {
		{ NGHTTP2_SETTINGS_ENABLE_PUSH, 0 },
		{ NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, STREAM_WINDOW },
	};
	struct client_conn *conn = new_zero(struct client_conn);
	nghttp2_session *h2;

	conn->client = c;
	list_init(&conn->requests);
	list_append(&c->conns, &conn->link);
	c->current = conn;
	conn->session.owner = &conn_owner;
	conn->session.peer = c->address;
	grpc_must(nghttp2_session_client_new(&h2, c->callbacks, conn));
	grpc_must(nghttp2_submit_settings(h2, NGHTTP2_FLAG_NONE, settings, sizeof(settings) / sizeof(settings[0])));
	grpc_must(nghttp2_session_set_local_window_size(h2, NGHTTP2_FLAG_NONE, 0, CONN_WINDOW));
	grpc_session_open(&conn->session, fd, h2, connecting);
}

/* Sets c->current to a new connection. */
static int client_conn_start(struct grpc_client *c, struct err *e)
{
	auto_fd int fd = socket(c->to.sa.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	int on = 1, rv;

	if (fd < 0)
		return err_os(e, ERR_UNAVAILABLE, "%s: socket", c->address);
	if (c->to.sa.ss_family != AF_UNIX)
		setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	rv = connect(fd, (const struct sockaddr *)&c->to.sa, c->to.len);
	if (rv < 0 && errno != EINPROGRESS)
		return err_os(e, ERR_UNAVAILABLE, "%s: connect", c->address);
	client_conn_open(c, take_fd(&fd), rv < 0);
	return 0;
}

/* ---- the client ---- */

struct grpc_client *grpc_client_new(const char *address, struct err *e)
{
	struct listen_address to;
	struct grpc_client *c;

	if (listen_parse(address, &to, e) < 0)
		return NULL;
	c = new_zero(struct grpc_client);
	c->to = to;
	c->address = own_must(strdup(address));
	list_init(&c->conns);
	list_init(&c->unsent);
	grpc_must(nghttp2_session_callbacks_new(&c->callbacks));
	nghttp2_session_callbacks_set_on_header_callback(c->callbacks, on_client_header);
	nghttp2_session_callbacks_set_on_frame_recv_callback(c->callbacks, on_client_frame);
	nghttp2_session_callbacks_set_on_data_chunk_recv_callback(c->callbacks, on_client_data);
	nghttp2_session_callbacks_set_on_stream_close_callback(c->callbacks, on_client_stream_close);
	return c;
}

void grpc_client_free(struct grpc_client *c)
{
	while (!list_empty(&c->unsent))
		grpc_request_cancel(container_of(list_first(&c->unsent), struct grpc_request, link));
	while (!list_empty(&c->conns)) {
		struct client_conn *conn = container_of(list_first(&c->conns), struct client_conn, link);

		list_each(l, &conn->requests) {
			struct grpc_request *r = container_of(l, struct grpc_request, link);

			if (r->sm.now == FLYING)
				sm_move(&r->sm, DONE);
			timer_clear(&r->timer);
		}
		list_drop(&conn->link);
		conn->client = NULL;
		conn->session.peer = "grpc server"; /* the address is freed now, the connection maybe later */
		if (conn->session.h2)
			grpc_session_close(&conn->session, ERR_CANCELLED, "the client was freed");
	}
	nghttp2_session_callbacks_del(c->callbacks);
	free(c->address);
	free(c);
}

static void on_request_unsent(struct timer *t)
{
	struct grpc_request *r = container_of(t, struct grpc_request, timer);
	struct grpc_handlers to = r->to;
	struct err err = r->err;

	request_free(r);
	to.done(to.arg, &err);
}

#define FIELD(name, value, len) \
	(nghttp2_nv){ (uint8_t *)(name), (uint8_t *)(value), sizeof(name) - 1, (len), NGHTTP2_NV_FLAG_NONE }

static void request_submit(struct grpc_request *r, const char *path, int64_t timeout_ms)
{
	nghttp2_data_provider body = { .source.ptr = r, .read_callback = on_client_out };
	char timeout[GRPC_TIMEOUT_TEXT];
	nghttp2_nv nv[8] = {
		FIELD(":method", "POST", 4),
		FIELD(":scheme", "http", 4),
		FIELD(":path", path, strlen(path)),
		FIELD(":authority", "localhost", 9),
		FIELD("te", "trailers", 8),
		FIELD("content-type", "application/grpc", 16),
		FIELD("user-agent", "grpc-c-crisp/" CRISP_VERSION, sizeof("grpc-c-crisp/" CRISP_VERSION) - 1),
	};
	size_t n = 7;

	if (timeout_ms > 0) {
		grpc_timeout_format(timeout, timeout_ms);
		nv[n++] = FIELD("grpc-timeout", timeout, strlen(timeout));
		timer_set(&r->timer, timeout_ms, on_request_deadline);
	}
	r->stream = nghttp2_submit_request(r->conn->session.h2, NULL, nv, n, &body, r);
	grpc_must(r->stream);
	grpc_session_touch(&r->conn->session);
}

struct grpc_request *grpc_request(struct grpc_client *c, const char *path, const uint8_t *msg, size_t len,
				  int64_t timeout_ms, const struct grpc_handlers *h)
{
	struct grpc_request *r = new_zero(struct grpc_request);
	uint8_t *at = buf_room(&r->out, GRPC_PREFIX + len);

	r->sm = (struct sm){ request_states, "grpc_request", "", FLYING };
	r->to = *h;
	grpc_prefix_write(at, (uint32_t)len);
	if (len)
		memcpy(at + GRPC_PREFIX, msg, len);
	buf_added(&r->out, GRPC_PREFIX + len);
	/* Stream ids run out after a thousand million calls. */
	if (c->current && !nghttp2_session_check_request_allowed(c->current->session.h2))
		c->current = NULL;
	if (!c->current && client_conn_start(c, &r->err) < 0) {
		list_append(&c->unsent, &r->link);
		timer_set(&r->timer, 0, on_request_unsent);
		return r;
	}
	r->conn = c->current;
	list_append(&r->conn->requests, &r->link);
	request_submit(r, path, timeout_ms);
	return r;
}

void grpc_request_cancel(struct grpc_request *r)
{
	sm_move(&r->sm, DONE);
	timer_clear(&r->timer);
	if (!r->conn)
		return request_free(r);
	request_reset(r, NGHTTP2_CANCEL);
}
