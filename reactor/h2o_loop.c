/* h2o_loop.c - see h2o_loop.h.
 *
 *   inner epoll fd readable ---.
 *   h2o's next timeout due -----+--> h2o_turn(): h2o_evloop_run(0), which never sleeps
 *   end of the outer turn, -----'    because h2o has no queued work left when
 *   h2o has work queued              the outer loop sleeps
 *
 * h2o 2.2.5 keeps its epoll fd private, so the fd is found by comparing /proc/self/fd before and after
 * h2o_evloop_create(). h2o's queues (_statechanged, _pending_*) are public fields. They must be empty before this
 * process sleeps: h2o calls epoll_ctl(2) for a changed socket only in its next turn, and pending work signals no fd.
 * (ARCHITECTURE R1, X2) */
#include "reactor/h2o_loop.h"

#include <dirent.h>
#include <stdlib.h>
#include <string.h>

#include "reactor/loop.h"
#include "reactor/own.h"

/* Turns of h2o in a row before the other watchers of the loop run. */
enum { TURNS_MAX = 8, FDS_MAX = 65536 };

static struct guest {
	h2o_evloop_t *loop;
	int fd; /* h2o's epoll fd */
	bool running;
	struct fd_watch watch;
	struct prepare_watch prepare;
	struct timer timer;
	uint64_t wake_at; /* what `timer` is set for, in h2o's ms; UINT64_MAX: not set */
} guest;

/* Marks every open fd in the bitmap; -1 when /proc cannot be read. */
static int mark_fds(uint8_t *map)
{
	auto_dir DIR *d = opendir("/proc/self/fd");

	if (!d)
		return -1;
	for (struct dirent *e; (e = readdir(d));) {
		long fd = strtol(e->d_name, NULL, 10);

		if (e->d_name[0] != '.' && fd != dirfd(d) && fd < FDS_MAX)
			map[fd / 8] |= (uint8_t)(1u << fd % 8);
	}
	return 0;
}

/* The lowest fd that is open in `after` only. */
static int new_fd(const uint8_t *before, const uint8_t *after)
{
	for (int fd = 0; fd < FDS_MAX; fd++)
		if ((after[fd / 8] & ~before[fd / 8]) & 1u << fd % 8)
			return fd;
	return -1;
}

static bool h2o_has_work(const h2o_evloop_t *l)
{
	return l->_statechanged.head || l->_pending_as_client || l->_pending_as_server;
}

static void h2o_turn(void)
{
	/* A callback of h2o may get here; a nested run would process h2o's queues while they are being processed. */
	if (guest.running)
		return;
	guest.running = true;
	h2o_evloop_run(guest.loop, 0);
	guest.running = false;
}

static void on_inner_ready(struct fd_watch *w, int events)
{
	(void)w;
	(void)events;
	h2o_turn();
}

static void on_inner_timeout(struct timer *t)
{
	(void)t;
	guest.wake_at = UINT64_MAX;
	h2o_turn();
}

static uint64_t now_ms(void)
{
	struct timeval tv;

	gettimeofday(&tv, NULL); /* h2o's own clock */
	return (uint64_t)tv.tv_sec * 1000 + (uint64_t)tv.tv_usec / 1000;
}

static void h2o_set_timer(uint64_t wake_at)
{
	uint64_t now;

	if (wake_at == guest.wake_at)
		return;
	guest.wake_at = wake_at;
	if (wake_at == UINT64_MAX) {
		timer_clear(&guest.timer);
		return;
	}
	now = now_ms();
	/* One millisecond more: a timer that fires a fraction early would find no expired timeout. */
	timer_set(&guest.timer, wake_at > now ? (int64_t)(wake_at - now) + 1 : 0, on_inner_timeout);
}

static void on_before_sleep(struct prepare_watch *w)
{
	(void)w;
	for (int i = 0; i < TURNS_MAX && h2o_has_work(guest.loop); i++)
		h2o_turn();
	if (h2o_has_work(guest.loop))
		loop_spin();
	h2o_set_timer(h2o_timeout_get_wake_at(&guest.loop->_timeouts));
}

h2o_evloop_t *h2o_loop_get(struct err *e)
{
	auto_free uint8_t *before = own_must(calloc(2, FDS_MAX / 8));
	uint8_t *after = before + FDS_MAX / 8;

	if (guest.loop)
		return guest.loop;
	if (mark_fds(before) < 0) {
		err_os(e, ERR_INTERNAL, "open /proc/self/fd");
		return NULL;
	}
	guest.loop = h2o_evloop_create();
	if (mark_fds(after) < 0 || (guest.fd = new_fd(before, after)) < 0) {
		err_set(e, ERR_INTERNAL, "cannot find the epoll fd of libh2o");
		h2o_evloop_destroy(guest.loop);
		guest.loop = NULL;
		return NULL;
	}
	guest.wake_at = UINT64_MAX;
	fd_watch_set(&guest.watch, guest.fd, FD_READ, on_inner_ready);
	prepare_watch_set(&guest.prepare, on_before_sleep);
	return guest.loop;
}

void h2o_loop_enter(void)
{
	h2o_turn();
}
