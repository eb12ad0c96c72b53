/* h2o_loop.c - see h2o_loop.h.
 *
 *   inner epoll fd readable ---.
 *   h2o's next timeout due -----+--> h2o_turn(): h2o_evloop_run(0), which never sleeps
 *   end of the outer turn, -----'    because h2o has no queued work left when
 *   h2o has work queued              the outer loop sleeps
 *
 * h2o 2.2.5 keeps its epoll fd private, so the fd is found by its number: the lowest one that was free before
 * h2o_evloop_create(). After a restart thousands of fds are open, and to list them took 8 ms. h2o's queues
 * (_statechanged, _pending_*) are public fields. They must be empty before this process sleeps: h2o calls epoll_ctl(2)
 * for a changed socket only in its next turn, and pending work signals no fd. (ARCHITECTURE R1, X2)
 */
#include "reactor/h2o_loop.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "reactor/loop.h"
#include "reactor/own.h"

/* Turns of h2o in a row before the other watchers of the loop run. */
enum { TURNS_MAX = 8 };
enum { FDS_OF_H2O = 4 }; /* its loop opens one */

enum { JUMP_MS = 10 }; /* less than that is the clock being slewed, and this code's own rounding */

static struct guest {
	h2o_evloop_t *loop;
	int fd; /* h2o's epoll fd */
	bool running;
	struct fd_watch watch;
	struct prepare_watch prepare;
	struct timer timer;
	int64_t offset_ms; /* h2o's clock less the monotonic one */
	uint64_t wake_at; /* what `timer` is set for, in h2o's ms; UINT64_MAX: not set */
} guest;

/* The kernel gives the lowest free number to a new fd: the next ones, from `first` on, are those of h2o. -1: none of
 * them is an epoll fd. */
static int epoll_fd_from(int first)
{
	char path[40], is[64];

	for (int fd = first; fd < first + FDS_OF_H2O; fd++) {
		ssize_t n;

		snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
		n = readlink(path, is, sizeof(is) - 1);
		is[n > 0 ? n : 0] = '\0';
		if (strcmp(is, "anon_inode:[eventpoll]") == 0)
			return fd;
	}
	return -1;
}

static int lowest_free_fd(void)
{
	int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);

	if (fd >= 0)
		close(fd);
	return fd;
}

static bool h2o_has_work(const h2o_evloop_t *l)
{
	return l->_statechanged.head || l->_pending_as_client || l->_pending_as_server;
}

static uint64_t now_ms(void)
{
	struct timeval tv;

	gettimeofday(&tv, NULL); /* h2o's own clock */
	return (uint64_t)tv.tv_sec * 1000 + (uint64_t)tv.tv_usec / 1000;
}

/* h2o measures its timeouts by the wall clock. When that was set, all that h2o has noted is moved with it: else each
 * timeout would fire at once, or a day later, and hold its connection until then. (ARCHITECTURE X40) */
static void follow_clock(void)
{
	int64_t offset_ms = (int64_t)now_ms() - loop_mono_ns() / 1000000, jump_ms = offset_ms - guest.offset_ms;

	if (jump_ms > -JUMP_MS && jump_ms < JUMP_MS)
		return;
	guest.offset_ms = offset_ms;
	guest.loop->_now += (uint64_t)jump_ms;
	for (h2o_linklist_t *t = guest.loop->_timeouts.next; t != &guest.loop->_timeouts; t = t->next) {
		h2o_timeout_t *timeout = H2O_STRUCT_FROM_MEMBER(h2o_timeout_t, _link, t);

		for (h2o_linklist_t *l = timeout->_entries.next; l != &timeout->_entries; l = l->next)
			H2O_STRUCT_FROM_MEMBER(h2o_timeout_entry_t, _link, l)->registered_at += (uint64_t)jump_ms;
	}
}

static void h2o_turn(void)
{
	/* A callback of h2o may get here; a nested run would process h2o's queues while they are being processed. */
	if (guest.running)
		return;
	guest.running = true;
	follow_clock();
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
	follow_clock();
	h2o_set_timer(h2o_timeout_get_wake_at(&guest.loop->_timeouts));
}

h2o_evloop_t *h2o_loop_get(struct err *e)
{
	int first;

	if (guest.loop)
		return guest.loop;
	first = lowest_free_fd();
	if (first < 0) {
		err_os(e, ERR_INTERNAL, "open /dev/null");
		return NULL;
	}
	guest.loop = h2o_evloop_create();
	guest.fd = epoll_fd_from(first);
	if (guest.fd < 0) {
		err_set(e, ERR_INTERNAL, "cannot find the epoll fd of libh2o");
		h2o_evloop_destroy(guest.loop);
		guest.loop = NULL;
		return NULL;
	}
	guest.wake_at = UINT64_MAX;
	guest.offset_ms = (int64_t)now_ms() - loop_mono_ns() / 1000000;
	fd_watch_set(&guest.watch, guest.fd, FD_READ, on_inner_ready);
	prepare_watch_set(&guest.prepare, on_before_sleep);
	return guest.loop;
}

void h2o_loop_enter(void)
{
	h2o_turn();
}
