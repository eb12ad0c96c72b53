/* log_pump.c - see log_pump.h. Each stream is a FIFO and goes round this machine:
 *
 *        +--readable--> LOOK: whole lines there? move them -----------------+
 *        |                 |only a piece of a line      |log cannot be written
 *   WATCHING <--moved------+--> LINGER (LOOK again soon, P after 10 ms)     |
 *        ^                 +--a reader is paused--> PARKED                  |
 *        ^                                                                  |
 *        +---1 ms of rest when lines come one by one <----------------------+--> REFUSED: again in 1 s
 *
 * A piece of a line waits in the FIFO, so a crash does not lose it. While the disk of the log is full, up to 64 KiB of
 * a stream wait in a pipe that the keeper holds (log_stage.h), the rest in the FIFO, and the container blocks on it.
 *
 * Before a pipe or a log is used the keeper must have it; a stream that has bytes looks again in 5 ms.
 * (ARCHITECTURE K70, K71)
 *
 * The FIFO of a bulk writer is made larger. Then the writer goes on while bytes are moved and while a piece lingers.
 * (ARCHITECTURE L2, L4) */
#include "procs/log_pump.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "procs/keeper.h"
#include "procs/log_format.h"
#include "procs/log_held.h"
#include "procs/log_stage.h"
#include "reactor/logfile.h"
#include "reactor/lookup.h"
#include "reactor/fault.h"
#include "reactor/log.h"
#include "reactor/loop.h"
#include "reactor/metric.h"
#include "reactor/own.h"

/* When a FIFO of the normal size ends with a piece of a line, its writer is probably waiting for room and writes again
 * soon. So for BUSY_NS after a large move the next look is due at once; otherwise each 64 KiB would wait LOOK_MS. */
enum {
	LINGER_MS = 10,
	LOOK_MS = 1,
	BUSY_NS = 500000,
	REST_MS = 1,
	OFTEN_MS = 5, /* less than this between two moves: the writer is a steady one */
	AGAIN_MS = 1000,
	KEEPER_MS = 5, /* between two looks whether the keeper has confirmed a pipe or the log */
	DRAIN_MS = 2000,
	SMALL_BYTES = 4096,
	BULK_BYTES = LOG_CHUNK / 2,
	BULK_FIFO_BYTES = 1024 * 1024,  /* the limit of an unprivileged user: /proc/sys/fs/pipe-max-size */
	LAST_CHUNKS = BULK_FIFO_BYTES / LOG_CHUNK, /* a whole FIFO */
	TURN_CHUNKS = 4                 /* chunks of LOG_CHUNK bytes of one stream in one turn of the loop */
};

struct stream {
	struct log_pump *pump;
	bool is_stderr;
	int fd; /* borrowed from keeper.c */
	struct fd_watch watch;
	struct timer timer;    /* LINGER, rest or AGAIN */
	bool refused;          /* the stage keeps bytes that the log did not take */
	bool waits;            /* there are bytes, and the keeper is to confirm a pipe or the log first */
	int64_t moved_ns;      /* of the last move */
	size_t moved;          /* bytes of it */
	int64_t piece_ns;      /* since this time the FIFO holds only a piece of a line; 0: it does not */
	bool ended;            /* end of file was seen, and the FIFO was not opened since */
	bool parked;           /* until no reader is paused */
	bool woken;            /* by the FIFO, and nothing was read from it yet */
	enum { NORMAL, LARGE, FIXED } fifo; /* FIXED: it cannot be made larger */
};

struct log_pump {
	char id[72];
	char *dir;
	struct log_held log;
	struct stream streams[2];
	struct log_reader *readers;
	int64_t opened_ns;    /* 0: the first byte has come, or the pump was taken up after a restart */
	void (*drained)(void *arg); /* NULL: not draining */
	void *arg;
	struct timer drain_timer;
	bool drain_over;
	bool patient;         /* drain without an end, as long as the log refuses bytes */
	struct link link;     /* in `pumps` */
};

static struct link pumps = { &pumps, &pumps }; /* of struct log_pump.link */

static void stream_look(struct stream *s, bool flush);

static void pump_held_name(char out[128], const char *id, const char *what)
{
	snprintf(out, 128, "container/%s/%s", id, what);
}

static void on_pump_drained(struct timer *t)
{
	struct log_pump *p = container_of(t, struct log_pump, drain_timer);
	void (*drained)(void *arg) = p->drained;

	p->drained = NULL;
	drained(p->arg);
}

static void pump_check_drained(struct log_pump *p)
{
	if (!p->drained || p->drain_over || !p->streams[0].ended || !p->streams[1].ended)
		return;
	p->drain_over = true;
	timer_set(&p->drain_timer, 0, on_pump_drained);
}

/* ---- one stream ---- */

static void on_stream_again(struct timer *t);

static struct log_stage_target stream_target(const struct stream *s)
{
	return (struct log_stage_target){ s->pump->id, s->pump->log.fd, s->is_stderr };
}

/* The bytes that the log refused. An error is not logged: stream_refused() has said it. */
static void stream_write_refused(struct stream *s)
{
	struct log_stage_target target = stream_target(s);
	struct err e;

	if (log_held_ready(&s->pump->log) && log_stage_again(&target, &e) == 0)
		s->refused = false;
}

static void on_stream_readable(struct fd_watch *w, int events)
{
	struct stream *s = container_of(w, struct stream, watch);

	(void)events;
	s->woken = true;
	stream_look(s, false);
}

static void stream_watch(struct stream *s)
{
	timer_clear(&s->timer);
	fd_watch_set(&s->watch, s->fd, FD_READ, on_stream_readable);
}

static void stream_wait_ms(struct stream *s, int64_t ms, void (*then)(struct timer *t))
{
	fd_watch_clear(&s->watch);
	timer_set(&s->timer, ms, then);
}

static void on_stream_again(struct timer *t)
{
	struct stream *s = container_of(t, struct stream, timer);

	stream_write_refused(s);
	if (s->refused)
		return stream_wait_ms(s, AGAIN_MS, on_stream_again);
	log_info("log_writable container=%.12s", s->pump->id);
	stream_look(s, false);
}

static void on_stream_linger(struct timer *t)
{
	struct stream *s = container_of(t, struct stream, timer);

	stream_look(s, loop_mono_ns() - s->piece_ns >= LINGER_MS * 1000000);
}

static void stream_linger(struct stream *s)
{
	int64_t now_ns = loop_mono_ns();

	if (!s->piece_ns)
		s->piece_ns = now_ns;
	stream_wait_ms(s, s->fifo != LARGE && s->moved >= SMALL_BYTES && now_ns - s->moved_ns < BUSY_NS ? 0 : LOOK_MS,
		on_stream_linger);
}

static void on_stream_rested(struct timer *t)
{
	stream_look(container_of(t, struct stream, timer), false);
}

static void stream_refused(struct stream *s, size_t n, const struct err *e)
{
	log_warn("log_refused container=%.12s bytes=%zu error=%s", s->pump->id, n, log_quote(e->msg));
	metric_add(METRIC_log_refused_writes_total, NULL, 1);
	s->refused = true;
	stream_wait_ms(s, AGAIN_MS, on_stream_again);
}

/* The FIFO was readable and is empty: the container reads it too. A rest keeps that race from taking all of a CPU. */
static void stream_wait_for_more(struct stream *s)
{
	if (s->woken)
		stream_wait_ms(s, REST_MS, on_stream_rested);
	else
		stream_watch(s);
	s->woken = false;
}

/* tee(2) answers 0 at the end of file, but also when the container's own reader takes the bytes between its look and
 * its lock. A FIFO that nobody has opened for writing yet never hangs up; when it is drained, that is its end. */
static bool stream_is_over(const struct stream *s)
{
	struct pollfd fifo = { .fd = s->fd, .events = POLLIN };

	return s->pump->drained || (poll(&fifo, 1, 0) == 1 && fifo.revents == POLLHUP);
}

static void stream_tell_readers(struct stream *s, const char *bytes, size_t n)
{
	for (struct log_reader *r = s->pump->readers, *next; r; r = next) {
		next = r->next;
		r->fn(r, s->is_stderr, bytes, n);
	}
}

static void stream_at_end(struct stream *s)
{
	s->ended = true;
	fd_watch_clear(&s->watch);
	timer_clear(&s->timer);
	pump_check_drained(s->pump);
}

static void stream_make_room(struct stream *s)
{
	if (s->fifo == NORMAL)
		s->fifo = fcntl(s->fd, F_SETPIPE_SZ, BULK_FIFO_BYTES) < 0 ? FIXED : LARGE;
}

/* After small moves in quick succession it is cheaper to let bytes gather than to wake for each write. A large FIFO
 * does not hold up its writer meanwhile, so there a move waits until half a chunk is full. (ARCHITECTURE L3) */
static bool stream_should_rest(struct stream *s, size_t n)
{
	int64_t now_ns = loop_mono_ns();
	bool often = now_ns - s->moved_ns < OFTEN_MS * 1000000;

	s->moved_ns = now_ns;
	if (!often || s->pump->drained)
		return false;
	if (n >= SMALL_BYTES)
		stream_make_room(s);
	return n < (s->fifo == LARGE ? BULK_BYTES : SMALL_BYTES);
}

static bool pump_is_paused(const struct log_pump *p)
{
	if (p->log.opening)
		return true;
	for (const struct log_reader *r = p->readers; r; r = r->next)
		if (r->paused)
			return !p->drained;
	return false;
}

static void stream_park(struct stream *s)
{
	s->parked = true;
	fd_watch_clear(&s->watch);
	timer_clear(&s->timer);
}

static void stream_count_move(struct stream *s, size_t n)
{
	struct log_pump *p = s->pump;

	s->piece_ns = 0;
	s->moved = n;
	metric_add(METRIC_log_bytes_total, NULL, n);
	if (p->opened_ns)
		metric_observe_ns(METRIC_stage_seconds, "first_byte", loop_mono_ns() - p->opened_ns);
	p->opened_ns = 0;
}

static bool stream_waits(struct stream *s)
{
	s->waits = !log_held_ready(&s->pump->log) || !log_stage_ready();
	if (s->waits)
		stream_wait_ms(s, KEEPER_MS, on_stream_rested);
	return s->waits;
}

/* One round of the drawing. True: the stream stays at LOOK, since more bytes may be there. */
static bool stream_move(struct stream *s, bool flush)
{
	struct log_pump *p = s->pump;
	struct log_stage_target target = stream_target(s);
	struct log_stage_moved moved;
	const char *bytes;
	ssize_t there;
	size_t n;
	struct err e;
	int failed;

	s->waits = false;
	if (pump_is_paused(p))
		return stream_park(s), false;
	there = log_stage_peek(s->fd, &bytes);
	if (there == 0 && stream_is_over(s))
		return stream_at_end(s), false;
	if (there < 0 && errno != EAGAIN) /* the container took its bytes back (log_stage.c), or no fd is left */
		return stream_wait_ms(s, AGAIN_MS, on_stream_rested), false;
	if (there <= 0)
		return stream_wait_for_more(s), false;
	s->woken = false;
	n = log_format_take(bytes, (size_t)there, flush || p->drained || p->log.fd < 0);
	if (n == 0)
		return stream_linger(s), false;
	if (stream_waits(s))
		return false;
	failed = log_stage_move(s->fd, n, &target, &moved, &e);
	if (moved.n == 0 && !failed) /* the container read its own output */
		return stream_wait_ms(s, REST_MS, on_stream_rested), false;
	if (moved.n) {
		stream_count_move(s, moved.n);
		stream_tell_readers(s, moved.bytes, moved.n);
	}
	if (failed)
		return stream_refused(s, moved.n, &e), false;
	if (stream_should_rest(s, moved.n))
		return stream_wait_ms(s, REST_MS, on_stream_rested), false;
	return true;
}

static void stream_look(struct stream *s, bool flush)
{
	for (int i = 0; i < TURN_CHUNKS; i++)
		if (!stream_move(s, flush))
			return;
	stream_watch(s);
}

/* ---- opening and closing ---- */

static int pump_open_fifo(struct log_pump *p, const char *what, struct err *e)
{
	char name[128], path[600];
	auto_fd int fd = -1;

	pump_held_name(name, p->id, what);
	if (keeper_copy(name) >= 0)
		return keeper_copy(name);
	p->opened_ns = loop_mono_ns();
	snprintf(path, sizeof(path), "%s/%s", p->dir, what);
	fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	if (fd < 0 && errno == ENOENT && EFFECT(mkfifo(path, 0600)) < 0)
		return err_os(e, ERR_INTERNAL, "make %s", path);
	fd = fd >= 0 ? fd : open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	if (fd < 0)
		return err_os(e, ERR_INTERNAL, "open %s", path);
	return keeper_ask_hold(name, fd, e) < 0 ? -1 : keeper_copy(name);
}

static void pump_unpark(struct log_pump *p);

static void on_pump_log(struct log_held *log)
{
	pump_unpark(container_of(log, struct log_pump, log));
}

/* The FIFOs stay, and what the keeper holds. */
static void pump_free(struct log_pump *p)
{
	timer_clear(&p->drain_timer);
	for (int i = 0; i < 2; i++) {
		fd_watch_clear(&p->streams[i].watch);
		timer_clear(&p->streams[i].timer);
	}
	list_drop(&p->link);
	log_held_close(&p->log);
	free(p->dir);
	free(p);
}

int log_pumps_open(struct err *e)
{
	return log_stage_open(e);
}

struct log_pump *log_pump_open(const char *id, const char *dir, const char *log_path, int log_fd, struct err *e)
{
	static const char *const names[] = { "stdout", "stderr" };
	struct log_pump *p = new_zero(struct log_pump);
	int opened;

	snprintf(p->id, sizeof(p->id), "%s", id);
	p->dir = own_must(strdup(dir));
	list_append(&pumps, &p->link);
	for (int i = 0; i < 2; i++)
		p->streams[i] = (struct stream){ .pump = p, .is_stderr = i == 1, .fd = -1 };
	opened = log_held_open(&p->log, p->id, log_path, log_fd, on_pump_log, e);
	for (int i = 0; i < 2; i++) {
		p->streams[i].fd = opened < 0 ? -1 : pump_open_fifo(p, names[i], e);
		if (p->streams[i].fd < 0) {
			if (log_fd >= 0 || !*log_path)
				log_pump_close(p);
			else
				pump_free(p);
			return NULL;
		}
		p->streams[i].refused = log_stage_refused(p->id, i == 1) > 0;
		if (p->streams[i].refused)
			stream_wait_ms(&p->streams[i], 0, on_stream_again);
		else
			stream_watch(&p->streams[i]);
	}
	return p;
}

int log_pump_writer(struct log_pump *p, bool is_stderr, struct err *e)
{
	struct stream *s = &p->streams[is_stderr];
	char path[600];
	int fd;

	snprintf(path, sizeof(path), "%s/%s", p->dir, is_stderr ? "stderr" : "stdout");
	fd = open(path, O_RDWR | O_CLOEXEC);
	if (fd < 0)
		return err_os(e, ERR_INTERNAL, "open %s", path);
	s->ended = false;
	if (!s->refused)
		stream_watch(s);
	return fd;
}

void log_pump_listen(struct log_pump *p, struct log_reader *r)
{
	r->paused = false;
	r->next = p->readers;
	p->readers = r;
}

static void pump_unpark(struct log_pump *p)
{
	for (int i = 0; i < 2; i++)
		if (p->streams[i].parked && !pump_is_paused(p)) {
			p->streams[i].parked = false;
			stream_wait_ms(&p->streams[i], 0, on_stream_rested);
		}
}

void log_pump_pause(struct log_pump *p, struct log_reader *r, bool paused)
{
	r->paused = paused;
	pump_unpark(p);
}

void log_pump_unlisten(struct log_pump *p, struct log_reader *r)
{
	for (struct log_reader **at = &p->readers; *at; at = &(*at)->next)
		if (*at == r) {
			*at = r->next;
			return pump_unpark(p);
		}
}

int log_pump_reopen(struct log_pump *p, int log_fd, struct err *e)
{
	return log_held_reopen(&p->log, log_fd, e);
}

bool log_pump_reopened(struct log_pump *p)
{
	return log_held_ready(&p->log);
}

void log_pump_reopen_undo(struct log_pump *p)
{
	log_held_reopen_undo(&p->log);
}

static bool pump_is_refused(const struct log_pump *p)
{
	return p->log.opening || p->streams[0].refused || p->streams[1].refused || p->streams[0].waits ||
	       p->streams[1].waits;
}

static void on_pump_drain_timeout(struct timer *t)
{
	struct log_pump *p = container_of(t, struct log_pump, drain_timer);

	if (p->patient && pump_is_refused(p))
		return timer_set(t, DRAIN_MS, on_pump_drain_timeout);
	if (!pump_is_refused(p))
		log_info("log_drain container=%.12s effect=\"a descendant still holds the pipe\"", p->id);
	p->drain_over = true;
	on_pump_drained(t);
}

static void pump_drain(struct log_pump *p, bool patient, void (*drained)(void *arg), void *arg)
{
	p->drained = drained;
	p->arg = arg;
	p->patient = patient;
	p->drain_over = false;
	timer_set(&p->drain_timer, DRAIN_MS, on_pump_drain_timeout);
	for (int i = 0; i < 2; i++)
		if (!p->streams[i].refused && p->streams[i].fd >= 0 && !p->streams[i].ended)
			stream_look(&p->streams[i], true);
	pump_check_drained(p);
}

void log_pump_drain(struct log_pump *p, void (*drained)(void *arg), void *arg)
{
	pump_drain(p, false, drained, arg);
}

void log_pump_drain_late(struct log_pump *p, void (*drained)(void *arg), void *arg)
{
	pump_drain(p, true, drained, arg);
}

static size_t stream_left(const struct stream *s)
{
	int unread = 0;

	if (s->fd >= 0)
		ioctl(s->fd, FIONREAD, &unread);
	return log_stage_refused(s->pump->id, s->is_stderr) + (size_t)unread;
}

size_t log_pump_refused(const struct log_pump *p)
{
	return pump_is_refused(p) ? stream_left(&p->streams[0]) + stream_left(&p->streams[1]) : 0;
}

/* For a stream whose log refused bytes until now. What the log takes now is moved, also from the FIFO; the size of the
 * rest is logged. A descendant may go on writing, so the number of moves is bounded. */
static void stream_last_chance(struct stream *s)
{
	size_t left;

	if (!s->refused && !s->waits && !s->pump->log.opening)
		return;
	stream_write_refused(s);
	for (int i = 0; i < LAST_CHUNKS && !s->refused && stream_move(s, true); i++)
		;
	left = stream_left(s);
	if (left)
		log_error("log_lost container=%.12s bytes=%zu", s->pump->id, left);
	log_stage_give_up(s->pump->id, s->is_stderr);
}

static const char *const held_names[] = { "stdout", "stderr", "log" };

void log_pump_forget(const char *id)
{
	char name[128];

	for (size_t i = 0; i < sizeof(held_names) / sizeof(held_names[0]); i++) {
		pump_held_name(name, id, held_names[i]);
		if (keeper_copy(name) >= 0)
			keeper_ask_release(name);
	}
}

void log_pump_close(struct log_pump *p)
{
	char name[128], path[600];

	for (int i = 0; i < 2; i++) {
		stream_last_chance(&p->streams[i]);
		snprintf(path, sizeof(path), "%s/%s", p->dir, held_names[i]);
		EFFECT(unlink(path));
	}
	for (int i = 0; i < 3; i++) {
		pump_held_name(name, p->id, held_names[i]);
		keeper_ask_release(name);
	}
	pump_free(p);
}

void log_pumps_end(void)
{
	if (list_empty(&pumps))
		return;
	log_stage_end();
	list_each(it, &pumps)
		for (int i = 0; i < 2; i++) {
			struct stream *s = &container_of(it, struct log_pump, link)->streams[i];

			if (!s->refused)
				continue;
			stream_write_refused(s);
			if (s->refused)
				log_warn("log_refused container=%.12s effect=\"the rest waits at the anchor; without "
					 "one it is lost\"", s->pump->id);
		}
}
