/* spdy.c - see spdy.h. A control frame is gathered whole, the payload of a data frame passes through in pieces:
 *
 *   HEAD (8 bytes) ---control---> BODY ---whole---> HEAD
 *     |  ^    +---a control frame of an unknown type---> SKIP ---at its end---> HEAD
 *     |  +---at its end---+
 *     +---data---> DATA---+                                       any ---not SPDY/3.1---> BROKEN */
#include "reactor/spdy.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "reactor/be32.h"
#include "reactor/own.h"
#include "reactor/sm.h"
#include "reactor/spdy_zlib.h"

enum { HEAD_SIZE = 8, VERSION = 3, CONTROL_BIT = 0x80, STREAM_MASK = 0x7fffffff, SETTING_INITIAL_WINDOW = 7 };

enum reader_state { HEAD, BODY, SKIP, DATA, BROKEN };
static const struct sm_state reader_states[] = {
	[HEAD]   = { "HEAD",   TO(BODY) | TO(SKIP) | TO(DATA) | TO(BROKEN) },
	[BODY]   = { "BODY",   TO(HEAD) | TO(BROKEN) },
	[SKIP]   = { "SKIP",   TO(HEAD) | TO(BROKEN) },
	[DATA]   = { "DATA",   TO(HEAD) | TO(BROKEN) },
	[BROKEN] = { "BROKEN", 0 },
};

struct spdy_reader {
	enum reader_state now;
	uint8_t head[HEAD_SIZE];
	size_t have;     /* bytes of head */
	struct buf body; /* of a control frame */
	size_t left;     /* of the frame's body */
	struct spdy_frame frame;
	z_stream inflate;
};

/* Not sm_move(): this machine moves a few times for each frame, and a trace would be longer than the traffic. */
static void reader_move(struct spdy_reader *r, enum reader_state to)
{
	assert(reader_states[r->now].next & TO(to));
	r->now = to;
}

struct spdy_reader *spdy_reader_new(void)
{
	struct spdy_reader *r = new_zero(struct spdy_reader);

	if (inflateInit(&r->inflate) != Z_OK)
		abort();
	return r;
}

void spdy_reader_free(struct spdy_reader *r)
{
	if (!r)
		return;
	inflateEnd(&r->inflate);
	buf_free(&r->body);
	free(r);
}

void spdy_reader_stop(struct spdy_reader *r)
{
	r->now = BROKEN;
}

/* ---- control frames ---- */

/* The bytes of the body before the headers. -1: a frame without headers. */
static int headers_offset(enum spdy_type t)
{
	return t == SPDY_SYN_STREAM ? 10 : t == SPDY_SYN_REPLY || t == SPDY_HEADERS ? 4 : -1;
}

static size_t shortest(enum spdy_type t)
{
	int at = headers_offset(t);

	if (at >= 0)
		return (size_t)at;
	return t == SPDY_PING || t == SPDY_SETTINGS ? 4 : 8;
}

/* Each setting: 8 bits of flags, 24 of id, 32 of value. */
static uint32_t initial_window(const uint8_t *body, size_t len)
{
	uint32_t count = be32_get(body);

	for (size_t at = 4; count && at + 8 <= len; at += 8, count--)
		if ((be32_get(body + at) & 0xffffff) == SETTING_INITIAL_WINDOW)
			return be32_get(body + at + 4);
	return 0;
}

static int spdy_control_frame(struct spdy_reader *r, spdy_on_frame *fn, void *arg, struct err *e)
{
	struct spdy_frame *f = &r->frame;
	const uint8_t *body = r->body.at;
	int at = headers_offset(f->type), rc = 0;
	struct arena *a = arena_new();

	if (f->type == SPDY_SETTINGS) {
		f->value = initial_window(body, r->body.len);
	} else if (f->type == SPDY_PING) {
		f->value = be32_get(body);
	} else {
		f->stream = be32_get(body) & STREAM_MASK;
		f->value = at < 0 ? be32_get(body + 4) : 0;
	}
	if (f->type == SPDY_WINDOW_UPDATE)
		f->value &= STREAM_MASK;
	if (at >= 0)
		rc = spdy_inflate(&r->inflate, body + at, r->body.len - (size_t)at, a, &f->headers, e);
	if (rc == 0)
		fn(arg, f);
	arena_free(a);
	return rc;
}

static int on_spdy_head(struct spdy_reader *r, struct err *e)
{
	unsigned version = (unsigned)(r->head[0] & ~CONTROL_BIT) << 8 | r->head[1],
		 type = (unsigned)r->head[2] << 8 | r->head[3];

	r->have = 0;
	r->left = be32_get(r->head + 4) & 0xffffff;
	r->frame = (struct spdy_frame){ .fin = r->head[4] & SPDY_FIN };
	if (!(r->head[0] & CONTROL_BIT)) {
		r->frame.type = SPDY_DATA;
		r->frame.stream = be32_get(r->head) & STREAM_MASK;
		reader_move(r, DATA);
		return 0;
	}
	if (version != VERSION)
		return err_set(e, ERR_INVALID_ARGUMENT, "spdy: a frame of version %u", version);
	if (type < SPDY_SYN_STREAM || type > SPDY_WINDOW_UPDATE || type == 5) {
		reader_move(r, SKIP);
		return 0;
	}
	r->frame.type = (enum spdy_type)type;
	if (r->left > SPDY_CONTROL_MAX || r->left < shortest(r->frame.type))
		return err_set(e, ERR_INVALID_ARGUMENT, "spdy: a frame of kind %u with %zu bytes", type, r->left);
	reader_move(r, BODY);
	return 0;
}

/* ---- reading ---- */

static size_t spdy_take_head(struct spdy_reader *r, const uint8_t *p, size_t n, struct err *e, int *rc)
{
	size_t want = HEAD_SIZE - r->have;

	if (n > want)
		n = want;
	memcpy(r->head + r->have, p, n);
	r->have += n;
	if (r->have == HEAD_SIZE)
		*rc = on_spdy_head(r, e);
	return n;
}

static void spdy_data_piece(struct spdy_reader *r, const uint8_t *p, size_t n, spdy_on_frame *fn, void *arg)
{
	struct spdy_frame f = r->frame;

	f.data = p;
	f.len = n;
	f.fin = r->frame.fin && n == r->left;
	fn(arg, &f);
}

static size_t spdy_take_body(struct spdy_reader *r, const uint8_t *p, size_t n, spdy_on_frame *fn, void *arg,
			     struct err *e, int *rc)
{
	if (n > r->left)
		n = r->left;
	if (r->now == DATA)
		spdy_data_piece(r, p, n, fn, arg);
	else if (r->now == BODY)
		buf_append(&r->body, p, n);
	r->left -= n;
	if (r->left || r->now == BROKEN)
		return n;
	if (r->now == BODY) {
		*rc = spdy_control_frame(r, fn, arg, e);
		buf_free(&r->body);
	}
	if (*rc == 0 && r->now != BROKEN)
		reader_move(r, HEAD);
	return n;
}

int spdy_read(struct spdy_reader *r, const uint8_t *p, size_t n, spdy_on_frame *fn, void *arg, struct err *e)
{
	int rc = 0;

	/* An empty body is complete without a further byte. */
	while ((n || (r->now != HEAD && !r->left)) && r->now != BROKEN && rc == 0) {
		size_t took = r->now == HEAD ? spdy_take_head(r, p, n, e, &rc)
					     : spdy_take_body(r, p, n, fn, arg, e, &rc);

		p += took;
		n -= took;
	}
	if (rc < 0)
		r->now = BROKEN;
	return rc;
}

/* ---- writing ---- */

struct spdy_writer {
	z_stream deflate;
};

struct spdy_writer *spdy_writer_new(void)
{
	struct spdy_writer *w = new_zero(struct spdy_writer);
	size_t len;
	const Bytef *dict = spdy_dictionary(&len);

	/* There are few headers: windowBits 11, the smallest window that holds the dictionary, and memLevel 1 take 9
	 * KiB instead of zlib's default of 256 (the formula is in zconf.h). */
	if (deflateInit2(&w->deflate, Z_BEST_SPEED, Z_DEFLATED, 11, 1, Z_DEFAULT_STRATEGY) != Z_OK ||
	    deflateSetDictionary(&w->deflate, dict, (uInt)len) != Z_OK)
		abort();
	return w;
}

void spdy_writer_free(struct spdy_writer *w)
{
	if (!w)
		return;
	deflateEnd(&w->deflate);
	free(w);
}

static void put_control(struct buf *out, enum spdy_type type, uint8_t flags, const uint8_t *body, size_t n)
{
	uint8_t head[HEAD_SIZE] = { CONTROL_BIT, VERSION, 0, (uint8_t)type };

	be32_put(head + 4, (uint32_t)flags << 24 | (uint32_t)n);
	buf_append(out, head, sizeof(head));
	buf_append(out, body, n);
}

void spdy_put_headers(struct spdy_writer *w, struct buf *out, enum spdy_type type, uint32_t stream, bool fin,
		      const struct pairs *headers)
{
	struct buf body = { 0 };
	uint8_t before[10] = { 0 };

	be32_put(before, stream);
	buf_append(&body, before, (size_t)headers_offset(type));
	spdy_deflate(&w->deflate, headers, &body);
	put_control(out, type, fin ? SPDY_FIN : 0, body.at, body.len);
	buf_free(&body);
}

void spdy_put_data(struct buf *out, uint32_t stream, bool fin, const void *p, size_t n)
{
	uint8_t head[HEAD_SIZE];

	be32_put(head, stream & STREAM_MASK);
	be32_put(head + 4, (fin ? (uint32_t)SPDY_FIN << 24 : 0) | (uint32_t)n);
	buf_append(out, head, sizeof(head));
	buf_append(out, p, n);
}

static void put_two(struct buf *out, enum spdy_type type, uint32_t first, uint32_t second)
{
	uint8_t body[8];

	be32_put(body, first);
	be32_put(body + 4, second);
	put_control(out, type, 0, body, sizeof(body));
}

void spdy_put_reset(struct buf *out, uint32_t stream, enum spdy_status status)
{
	put_two(out, SPDY_RST_STREAM, stream, status);
}

void spdy_put_ping(struct buf *out, uint32_t id)
{
	uint8_t body[4];

	be32_put(body, id);
	put_control(out, SPDY_PING, 0, body, sizeof(body));
}

void spdy_put_goaway(struct buf *out, uint32_t last_stream, uint32_t status)
{
	put_two(out, SPDY_GOAWAY, last_stream, status);
}

void spdy_put_window_update(struct buf *out, uint32_t stream, uint32_t delta)
{
	put_two(out, SPDY_WINDOW_UPDATE, stream, delta);
}
