/* grpc_call.c - see grpc_call.h and, for the answering half, grpc.h.
 *
 *   RECEIVE --END_STREAM--> READY --dispatch--> RUN --reply, fail, finish--> ANSWERED
 *      |                      |                  |
 *      | bad request,         | deadline         +--reset, deadline, disconnect--> LOST   on_gone runs
 *      | deadline             v
 *      +------------------> ANSWERED          freed when its stream is closed and its user has answered or was told
 *
 * Waits on: frames (all states), the deadline (RECEIVE, READY, RUN), the peer's flow-control window (RUN, ANSWERED). */
#include "reactor/grpc_call.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "reactor/log.h"
#include "reactor/own.h"

enum {
	PATH_MAX_BYTES = 1024,
	CONN_IN_MAX = 64 << 20, /* request bytes kept for one connection: four of the largest messages at once */
};

enum call_state { RECEIVE, READY, RUN, ANSWERED, LOST };

static const struct sm_state call_states[] = {
	[RECEIVE]  = { "RECEIVE",  TO(READY) | TO(ANSWERED) },
	[READY]    = { "READY",    TO(RUN) | TO(ANSWERED) },
	[RUN]      = { "RUN",      TO(ANSWERED) | TO(LOST) },
	[ANSWERED] = { "ANSWERED", 0 },
	[LOST]     = { "LOST",     0 },
};

/* ---- life ---- */

struct grpc_call *grpc_call_new(struct grpc_conn *conn, int32_t stream)
{
	struct grpc_call *c = new_zero(struct grpc_call);

	c->sm = (struct sm){ call_states, "grpc", "", RECEIVE };
	c->conn = conn;
	c->stream = stream;
	list_append(&conn->calls, &c->link);
	return c;
}

static void call_drop_request(struct grpc_call *c)
{
	grpc_reader_free(&c->in);
	if (c->conn)
		c->conn->in_bytes -= c->in_bytes;
	c->in_bytes = 0;
}

static void call_free_if_let_go(struct grpc_call *c)
{
	if (c->conn || c->held)
		return;
	timer_clear(&c->timer);
	if (list_linked(&c->turn))
		list_drop(&c->turn);
	free(c->path);
	free(c->message);
	free(c);
}

static void call_detach(struct grpc_call *c)
{
	call_drop_request(c);
	if (c->sm.now == ANSWERED)
		c->conn->out_bytes -= c->out.len;
	buf_free(&c->out);
	list_drop(&c->link);
	if (list_linked(&c->turn))
		list_drop(&c->turn);
	c->conn = NULL;
}

/* A call without an on_gone stays until its user answers or calls grpc_on_gone(). */
static void call_tell_gone(struct grpc_call *c)
{
	if (!c->gone || timer_is_set(&c->timer))
		return;
	c->held = false;
	c->gone(c->arg);
}

static void call_lose(struct grpc_call *c)
{
	timer_clear(&c->timer);
	sm_move(&c->sm, LOST);
}

void grpc_call_closed(struct grpc_call *c)
{
	call_detach(c);
	if (c->sm.now == RUN) {
		call_lose(c);
		call_tell_gone(c);
	}
	call_free_if_let_go(c);
}

void grpc_calls_closed(struct grpc_conn *conn)
{
	struct link told;
	struct link *l;

	/* All calls are LOST before the first on_gone runs, because it may answer other calls of this connection. */
	list_init(&told);
	while ((l = list_first(&conn->calls))) {
		struct grpc_call *c = container_of(l, struct grpc_call, link);

		call_detach(c);
		if (c->sm.now == RUN) {
			call_lose(c);
			list_append(&told, &c->turn);
		} else {
			call_free_if_let_go(c);
		}
	}
	while ((l = list_first(&told))) {
		struct grpc_call *c = container_of(l, struct grpc_call, turn);

		list_drop(l);
		call_tell_gone(c);
		call_free_if_let_go(c);
	}
}

/* ---- the answer on the wire ---- */

#define FIELD(name, value, len, flag) \
	(nghttp2_nv){ (uint8_t *)(name), (uint8_t *)(value), sizeof(name) - 1, (len), (flag) }
#define FIELD_TEXT(name, text) FIELD(name, text, sizeof(text) - 1, NGHTTP2_NV_FLAG_NONE)

/* Fills grpc-status and grpc-message; text has room for the number. */
static size_t status_fields(const struct grpc_call *c, nghttp2_nv *nv, char text[4])
{
	int len = snprintf(text, 4, "%d", (int)c->status);

	nv[0] = FIELD("grpc-status", text, (size_t)len, NGHTTP2_NV_FLAG_NONE);
	if (!c->message)
		return 1;
	/* Each message is different: in the HPACK table it would only displace fields that repeat. */
	nv[1] = FIELD("grpc-message", c->message, strlen(c->message), NGHTTP2_NV_FLAG_NO_INDEX);
	return 2;
}

static ssize_t on_call_out(nghttp2_session *h2, int32_t stream, uint8_t *at, size_t room, uint32_t *flags,
			   nghttp2_data_source *source, void *arg)
{
	struct grpc_call *c = source->ptr;
	size_t n = c->out.len < room ? c->out.len : room;
	bool over = c->sm.now != RUN; /* answered, or out of time */
	nghttp2_nv nv[2];
	char text[4];

	(void)arg;
	if (n == 0 && !over) {
		c->deferred = true;
		return NGHTTP2_ERR_DEFERRED;
	}
	if (n) {
		memcpy(at, c->out.at, n);
		buf_consume(&c->out, n);
		if (c->sm.now == ANSWERED)
			c->conn->out_bytes -= n;
	}
	if (c->out.len)
		return (ssize_t)n;
	if (over) {
		*flags |= NGHTTP2_DATA_FLAG_EOF | NGHTTP2_DATA_FLAG_NO_END_STREAM;
		grpc_must(nghttp2_submit_trailer(h2, stream, nv, status_fields(c, nv, text)));
	} else if (c->space && !list_linked(&c->turn)) {
		list_append(&c->conn->spaced, &c->turn);
	}
	return (ssize_t)n;
}

static void call_start_response(struct grpc_call *c)
{
	nghttp2_data_provider body = { .source.ptr = c, .read_callback = on_call_out };
	nghttp2_nv nv[] = { FIELD_TEXT(":status", "200"), FIELD_TEXT("content-type", "application/grpc") };

	c->started = true;
	grpc_must(nghttp2_submit_response(c->conn->session.h2, c->stream, nv, 2, &body));
}

/* One HEADERS frame is the whole answer. `more` is a further field, or no_field. */
static void call_trailers_only(struct grpc_call *c, const char http_status[4], nghttp2_nv more)
{
	char text[4];
	nghttp2_nv nv[5] = { FIELD(":status", http_status, 3, NGHTTP2_NV_FLAG_NONE),
			     FIELD_TEXT("content-type", "application/grpc") };
	size_t n = 2 + status_fields(c, nv + 2, text);

	if (more.name)
		nv[n++] = more;
	c->started = true;
	grpc_must(nghttp2_submit_response(c->conn->session.h2, c->stream, nv, n, NULL));
}

static uint8_t *call_out_room(struct grpc_call *c, size_t len)
{
	uint8_t *at = buf_room(&c->out, GRPC_PREFIX + len);

	grpc_prefix_write(at, (uint32_t)len);
	buf_added(&c->out, GRPC_PREFIX + len);
	return at + GRPC_PREFIX;
}

/* Lets nghttp2 fetch from c->out again, after a message or the end of the stream was added. */
static void call_resume(struct grpc_call *c)
{
	if (!c->started)
		call_start_response(c);
	else if (c->deferred)
		grpc_must(nghttp2_session_resume_data(c->conn->session.h2, c->stream));
	c->deferred = false;
	grpc_session_touch(&c->conn->session);
}

static void call_set_status(struct grpc_call *c, const struct err *e)
{
	struct buf b = { 0 };

	free(take_ptr(&c->message));
	c->status = e->code;
	if (e->reason) {
		grpc_percent_encode(&b, e->reason);
		buf_puts(&b, ": ");
	}
	grpc_percent_encode(&b, e->msg);
	c->message = own_must(strdup(buf_str(&b)));
	buf_free(&b);
}

static void call_answered(struct grpc_call *c)
{
	timer_clear(&c->timer);
	if (list_linked(&c->turn))
		list_drop(&c->turn);
	c->conn->out_bytes += c->out.len;
	sm_move(&c->sm, ANSWERED);
}

/* ---- the request ---- */

/* Ends a call that was never handed to grpc_fn; its later frames are ignored. */
static void call_refuse(struct grpc_call *c, const char http_status[4], nghttp2_nv more, enum err_code code,
			const char *why)
{
	struct err e;

	err_set(&e, code, "%s", why);
	call_set_status(c, &e);
	call_answered(c);
	call_drop_request(c);
	call_trailers_only(c, http_status, more);
	grpc_session_touch(&c->conn->session);
}

static const nghttp2_nv no_field;

static void call_refuse_compressed(struct grpc_call *c)
{
	call_refuse(c, "200", FIELD_TEXT("grpc-accept-encoding", "identity"), ERR_UNIMPLEMENTED,
		    "compressed messages are not supported, grpc-accept-encoding is identity");
}

static void on_call_deadline(struct timer *t)
{
	struct grpc_call *c = container_of(t, struct grpc_call, timer);
	bool was_running = c->sm.now == RUN;
	struct err e;

	err_set(&e, ERR_DEADLINE_EXCEEDED, "the deadline of %s passed", c->path);
	call_set_status(c, &e);
	call_drop_request(c);
	if (list_linked(&c->turn))
		list_drop(&c->turn);
	if (was_running)
		call_lose(c);
	else
		call_answered(c);
	if (!c->started)
		call_trailers_only(c, "200", no_field);
	else if (!c->out.len)
		call_resume(c);
	else /* the peer may have part of a message: only a reset can end the stream then */
		grpc_must(nghttp2_submit_rst_stream(c->conn->session.h2, NGHTTP2_FLAG_NONE, c->stream, NGHTTP2_CANCEL));
	grpc_session_touch(&c->conn->session);
	if (was_running)
		call_tell_gone(c);
}

/* "application/grpc" or "application/grpc+proto", with parameters or without. */
static bool is_grpc(const uint8_t *v, size_t len)
{
	const uint8_t *end = memchr(v, ';', len);
	size_t n = end ? (size_t)(end - v) : len;

	return grpc_field_is(v, n, "application/grpc") || grpc_field_is(v, n, "application/grpc+proto");
}

void grpc_call_header(struct grpc_call *c, const uint8_t *name, size_t name_len, const uint8_t *v, size_t len)
{
	int64_t ms;

	if (grpc_field_is(name, name_len, ":path") && !c->path) {
		c->path = own_must(strndup((const char *)v, len < PATH_MAX_BYTES ? len : PATH_MAX_BYTES));
	} else if (grpc_field_is(name, name_len, ":method")) {
		c->head.post = grpc_field_is(v, len, "POST");
	} else if (grpc_field_is(name, name_len, "content-type")) {
		c->head.grpc = is_grpc(v, len);
	} else if (grpc_field_is(name, name_len, "grpc-encoding")) {
		c->head.encoded = !grpc_field_is(v, len, "identity");
	} else if (grpc_field_is(name, name_len, "grpc-timeout")) {
		ms = grpc_timeout_parse_ms(v, len);
		c->head.bad_timeout = ms < 0;
		if (ms >= 0)
			c->deadline_ns = loop_mono_ns() + (ms < INT64_MAX / 4000000 ? ms * 1000000 : INT64_MAX / 4);
	}
}

/* Until the deadline, rounded up. */
static int64_t call_left_ms(const struct grpc_call *c)
{
	int64_t left_ns = c->deadline_ns - loop_mono_ns();

	return left_ns > 0 ? (left_ns + 999999) / 1000000 : 0;
}

void grpc_call_headers_end(struct grpc_call *c)
{
	const char *method = c->path ? strrchr(c->path, '/') : NULL;

	c->sm.id = method ? method + 1 : "";
	if (!c->head.post)
		return call_refuse(c, "405", FIELD_TEXT("allow", "POST"), ERR_INTERNAL, "the HTTP method is not POST");
	if (!c->head.grpc)
		return call_refuse(c, "415", no_field, ERR_INVALID_ARGUMENT,
				   "the content-type is not application/grpc");
	if (!c->path)
		return call_refuse(c, "200", no_field, ERR_UNIMPLEMENTED, "the request has no :path");
	if (c->head.bad_timeout)
		return call_refuse(c, "200", no_field, ERR_INTERNAL, "malformed grpc-timeout");
	if (c->head.encoded)
		return call_refuse_compressed(c);
	if (c->deadline_ns)
		timer_set(&c->timer, call_left_ms(c), on_call_deadline);
}

void grpc_call_data(struct grpc_call *c, const uint8_t *p, size_t len)
{
	if (c->sm.now != RECEIVE)
		return;
	if (c->has_message && len)
		return call_refuse(c, "200", no_field, ERR_INTERNAL, "more than one request message in a unary call");
	c->conn->in_bytes += len;
	c->in_bytes += len;
	switch (grpc_reader_feed(&c->in, &p, &len, GRPC_MESSAGE_MAX)) {
	case GRPC_READ_MESSAGE:
		c->has_message = true;
		if (len)
			call_refuse(c, "200", no_field, ERR_INTERNAL, "more than one request message in a unary call");
		break;
	case GRPC_READ_COMPRESSED:
		/* compression.md, test case 6: the flag without a grpc-encoding is a broken message.
		 * (ARCHITECTURE R7) */
		call_refuse(c, "200", no_field, ERR_INTERNAL, "compressed flag set, but no grpc-encoding named");
		break;
	case GRPC_READ_BAD_FLAG:
		call_refuse(c, "200", no_field, ERR_INTERNAL, "malformed message prefix");
		break;
	case GRPC_READ_TOO_BIG:
		call_refuse(c, "200", no_field, ERR_RESOURCE_EXHAUSTED, "the request message is larger than 16 MiB");
		break;
	case GRPC_READ_MORE:
		if (c->conn->in_bytes > CONN_IN_MAX)
			call_refuse(c, "200", no_field, ERR_RESOURCE_EXHAUSTED,
				    "64 MiB of requests wait on this connection");
		break;
	}
}

void grpc_call_request_end(struct grpc_call *c)
{
	if (c->sm.now != RECEIVE)
		return;
	if (!c->has_message)
		return call_refuse(c, "200", no_field, ERR_INTERNAL,
				   grpc_reader_is_between(&c->in) ? "no request message"
								  : "the request message is cut short");
	sm_move(&c->sm, READY);
	list_append(&c->conn->ready, &c->turn);
}

void grpc_call_dispatch(struct grpc_call *c, grpc_fn *fn, void *arg)
{
	struct grpc_reader in = c->in;

	list_drop(&c->turn);
	c->in = (struct grpc_reader){ 0 }; /* the message outlives a reply from inside fn */
	sm_move(&c->sm, RUN);
	c->held = true;
	c->conn->in_bytes -= c->in_bytes;
	c->in_bytes = 0;
	fn(arg, c, c->path, grpc_reader_message(&in), in.body_len);
	grpc_reader_free(&in);
}

/* ---- the user's half: grpc.h ---- */

/* The user has answered; `c` may be freed. */
static void call_let_go(struct grpc_call *c)
{
	c->held = false;
	call_free_if_let_go(c);
}

static bool call_too_big(struct grpc_call *c, size_t len)
{
	struct err e;

	if (len <= GRPC_MESSAGE_MAX)
		return false;
	err_set(&e, ERR_RESOURCE_EXHAUSTED, "the response message of %zu bytes is larger than 16 MiB", len);
	call_set_status(c, &e);
	return true;
}

void grpc_reply(struct grpc_call *c, const uint8_t *msg, size_t len)
{
	grpc_send(c, msg, len);
	grpc_finish(c);
}

/* After a message that was too big the stream has its status, and no message may follow. */
uint8_t *grpc_reply_room(struct grpc_call *c, size_t len)
{
	return c->sm.now != RUN || c->status != ERR_OK || call_too_big(c, len) ? NULL : call_out_room(c, len);
}

void grpc_reply_filled(struct grpc_call *c)
{
	if (c->sm.now == RUN && c->out.len)
		call_resume(c);
	grpc_finish(c);
}

void grpc_send(struct grpc_call *c, const uint8_t *msg, size_t len)
{
	uint8_t *at = grpc_reply_room(c, len);

	if (!at)
		return;
	if (len)
		memcpy(at, msg, len);
	call_resume(c);
}

void grpc_finish(struct grpc_call *c)
{
	if (c->sm.now == RUN) {
		call_answered(c);
		if (c->started) {
			call_resume(c);
		} else {
			call_trailers_only(c, "200", no_field);
			grpc_session_touch(&c->conn->session);
		}
	}
	call_let_go(c);
}

void grpc_fail(struct grpc_call *c, const struct err *e)
{
	if (c->status == ERR_OK)
		call_set_status(c, e);
	grpc_finish(c);
}

size_t grpc_queued(const struct grpc_call *c)
{
	return c->out.len;
}

void grpc_on_space(struct grpc_call *c, void (*fn)(void *arg))
{
	c->space = fn;
	if (c->sm.now != RUN || c->out.len || list_linked(&c->turn))
		return;
	list_append(&c->conn->spaced, &c->turn); /* there is space already, but fn must not run inside this call */
	grpc_session_touch(&c->conn->session);
}

void grpc_call_spaced(struct grpc_call *c)
{
	void (*space)(void *arg) = c->space;

	list_drop(&c->turn);
	if (c->out.len)
		return; /* filled again meanwhile: on_call_out() appends the call when it is empty again */
	c->space = NULL;
	if (space)
		space(c->arg);
}

static void on_call_late_gone(struct timer *t)
{
	struct grpc_call *c = container_of(t, struct grpc_call, timer);

	call_tell_gone(c);
	call_free_if_let_go(c);
}

void grpc_on_gone(struct grpc_call *c, void (*fn)(void *arg), void *arg)
{
	c->gone = fn;
	c->arg = arg;
	if (c->sm.now == LOST && fn)
		timer_set(&c->timer, 0, on_call_late_gone);
}
