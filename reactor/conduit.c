/* conduit.c - see conduit.h.
 *
 *   OPEN ---peer closed, error, idle---> GONE
 *    |                                    |
 *    +---finish---> FLUSH ---all sent---> LINGER (the sending half is shut down; received bytes are dropped)
 *    |                |                     |
 *    |                +---error, 10 s-------+---peer closed, 10 s---> CLOSED ---next turn---> freed
 *    +---close---------------------------------------------------------^
 *
 * The flag `drowned` is set when the queue of output holds CONDUIT_STOP bytes. Then the socket is not read until the
 * queue is down to CONDUIT_LOW. So a peer that sends what must be answered (PING, SYN_STREAM) and reads nothing cannot
 * make the queue grow. Users stop their data at CONDUIT_HIGH already, so data alone never stops the input: the key ^C
 * of a terminal whose output the peer does not read still arrives. (ARCHITECTURE R16)
 *
 * Why LINGER: close(2) on a socket with unread bytes resets the connection, and after a reset the peer loses the bytes
 * that it has not read.
 * Waits on: the socket (OPEN, FLUSH, LINGER); a timer (OPEN: idle; FLUSH, LINGER: the limit; GONE, CLOSED: the next
 * turn); a second timer while paused, which polls for the peer's end, because read(2) would report that end only after
 * the unread bytes. */
#include "reactor/conduit.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "reactor/buf.h"
#include "reactor/list.h"
#include "reactor/log.h"
#include "reactor/loop.h"
#include "reactor/own.h"
#include "reactor/sm.h"

enum { FINISH_MS = 10000, LOOK_MS = 2000 };

enum conduit_state { OPEN, GONE, FLUSH, LINGER, CLOSED };
static const struct sm_state conduit_states[] = {
	[OPEN]   = { "OPEN",   TO(GONE) | TO(FLUSH) | TO(CLOSED) },
	[GONE]   = { "GONE",   TO(CLOSED) },
	[FLUSH]  = { "FLUSH",  TO(LINGER) | TO(CLOSED) },
	[LINGER] = { "LINGER", TO(CLOSED) },
	[CLOSED] = { "CLOSED", 0 },
};

struct conduit {
	struct sm sm;
	int fd;
	struct fd_watch watch;
	struct timer timer;
	struct timer early_timer, look_timer;
	struct buf early, out;
	bool paused, full;
	bool drowned; /* the queue has reached CONDUIT_STOP and is not down to CONDUIT_LOW yet */
	int64_t idle_ms, moved_ns; /* idle_ms 0: for ever */
	const struct conduit_events *events;
	void *arg;
};

static void on_conduit_ready(struct fd_watch *w, int events);

static bool conduit_reads(const struct conduit *c)
{
	return c->events && !c->paused && !c->drowned;
}

static void conduit_watch(struct conduit *c)
{
	bool reads = c->sm.now == LINGER || (c->sm.now == OPEN && conduit_reads(c) && !c->early.len);

	fd_watch_set(&c->watch, c->fd, (reads ? FD_READ : 0) | (c->out.len ? FD_WRITE : 0), on_conduit_ready);
}

struct conduit *conduit_new(int fd, const void *early, size_t n)
{
	struct conduit *c = new_zero(struct conduit);

	c->sm = (struct sm){ conduit_states, "conduit", "", OPEN };
	c->fd = fd;
	fcntl(fd, F_SETFL, O_RDWR | O_NONBLOCK);
	buf_append(&c->early, early, n);
	c->moved_ns = loop_mono_ns();
	return c;
}

/* ---- the end ---- */

static void on_conduit_freed(struct timer *t)
{
	struct conduit *c = container_of(t, struct conduit, timer);

	buf_free(&c->early);
	buf_free(&c->out);
	free(c);
}

void conduit_close(struct conduit *c)
{
	sm_move(&c->sm, CLOSED);
	fd_watch_clear(&c->watch);
	timer_clear(&c->early_timer);
	timer_clear(&c->look_timer);
	close(c->fd);
	/* Freed in the next turn: the caller may be an event of this conduit. */
	timer_set(&c->timer, 0, on_conduit_freed);
}

static void on_conduit_limit(struct timer *t)
{
	conduit_close(container_of(t, struct conduit, timer));
}

static void conduit_linger(struct conduit *c)
{
	sm_move(&c->sm, LINGER);
	shutdown(c->fd, SHUT_WR);
	conduit_watch(c);
}

void conduit_finish(struct conduit *c)
{
	if (c->sm.now != OPEN)
		return conduit_close(c);
	sm_move(&c->sm, FLUSH);
	timer_clear(&c->early_timer);
	timer_clear(&c->look_timer);
	timer_set(&c->timer, FINISH_MS, on_conduit_limit);
	if (c->out.len)
		conduit_watch(c);
	else
		conduit_linger(c);
}

static void on_conduit_gone(struct timer *t)
{
	struct conduit *c = container_of(t, struct conduit, timer);

	c->events->gone(c->arg);
}

static void conduit_gone(struct conduit *c)
{
	if (c->sm.now != OPEN)
		return conduit_close(c);
	sm_move(&c->sm, GONE);
	fd_watch_clear(&c->watch);
	timer_clear(&c->early_timer);
	timer_clear(&c->look_timer);
	timer_set(&c->timer, 0, on_conduit_gone);
}

/* ---- idleness ---- */

static void on_conduit_maybe_idle(struct timer *t)
{
	struct conduit *c = container_of(t, struct conduit, timer);
	int64_t rest_ms = c->idle_ms - (loop_mono_ns() - c->moved_ns) / 1000000;

	if (rest_ms <= 0)
		return conduit_gone(c);
	timer_set(&c->timer, rest_ms, on_conduit_maybe_idle);
}

void conduit_idle_after(struct conduit *c, int64_t ms)
{
	c->idle_ms = ms;
	if (c->sm.now == OPEN)
		timer_set(&c->timer, ms, on_conduit_maybe_idle);
}

/* ---- out ---- */

static void on_conduit_early(struct timer *t);

/* Bytes that were read before the conduit was made (`early`) come by a timer. */
static void conduit_read_again(struct conduit *c)
{
	if (c->early.len && conduit_reads(c))
		timer_set(&c->early_timer, 0, on_conduit_early);
}

static void conduit_surface(struct conduit *c)
{
	c->drowned = false;
	if (c->sm.now == OPEN)
		conduit_read_again(c);
}

static void conduit_write(struct conduit *c)
{
	ssize_t n = buf_write(&c->out, c->fd);

	if (n > 0) {
		c->moved_ns = loop_mono_ns();
		if (c->sm.now == FLUSH)
			timer_set(&c->timer, FINISH_MS, on_conduit_limit);
	}
	if (n < 0 && errno != EAGAIN && errno != EINTR)
		return conduit_gone(c);
	if (!c->out.len && c->sm.now == FLUSH)
		return conduit_linger(c);
	if (c->drowned && c->out.len <= CONDUIT_LOW)
		conduit_surface(c);
	conduit_watch(c);
}

void conduit_send(struct conduit *c, const void *p, size_t n)
{
	bool waits = c->out.len > 0;

	if (c->sm.now != OPEN || !n)
		return;
	if (n > CONDUIT_MAX - c->out.len) {
		log_info("conduit closed error=\"the peer does not read\" queued=%zu", c->out.len + n);
		return conduit_gone(c);
	}
	buf_append(&c->out, p, n);
	if (!waits)
		conduit_write(c);
	c->full = c->full || c->out.len >= CONDUIT_HIGH;
	if (c->out.len < CONDUIT_STOP || c->drowned || c->sm.now != OPEN)
		return;
	c->drowned = true;
	conduit_watch(c);
}

bool conduit_has_room(const struct conduit *c)
{
	return !c->full;
}

static void conduit_tell_room(struct conduit *c)
{
	if (!c->full || c->out.len > CONDUIT_LOW)
		return;
	c->full = false;
	if (c->events)
		c->events->room(c->arg);
}

/* ---- in ---- */

static void conduit_read(struct conduit *c)
{
	static uint8_t piece[CONDUIT_READ];
	ssize_t n = read(c->fd, piece, sizeof(piece));

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n <= 0)
		return conduit_gone(c);
	c->moved_ns = loop_mono_ns();
	if (c->sm.now == OPEN)
		c->events->data(c->arg, piece, (size_t)n);
}

static void on_conduit_ready(struct fd_watch *w, int events)
{
	struct conduit *c = container_of(w, struct conduit, watch);

	if (events & FD_WRITE && c->out.len) {
		conduit_write(c);
		if (c->sm.now == OPEN)
			conduit_tell_room(c);
	}
	if (events & FD_READ && (c->sm.now == LINGER || (c->sm.now == OPEN && conduit_reads(c))))
		conduit_read(c);
}

static void on_conduit_early(struct timer *t)
{
	struct conduit *c = container_of(t, struct conduit, early_timer);
	struct buf early = c->early;

	if (!conduit_reads(c))
		return;
	c->early = (struct buf){ 0 };
	conduit_watch(c);
	c->events->data(c->arg, early.at, early.len);
	buf_free(&early);
}

static void on_conduit_look(struct timer *t)
{
	struct conduit *c = container_of(t, struct conduit, look_timer);
	struct pollfd p = { .fd = c->fd, .events = POLLRDHUP };

	if (poll(&p, 1, 0) > 0)
		return conduit_gone(c);
	timer_set(&c->look_timer, LOOK_MS, on_conduit_look);
}

void conduit_pause(struct conduit *c, bool paused)
{
	if (c->paused == paused || c->sm.now != OPEN)
		return;
	c->paused = paused;
	if (paused)
		timer_set(&c->look_timer, LOOK_MS, on_conduit_look);
	else
		timer_clear(&c->look_timer);
	conduit_read_again(c);
	conduit_watch(c);
}

void conduit_listen(struct conduit *c, const struct conduit_events *events, void *arg)
{
	c->events = events;
	c->arg = arg;
	conduit_read_again(c);
	conduit_watch(c);
}
