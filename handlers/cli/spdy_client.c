/* spdy_client.c - see spdy_client.h.
 *
 *   ASK ---101---> OPEN ---end of file, error, a frame that is none---> GONE
 *    +---refused, error, 30 s---> GONE
 *
 * conduit.h is not used: while it is paused it drops the unread bytes of a peer that has closed, and here those bytes
 * are the output of a command. Waits on: the socket (ASK, OPEN), a timer (ASK). */
#include "handlers/cli/spdy_client.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "handlers/cli/upgrade.h"
#include "reactor/list.h"
#include "reactor/listen.h"
#include "reactor/loop.h"
#include "reactor/own.h"
#include "reactor/sm.h"
#include "reactor/spdy.h"

enum { ASK_MS = 30000, READ_BYTES = 64 * 1024, DATA_BYTES = 32 * 1024, HIGH_BYTES = 256 * 1024, LOW_BYTES = 64 * 1024 };

enum spdy_client_state { ASK, OPEN, GONE };
static const struct sm_state spdy_client_states[] = {
	[ASK]  = { "ASK",  TO(OPEN) | TO(GONE) },
	[OPEN] = { "OPEN", TO(GONE) },
	[GONE] = { "GONE", 0 },
};

struct cli_spdy {
	struct sm sm;
	int fd;
	struct fd_watch watch;
	struct timer timer;
	struct buf in, out; /* in: in ASK only */
	struct spdy_reader *reader;
	struct spdy_writer *writer;
	uint32_t last_id;
	bool paused, full;
	const struct cli_spdy_events *events;
	void *arg;
};

static void on_spdy_ready(struct fd_watch *w, int events);

static void spdy_watch(struct cli_spdy *s)
{
	fd_watch_set(&s->watch, s->fd, (s->paused ? 0 : FD_READ) | (s->out.len ? FD_WRITE : 0), on_spdy_ready);
}

/* `e` NULL: end of file. */
static void spdy_gone(struct cli_spdy *s, const struct err *e)
{
	struct err closed;

	err_set(&closed, ERR_UNAVAILABLE, "the stream server has closed the connection");
	sm_move(&s->sm, GONE);
	fd_watch_clear(&s->watch);
	timer_clear(&s->timer);
	s->events->gone(s->arg, e ? e : &closed);
}

static void spdy_gone_os(struct cli_spdy *s, const char *what)
{
	struct err e;

	err_os(&e, ERR_UNAVAILABLE, "stream: %s", what);
	spdy_gone(s, &e);
}

static void on_spdy_late(struct timer *t)
{
	struct err e;

	err_set(&e, ERR_UNAVAILABLE, "the stream server did not answer for %d s", ASK_MS / 1000);
	spdy_gone(container_of(t, struct cli_spdy, timer), &e);
}

/* ---- in ---- */

static void on_spdy_frame(void *arg, const struct spdy_frame *f)
{
	struct cli_spdy *s = arg;

	switch (f->type) {
	case SPDY_DATA:
		if (f->len)
			s->events->data(s->arg, f->stream, f->data, f->len);
		if (f->fin)
			s->events->end(s->arg, f->stream);
		return;
	case SPDY_SYN_REPLY:
		if (f->fin)
			s->events->end(s->arg, f->stream);
		return;
	case SPDY_RST_STREAM:
		return s->events->end(s->arg, f->stream);
	case SPDY_PING:
		if (f->value % 2 == 0) /* an odd id would answer a PING of this end, which sends none */
			spdy_put_ping(&s->out, f->value);
		return;
	case SPDY_SYN_STREAM:    /* servers open no streams */
	case SPDY_SETTINGS:
	case SPDY_WINDOW_UPDATE: /* crispd, and those that use the common Go server, take what is sent */
	case SPDY_GOAWAY:        /* the open streams go on */
	case SPDY_HEADERS:
		return;
	}
}

static void spdy_take(struct cli_spdy *s, const uint8_t *p, size_t n)
{
	struct err e;

	if (spdy_read(s->reader, p, n, on_spdy_frame, s, &e) < 0)
		return spdy_gone(s, &e);
	spdy_watch(s);
}

static void spdy_answer(struct cli_spdy *s)
{
	struct err e;
	ssize_t n = cli_upgrade_answer(s->in.at, s->in.len, &e);

	if (n < 0)
		return spdy_gone(s, &e);
	if (!n)
		return;
	sm_move(&s->sm, OPEN);
	timer_clear(&s->timer);
	buf_consume(&s->in, (size_t)n);
	s->events->ready(s->arg);
	if (s->in.len)
		spdy_take(s, s->in.at, s->in.len);
	buf_free(&s->in);
}

static void spdy_receive(struct cli_spdy *s)
{
	static uint8_t piece[READ_BYTES];
	ssize_t n = read(s->fd, piece, sizeof(piece));

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n < 0)
		return spdy_gone_os(s, "read");
	if (n == 0)
		return spdy_gone(s, NULL);
	if (s->sm.now == OPEN)
		return spdy_take(s, piece, (size_t)n);
	buf_append(&s->in, piece, (size_t)n);
	spdy_answer(s);
}

/* ---- out ---- */

/* A server that has ended everything may close before it has read all input: what it sent is still to be read. */
static bool spdy_flush(struct cli_spdy *s)
{
	ssize_t n = s->out.len ? buf_write(&s->out, s->fd) : 0;

	if (n >= 0 || errno == EAGAIN || errno == EINTR)
		return true;
	if (s->sm.now == ASK) {
		spdy_gone_os(s, "connect");
		return false;
	}
	buf_consume(&s->out, s->out.len);
	return true;
}

static void on_spdy_ready(struct fd_watch *w, int events)
{
	struct cli_spdy *s = container_of(w, struct cli_spdy, watch);

	if (events & FD_WRITE && !spdy_flush(s))
		return;
	if (s->full && s->out.len <= LOW_BYTES) {
		s->full = false;
		if (s->sm.now == OPEN)
			s->events->room(s->arg);
	}
	if (events & FD_READ && !s->paused)
		spdy_receive(s);
	if (s->sm.now != GONE)
		spdy_watch(s);
}

static void spdy_send(struct cli_spdy *s)
{
	s->full |= s->out.len >= HIGH_BYTES;
	if (s->sm.now == OPEN)
		spdy_watch(s);
}

uint32_t cli_spdy_open(struct cli_spdy *s, const struct pairs *headers)
{
	uint32_t id = s->last_id ? s->last_id + 2 : 1;

	s->last_id = id;
	spdy_put_headers(s->writer, &s->out, SPDY_SYN_STREAM, id, false, headers);
	spdy_send(s);
	return id;
}

void cli_spdy_write(struct cli_spdy *s, uint32_t stream, const void *p, size_t n)
{
	const uint8_t *at = p;

	while (n) {
		size_t piece = n < DATA_BYTES ? n : DATA_BYTES;

		spdy_put_data(&s->out, stream, false, at, piece);
		at += piece;
		n -= piece;
	}
	spdy_send(s);
}

void cli_spdy_end(struct cli_spdy *s, uint32_t stream)
{
	spdy_put_data(&s->out, stream, true, NULL, 0);
	spdy_send(s);
}

void cli_spdy_reset(struct cli_spdy *s, uint32_t stream)
{
	spdy_put_reset(&s->out, stream, SPDY_CANCEL);
	spdy_send(s);
}

bool cli_spdy_has_room(const struct cli_spdy *s)
{
	return !s->full;
}

void cli_spdy_pause(struct cli_spdy *s, bool paused)
{
	s->paused = paused;
	if (s->sm.now == OPEN)
		spdy_watch(s);
}

void cli_spdy_widen(struct cli_spdy *s, uint32_t stream, size_t n)
{
	spdy_put_window_update(&s->out, stream, (uint32_t)n);
	spdy_send(s);
}

/* ---- begin and end ---- */

static int spdy_connect(const struct cli_upgrade_url *url, struct err *e)
{
	auto_fd int fd = -1;
	struct listen_address to;
	int on = 1;

	if (listen_parse(url->address, &to, e) < 0)
		return -1;
	fd = socket(to.sa.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0 || (connect(fd, (const struct sockaddr *)&to.sa, to.len) < 0 && errno != EINPROGRESS))
		return err_os(e, ERR_UNAVAILABLE, "%s: connect", url->address);
	if (to.sa.ss_family != AF_UNIX)
		setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on)); /* a key on a terminal is one byte */
	return take_fd(&fd);
}

struct cli_spdy *cli_spdy_start(const char *url, const char *cri, const char *protocol,
				const struct cli_spdy_events *events, void *arg, struct err *e)
{
	struct arena *a = arena_new();
	struct cli_upgrade_url where;
	struct cli_spdy *s = NULL;
	int fd = cli_upgrade_url(&where, url, cri, a, e) < 0 ? -1 : spdy_connect(&where, e);

	if (fd >= 0) {
		s = new_zero(struct cli_spdy);
		s->sm = (struct sm){ spdy_client_states, "cli_spdy", "", ASK };
		s->fd = fd;
		s->events = events;
		s->arg = arg;
		s->reader = spdy_reader_new();
		s->writer = spdy_writer_new();
		cli_upgrade_ask(&s->out, &where, protocol);
		timer_set(&s->timer, ASK_MS, on_spdy_late);
		spdy_watch(s);
	}
	arena_free(a);
	return s;
}

void cli_spdy_free(struct cli_spdy *s)
{
	fd_watch_clear(&s->watch);
	timer_clear(&s->timer);
	close(s->fd);
	buf_free(&s->in);
	buf_free(&s->out);
	spdy_reader_free(s->reader);
	spdy_writer_free(s->writer);
	free(s);
}
