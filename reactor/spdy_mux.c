/* spdy_mux.c - see spdy_mux.h. A stream lives until both its halves are closed:
 *
 *   OPEN ---peer's FIN---> PEER_CLOSED ---our FIN, no byte waits---> freed
 *     |                                                              ^
 *     +---our FIN, no byte waits---> WE_CLOSED ---peer's FIN---------+---RST_STREAM of either side, in any state
 *
 * What one frame costs does not grow with the number of streams, since a peer chooses both: a stream is found by binary
 * search, a SETTINGS frame changes one number, and waiting bytes are sent once for all frames of a read. */
#include "reactor/spdy_mux.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "reactor/own.h"

struct stream {
	uint32_t id;
	bool peer_closed, we_closed, fin_waits;
	struct buf waiting; /* bytes for which the windows have no room */
	/* Bytes that may be sent, less the initial window; the sum of both is below 0 after the peer made its window
	 * smaller. */
	int64_t window;
	size_t taken;       /* received bytes that the user has taken, not yet in a WINDOW_UPDATE */
};

struct spdy_mux {
	const struct spdy_mux_events *events;
	void *arg;
	struct spdy_reader *reader;
	struct spdy_writer *writer;
	struct buf out;
	struct stream **at; /* n of them, in the order of their ids: each new id is above all earlier ones */
	size_t n, size;
	uint32_t last_id;
	int64_t initial_window, window; /* of a new stream; of the connection */
	size_t taken;
	bool flow, gone_away, stopped;
	bool wider; /* a window has become larger: waiting bytes are sent after the frames of this read */
	struct err fault; /* of the frame just read */
};

struct spdy_mux *spdy_mux_new(const struct spdy_mux_events *events, void *arg)
{
	struct spdy_mux *m = new_zero(struct spdy_mux);

	m->events = events;
	m->arg = arg;
	m->reader = spdy_reader_new();
	m->writer = spdy_writer_new();
	m->initial_window = m->window = SPDY_WINDOW;
	return m;
}

/* The place of the first stream whose id is not below this id. */
static size_t mux_place(const struct spdy_mux *m, uint32_t id)
{
	size_t low = 0, high = m->n;

	while (low < high) {
		size_t middle = (low + high) / 2;

		if (m->at[middle]->id < id)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static struct stream *mux_find(const struct spdy_mux *m, uint32_t id)
{
	size_t i = mux_place(m, id);

	return i < m->n && m->at[i]->id == id ? m->at[i] : NULL;
}

static struct stream *stream_new(struct spdy_mux *m, uint32_t id)
{
	struct stream *s = new_zero(struct stream);

	if (m->n == m->size) {
		m->size = m->size ? m->size * 2 : 16;
		m->at = own_must(realloc(m->at, m->size * sizeof(*m->at)));
	}
	s->id = id;
	m->at[m->n++] = s;
	return s;
}

static void stream_free(struct spdy_mux *m, struct stream *s)
{
	size_t i = mux_place(m, s->id);

	m->n--;
	memmove(&m->at[i], &m->at[i + 1], (m->n - i) * sizeof(*m->at));
	buf_free(&s->waiting);
	free(s);
}

void spdy_mux_free(struct spdy_mux *m)
{
	if (!m)
		return;
	while (m->n)
		stream_free(m, m->at[m->n - 1]);
	free(m->at);
	spdy_reader_free(m->reader);
	spdy_writer_free(m->writer);
	buf_free(&m->out);
	free(m);
}

void spdy_mux_stop(struct spdy_mux *m)
{
	m->stopped = true;
	spdy_reader_stop(m->reader);
}

static void mux_flush(struct spdy_mux *m)
{
	if (m->out.len)
		m->events->send(m->arg, m->out.at, m->out.len);
	buf_free(&m->out);
}

static void mux_end_if_closed(struct spdy_mux *m, struct stream *s)
{
	if (s->peer_closed && s->we_closed)
		stream_free(m, s);
}

/* ---- out ---- */

static size_t mux_may_send(const struct spdy_mux *m, const struct stream *s, size_t n)
{
	int64_t of_stream = m->initial_window + s->window;
	int64_t room = of_stream < m->window ? of_stream : m->window;

	if (!m->flow)
		return n;
	if (room <= 0)
		return 0;
	return (size_t)room < n ? (size_t)room : n;
}

static void mux_put_data(struct spdy_mux *m, struct stream *s, const uint8_t *p, size_t n)
{
	s->window -= (int64_t)n;
	m->window -= (int64_t)n;
	while (n) {
		size_t piece = n < SPDY_DATA_MAX ? n : SPDY_DATA_MAX;

		spdy_put_data(&m->out, s->id, false, p, piece);
		p += piece;
		n -= piece;
	}
}

static void mux_put_fin(struct spdy_mux *m, struct stream *s)
{
	s->fin_waits = false;
	s->we_closed = true;
	spdy_put_data(&m->out, s->id, true, NULL, 0);
	mux_end_if_closed(m, s);
}

void spdy_mux_write(struct spdy_mux *m, uint32_t stream, const void *p, size_t n)
{
	struct stream *s = mux_find(m, stream);
	size_t now;

	if (!n || !s || s->we_closed || s->fin_waits)
		return;
	now = s->waiting.len ? 0 : mux_may_send(m, s, n);
	mux_put_data(m, s, p, now);
	buf_append(&s->waiting, (const uint8_t *)p + now, n - now);
	mux_flush(m);
}

void spdy_mux_fin(struct spdy_mux *m, uint32_t stream)
{
	struct stream *s = mux_find(m, stream);

	if (!s || s->we_closed || s->fin_waits)
		return;
	if (s->waiting.len)
		s->fin_waits = true;
	else
		mux_put_fin(m, s);
	mux_flush(m);
}

void spdy_mux_reset(struct spdy_mux *m, uint32_t stream, enum spdy_status status)
{
	struct stream *s = mux_find(m, stream);

	if (!s)
		return;
	spdy_put_reset(&m->out, stream, status);
	stream_free(m, s);
	mux_flush(m);
}

size_t spdy_mux_waiting(const struct spdy_mux *m, uint32_t stream)
{
	const struct stream *s = mux_find(m, stream);

	return s ? s->waiting.len : 0;
}

void spdy_mux_goaway(struct spdy_mux *m)
{
	if (m->gone_away)
		return;
	m->gone_away = true;
	spdy_put_goaway(&m->out, m->last_id, 0);
	mux_flush(m);
}

/* One WINDOW_UPDATE for half a window: few frames, and the peer still has the other half to send. */
void spdy_mux_taken(struct spdy_mux *m, uint32_t stream, size_t n)
{
	struct stream *s = mux_find(m, stream);

	m->taken += n;
	if (m->taken >= SPDY_WINDOW / 2) {
		spdy_put_window_update(&m->out, 0, (uint32_t)m->taken);
		m->taken = 0;
	}
	if (s && !s->peer_closed) {
		s->taken += n;
		if (s->taken >= SPDY_WINDOW / 2) {
			spdy_put_window_update(&m->out, stream, (uint32_t)s->taken);
			s->taken = 0;
		}
	}
	mux_flush(m);
}

/* ---- in ---- */

static int mux_broken(struct spdy_mux *m, const char *what)
{
	spdy_put_goaway(&m->out, m->last_id, SPDY_PROTOCOL_ERROR);
	m->gone_away = true;
	spdy_mux_stop(m);
	return err_set(&m->fault, ERR_INVALID_ARGUMENT, "spdy: %s", what);
}

static void on_mux_syn_stream(struct spdy_mux *m, const struct spdy_frame *f)
{
	static const struct pairs none = { 0 };
	struct stream *s;

	if (f->stream % 2 == 0 || f->stream <= m->last_id) {
		mux_broken(m, "a stream id that is even, or not above the last one");
		return;
	}
	m->last_id = f->stream;
	if (m->gone_away || m->n >= SPDY_STREAMS_MAX)
		return spdy_put_reset(&m->out, f->stream, SPDY_REFUSED_STREAM);
	s = stream_new(m, f->stream);
	s->peer_closed = f->fin;
	spdy_put_headers(m->writer, &m->out, SPDY_SYN_REPLY, s->id, false, &none);
	m->events->open(m->arg, f->stream, &f->headers);
	if (f->fin && !m->stopped && mux_find(m, f->stream))
		m->events->fin(m->arg, f->stream);
}

/* The stream is looked up again after each event, because the user may have ended it there. */
static void on_mux_data(struct spdy_mux *m, const struct spdy_frame *f)
{
	struct stream *s = mux_find(m, f->stream);

	if (!s || s->peer_closed) {
		/* Data of a stream that was reset here still uses the connection's window: it is given back. */
		spdy_mux_taken(m, f->stream, f->len);
		if (!s && f->stream > m->last_id)
			mux_broken(m, "data on a stream that was never opened");
		return;
	}
	s->peer_closed = f->fin;
	if (f->len)
		m->events->data(m->arg, f->stream, f->data, f->len);
	if (!f->fin || m->stopped)
		return;
	if (mux_find(m, f->stream))
		m->events->fin(m->arg, f->stream);
	s = mux_find(m, f->stream);
	if (s)
		mux_end_if_closed(m, s);
}

static void on_mux_reset(struct spdy_mux *m, uint32_t id)
{
	struct stream *s = mux_find(m, id);

	if (!s)
		return;
	stream_free(m, s);
	m->events->reset(m->arg, id);
}

/* Sends waiting bytes as far as the windows allow. */
static void mux_let_go(struct spdy_mux *m, struct stream *s)
{
	size_t n = mux_may_send(m, s, s->waiting.len);
	uint32_t id = s->id;

	if (!n)
		return;
	mux_put_data(m, s, s->waiting.at, n);
	buf_consume(&s->waiting, n);
	if (s->waiting.len)
		return;
	if (s->fin_waits)
		mux_put_fin(m, s);
	m->events->room(m->arg, id);
}

/* The next stream is looked up by its id, because the user may have ended any stream in an event. */
static void mux_let_all_go(struct spdy_mux *m)
{
	m->wider = false;
	for (size_t i = 0; i < m->n && !m->stopped;) {
		uint32_t id = m->at[i]->id;

		mux_let_go(m, m->at[i]);
		i = mux_place(m, id + 1);
	}
}

static void on_mux_window_update(struct spdy_mux *m, const struct spdy_frame *f)
{
	struct stream *s = f->stream ? mux_find(m, f->stream) : NULL;
	int64_t now = f->stream ? s ? m->initial_window + s->window : 0 : m->window;

	if (f->stream && !s)
		return;
	/* Bytes that were sent before this first update have been subtracted from both windows already. */
	m->flow = true;
	if (!f->value || now + f->value > INT32_MAX) {
		mux_broken(m, "a window that is over 2^31 - 1, or an update by 0");
		return;
	}
	*(s ? &s->window : &m->window) += f->value;
	m->wider = true;
}

static void on_mux_settings(struct spdy_mux *m, uint32_t initial_window)
{
	m->flow = true;
	if (!initial_window)
		return;
	m->initial_window = initial_window & INT32_MAX;
	m->wider = true;
}

static void on_mux_frame(void *arg, const struct spdy_frame *f)
{
	struct spdy_mux *m = arg;

	switch (f->type) {
	case SPDY_SYN_STREAM:
		return on_mux_syn_stream(m, f);
	case SPDY_DATA:
		return on_mux_data(m, f);
	case SPDY_RST_STREAM:
		return on_mux_reset(m, f->stream);
	case SPDY_WINDOW_UPDATE:
		return on_mux_window_update(m, f);
	case SPDY_SETTINGS:
		return on_mux_settings(m, f->value);
	case SPDY_PING:
		if (f->value % 2) /* an even id would answer a PING of this end, which sends none */
			spdy_put_ping(&m->out, f->value);
		return;
	case SPDY_GOAWAY:     /* the peer opens no more streams; the open ones go on */
	case SPDY_SYN_REPLY:  /* this end opens no streams */
	case SPDY_HEADERS:
		return;
	}
}

int spdy_mux_read(struct spdy_mux *m, const uint8_t *p, size_t n, struct err *e)
{
	int rc;

	m->fault.code = ERR_OK;
	rc = spdy_read(m->reader, p, n, on_mux_frame, m, &m->fault);
	if (m->wider)
		mux_let_all_go(m);
	if (rc < 0 && !m->stopped)
		spdy_put_goaway(&m->out, m->last_id, SPDY_PROTOCOL_ERROR);
	mux_flush(m);
	if (m->fault.code == ERR_OK)
		return 0;
	*e = m->fault;
	return -1;
}
