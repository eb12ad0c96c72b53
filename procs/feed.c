/* feed.c - see feed.h. */
#include "procs/feed.h"

#include <errno.h>
#include <unistd.h>

#include "reactor/list.h"

static void on_feed_writable(struct fd_watch *w, int events);

void feed_init(struct feed *f, void (*taken)(struct feed *f, size_t n), void (*ended)(struct feed *f))
{
	*f = (struct feed){ .fd = -1, .taken = taken, .ended = ended };
}

static void on_feed_ended(struct timer *t)
{
	struct feed *f = container_of(t, struct feed, timer);

	f->ended(f);
}

static void feed_check_end(struct feed *f)
{
	if (f->ending && !f->waiting.len && (f->fd >= 0 || f->broken))
		timer_set(&f->timer, 0, on_feed_ended);
}

void feed_drop(struct feed *f)
{
	size_t n = f->waiting.len;

	f->broken = true;
	fd_watch_clear(&f->watch);
	buf_free(&f->waiting);
	if (n)
		f->taken(f, n);
	feed_check_end(f);
}

static void feed_write_now(struct feed *f)
{
	size_t before = f->waiting.len;
	ssize_t n = buf_write(&f->waiting, f->fd);

	if (n < 0 && errno != EAGAIN && errno != EINTR)
		return feed_drop(f);
	fd_watch_set(&f->watch, f->fd, f->waiting.len ? FD_WRITE : 0, on_feed_writable);
	feed_check_end(f);
	if (before != f->waiting.len)
		f->taken(f, before - f->waiting.len);
}

static void on_feed_writable(struct fd_watch *w, int events)
{
	(void)events;
	feed_write_now(container_of(w, struct feed, watch));
}

void feed_open(struct feed *f, int fd)
{
	f->fd = fd;
	if (f->waiting.len)
		fd_watch_set(&f->watch, fd, FD_WRITE, on_feed_writable);
	feed_check_end(f);
}

void feed_write(struct feed *f, const void *p, size_t n)
{
	bool first = !f->waiting.len;

	if (f->ending || !n)
		return;
	if (f->broken)
		return f->taken(f, n);
	buf_append(&f->waiting, p, n);
	if (first && f->fd >= 0)
		feed_write_now(f);
}

void feed_end(struct feed *f)
{
	if (f->ending)
		return;
	f->ending = true;
	feed_check_end(f);
}

void feed_close(struct feed *f)
{
	fd_watch_clear(&f->watch);
	timer_clear(&f->timer);
	buf_free(&f->waiting);
}
