/* http_llhttp.c - http_engine.h on libllhttp, which only parses; the connections are watched here.
 *
 *   RECEIVE ---answered---> SEND ---all sent---> DRAIN ---+
 *    |   |                   |                            +---peer closed, error, time over---> ENDED
 *    |   +---accepted---> SWITCH ---next turn-------------+
 *    +---peer closed, error, 10 s-------------------------+
 *
 * RECEIVE reads and parses until a whole request is there. In DRAIN the answer is written and this side shut down; what
 * still comes is dropped. From SWITCH the connection goes to its new owner, with the 101 to be sent.
 *
 * A close with unread bytes would reset the connection, and the client would lose the answer: hence DRAIN.
 *
 * Waits on: each connection's fd, and a timer a connection. (ARCHITECTURE R74) */
#include <assert.h>
#include <errno.h>
#include <llhttp.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "reactor/arena.h"
#include "reactor/http_engine.h"
#include "reactor/http_path.h"
#include "reactor/list.h"
#include "reactor/loop.h"
#include "reactor/own.h"
#include "reactor/sm.h"

enum {
	READ_BYTES = 16384,              /* in one turn, of one connection */
	HEAD_BYTES_MAX = 65536,          /* request line and headers */
	WHOLE_BYTES_MAX = HEAD_BYTES_MAX + 2 * HTTP_BODY_MAX, /* with the sizes of chunks and the trailers */
	HEADERS_MAX = 100,
	RECEIVE_MS = 10000, /* from the accept to the whole request */
	SEND_MS = 30000,    /* without progress */
	DRAIN_MS = 1000, DRAIN_BYTES_MAX = 1024 * 1024
};

enum http_state { RECEIVE, SEND, DRAIN, SWITCH, ENDED };
static const struct sm_state http_states[] = {
	[RECEIVE] = { "RECEIVE", TO(SEND) | TO(SWITCH) | TO(ENDED) },
	[SEND]    = { "SEND",    TO(DRAIN) | TO(ENDED) },
	[DRAIN]   = { "DRAIN",   TO(ENDED) },
	[SWITCH]  = { "SWITCH",  TO(ENDED) },
	[ENDED]   = { "ENDED",   0 },
};

struct http_conn {
	struct http_engine *engine;
	struct sm sm;
	int fd;
	struct fd_watch watch;
	struct timer timer;
	llhttp_t parser;
	size_t bytes_in; /* of the request; in DRAIN: dropped */
	size_t body_bytes, headers;
	struct buf target, fields; /* fields: name NUL value NUL, for each header */
	bool head_done, whole;
	int refused;      /* status of a request that is not handed on */
	struct buf out;
	struct buf early; /* SWITCH: what came behind the request */
	http_accepted *accepted;
	void *accepted_arg;
};

struct http_engine {
	const struct http_engine_events *events;
	void *arg;
	llhttp_settings_t settings;
};

struct http_ask {
	struct http_conn *conn;
	struct arena *arena; /* of all strings that are handed out */
	const char *path;
	bool answered;
};

static void conn_end(struct http_conn *c)
{
	struct http_engine *g = c->engine;

	sm_move(&c->sm, ENDED);
	fd_watch_clear(&c->watch);
	timer_clear(&c->timer);
	if (c->fd >= 0)
		close(c->fd);
	buf_free(&c->target);
	buf_free(&c->fields);
	buf_free(&c->out);
	buf_free(&c->early);
	free(c);
	g->events->closed(g->arg);
}

static void on_conn_late(struct timer *t)
{
	conn_end(container_of(t, struct http_conn, timer));
}

static void on_conn_ready(struct fd_watch *w, int events);

static void conn_drain(struct http_conn *c)
{
	if (shutdown(c->fd, SHUT_WR) < 0)
		return conn_end(c);
	sm_move(&c->sm, DRAIN);
	c->bytes_in = 0;
	timer_set(&c->timer, DRAIN_MS, on_conn_late);
	fd_watch_set(&c->watch, c->fd, FD_READ, on_conn_ready);
}

static void conn_send(struct http_conn *c)
{
	ssize_t n = send(c->fd, c->out.at, c->out.len, MSG_NOSIGNAL);

	if (n < 0 && errno != EAGAIN && errno != EINTR)
		return conn_end(c);
	if (n > 0) {
		buf_consume(&c->out, (size_t)n);
		timer_set(&c->timer, SEND_MS, on_conn_late);
	}
	if (!c->out.len)
		conn_drain(c);
}

/* ---- the head of an answer */

static void put_head(struct buf *out, int status, const struct pairs *headers)
{
	char date[64];
	time_t now = time(NULL);
	struct tm tm;

	gmtime_r(&now, &tm);
	strftime(date, sizeof(date), "%a, %d %b %Y %H:%M:%S GMT", &tm);
	buf_printf(out, "HTTP/1.1 %d %s\r\nDate: %s\r\nServer: crisp/" CRISP_VERSION "\r\n", status,
		   http_status_reason(status), date);
	for (size_t i = 0; headers && i < headers->n; i++)
		buf_printf(out, "%s: %s\r\n", headers->at[i].key, headers->at[i].value);
}

static void put_answer(struct http_conn *c, int status, const char *type, const struct pairs *headers,
		       const struct buf *body)
{
	put_head(&c->out, status, headers);
	buf_printf(&c->out, "Connection: close\r\nContent-Type: %s\r\nContent-Length: %zu\r\n\r\n", type, body->len);
	if (body->len && c->parser.method != HTTP_HEAD)
		buf_append(&c->out, body->at, body->len);
	sm_move(&c->sm, SEND);
	timer_set(&c->timer, SEND_MS, on_conn_late);
	fd_watch_set(&c->watch, c->fd, FD_WRITE, on_conn_ready);
}

static void conn_refuse(struct http_conn *c, int status)
{
	struct buf body = { 0 };

	buf_printf(&body, "%s\n", http_status_reason(status));
	put_answer(c, status, "text/plain; charset=utf-8", NULL, &body);
	buf_free(&body);
}

/* ---- what http_server.c and http_upgrade.c ask */

const char *http_ask_path(const struct http_ask *a)
{
	return a->path;
}

const char *http_engine_method(const struct http_ask *a)
{
	return llhttp_method_name((llhttp_method_t)a->conn->parser.method);
}

const char *http_ask_header(struct http_ask *a, const char *name)
{
	const struct buf *f = &a->conn->fields;
	const char *all = NULL;

	for (const char *at = (const char *)f->at, *end = at + f->len; at < end;) {
		const char *value = at + strlen(at) + 1;

		if (strcasecmp(at, name) == 0)
			all = all ? arena_printf(a->arena, "%s, %s", all, value) : arena_strdup(a->arena, value);
		at = value + strlen(value) + 1;
	}
	return all;
}

/* llhttp has looked into Connection and Upgrade. HTTP/1.0 has no upgrade: RFC 9110, section 7.8. */
const char *http_engine_upgrade(struct http_ask *a)
{
	const llhttp_t *p = &a->conn->parser;

	return p->upgrade && p->http_minor == 1 ? http_ask_header(a, "upgrade") : NULL;
}

void http_engine_answer(struct http_ask *a, int status, const char *type, const struct pairs *headers,
			const struct buf *body)
{
	assert(!a->answered);
	a->answered = true;
	put_answer(a->conn, status, type, headers, body);
}

bool http_engine_is_answered(const struct http_ask *a)
{
	return a->answered;
}

static void on_conn_switch(struct timer *t)
{
	struct http_conn *c = container_of(t, struct http_conn, timer);
	struct conduit *to = conduit_new(c->fd, c->early.at, c->early.len);
	http_accepted *done = c->accepted;
	void *arg = c->accepted_arg;

	conduit_send(to, c->out.at, c->out.len);
	c->fd = -1;
	conn_end(c);
	done(arg, to);
}

void http_ask_accept(struct http_ask *a, const char *protocol, const struct pairs *headers, http_accepted *done,
		     void *arg)
{
	struct http_conn *c = a->conn;

	assert(!a->answered);
	a->answered = true;
	put_head(&c->out, 101, headers);
	buf_printf(&c->out, "Connection: upgrade\r\nUpgrade: %s\r\n\r\n", protocol);
	c->accepted = done;
	c->accepted_arg = arg;
	sm_move(&c->sm, SWITCH);
	fd_watch_clear(&c->watch);
	timer_set(&c->timer, 0, on_conn_switch);
}

/* ---- what llhttp finds */

static struct http_conn *conn_of(llhttp_t *p)
{
	return container_of(p, struct http_conn, parser);
}

static int on_target(llhttp_t *p, const char *at, size_t len)
{
	buf_append(&conn_of(p)->target, at, len);
	return 0;
}

/* Of the trailers behind a chunked body nothing is kept: they are no headers. */
static int on_header_text(llhttp_t *p, const char *at, size_t len)
{
	if (!conn_of(p)->head_done)
		buf_append(&conn_of(p)->fields, at, len);
	return 0;
}

static int on_header_text_end(llhttp_t *p)
{
	if (!conn_of(p)->head_done)
		buf_append(&conn_of(p)->fields, "", 1);
	return 0;
}

static bool ends_in_blank(const struct buf *b)
{
	return b->len > 0 && (b->at[b->len - 1] == ' ' || b->at[b->len - 1] == '\t');
}

static int on_header_end(llhttp_t *p)
{
	struct http_conn *c = conn_of(p);

	/* llhttp leaves the blanks behind a value on it. */
	while (ends_in_blank(&c->fields))
		c->fields.len--;
	if (++c->headers > HEADERS_MAX) {
		c->refused = 431;
		return HPE_USER;
	}
	return on_header_text_end(p);
}

/* The client may wait for this before it sends the body. The socket's buffer is empty: nothing was sent before. */
static void send_continue(struct http_conn *c)
{
	static const char text[] = "HTTP/1.1 100 Continue\r\n\r\n";
	struct http_ask a = { .conn = c, .arena = arena_new() };
	const char *expect = http_ask_header(&a, "expect");
	bool wanted = expect && strcasecmp(expect, "100-continue") == 0;

	arena_free(a.arena);
	if (wanted && send(c->fd, text, sizeof(text) - 1, MSG_NOSIGNAL) != sizeof(text) - 1)
		c->refused = 400;
}

static int on_head(llhttp_t *p)
{
	struct http_conn *c = conn_of(p);

	c->head_done = true;
	if (p->http_major != 1)
		c->refused = 505;
	else if (p->content_length > HTTP_BODY_MAX)
		c->refused = 413;
	else if (p->http_minor == 1 && (p->content_length || (p->flags & F_CHUNKED)))
		send_continue(c);
	return c->refused ? -1 : 0;
}

static int on_body_bytes(llhttp_t *p, const char *at, size_t len)
{
	struct http_conn *c = conn_of(p);

	(void)at;
	c->body_bytes += len;
	if (c->body_bytes <= HTTP_BODY_MAX)
		return 0;
	c->refused = 413;
	return HPE_USER;
}

/* Before an upgrade llhttp stops by itself, and says what stands behind the request. */
static int on_whole(llhttp_t *p)
{
	conn_of(p)->whole = true;
	return p->upgrade ? 0 : HPE_PAUSED;
}

static void conn_request(struct http_conn *c)
{
	struct http_engine *g = c->engine;
	struct http_ask a = { .conn = c };
	char *target;

	a.arena = arena_new();
	target = arena_strdup(a.arena, buf_str(&c->target));
	if (http_path_of(target)) {
		a.path = target;
		g->events->request(g->arg, &a);
		assert(a.answered);
	} else {
		conn_refuse(c, 400);
	}
	arena_free(a.arena);
}

static void http_feed(struct http_conn *c, const char *bytes, size_t len)
{
	enum llhttp_errno rc = llhttp_execute(&c->parser, bytes, len);

	if (rc == HPE_OK && c->bytes_in > WHOLE_BYTES_MAX)
		c->refused = 413;
	else if (rc == HPE_OK && !c->head_done && c->bytes_in > HEAD_BYTES_MAX)
		c->refused = 431;
	else if (rc == HPE_OK)
		return;
	if (rc == HPE_PAUSED_UPGRADE) {
		const char *rest = llhttp_get_error_pos(&c->parser);

		buf_append(&c->early, rest, len - (size_t)(rest - bytes));
	}
	if (c->whole && !c->refused && (rc == HPE_PAUSED || rc == HPE_PAUSED_UPGRADE))
		return conn_request(c);
	conn_refuse(c, c->refused ? c->refused : 400);
}

static void conn_read(struct http_conn *c)
{
	static char bytes[READ_BYTES];
	ssize_t n = recv(c->fd, bytes, sizeof(bytes), 0);

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n <= 0)
		return conn_end(c);
	c->bytes_in += (size_t)n;
	if (c->sm.now == RECEIVE)
		http_feed(c, bytes, (size_t)n);
	else if (c->bytes_in > DRAIN_BYTES_MAX)
		conn_end(c);
}

static void on_conn_ready(struct fd_watch *w, int events)
{
	struct http_conn *c = container_of(w, struct http_conn, watch);

	(void)events;
	if (c->sm.now == SEND)
		conn_send(c);
	else
		conn_read(c);
}

struct http_engine *http_engine_new(const struct http_engine_events *events, void *arg, struct err *e)
{
	struct http_engine *g = new_zero(struct http_engine);

	(void)e;
	g->events = events;
	g->arg = arg;
	llhttp_settings_init(&g->settings);
	g->settings.on_url = on_target;
	g->settings.on_header_field = on_header_text;
	g->settings.on_header_field_complete = on_header_text_end;
	g->settings.on_header_value = on_header_text;
	g->settings.on_header_value_complete = on_header_end;
	g->settings.on_headers_complete = on_head;
	g->settings.on_body = on_body_bytes;
	g->settings.on_message_complete = on_whole;
	return g;
}

void http_engine_free(struct http_engine *g)
{
	free(g);
}

void http_engine_enter(void)
{
}

void http_engine_serve(struct http_engine *g, int fd)
{
	struct http_conn *c = new_zero(struct http_conn);

	c->sm = (struct sm){ http_states, "http", "", RECEIVE };
	c->engine = g;
	c->fd = fd;
	llhttp_init(&c->parser, HTTP_REQUEST, &g->settings);
	timer_set(&c->timer, RECEIVE_MS, on_conn_late);
	fd_watch_set(&c->watch, fd, FD_READ, on_conn_ready);
}
