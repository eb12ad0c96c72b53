/* world.c - see world.h. Timers fire in the order of their times, then of their setting; fds are asked by poll(2). */
#include "tests/fakes/world.h"

#include <assert.h>
#include <ftw.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "reactor/loop.h"

enum { SLOTS = 256, TURNS = 1000 };

static struct {
	struct timer *timer;
	int64_t due_ns;
	uint64_t order;
} timers[SLOTS];
static struct fd_watch *watches[SLOTS];
static int64_t now_ns = 1000000000;
static uint64_t order;
static bool spun;

static int slot_of(const struct timer *t)
{
	for (int i = 0; i < SLOTS; i++)
		if (timers[i].timer == t)
			return i;
	return -1;
}

void timer_set(struct timer *t, int64_t ms, void (*fn)(struct timer *t))
{
	int i;

	timer_clear(t);
	i = slot_of(NULL);
	assert(i >= 0);
	t->fn = fn;
	timers[i].timer = t;
	timers[i].due_ns = now_ns + ms * 1000000;
	timers[i].order = ++order;
}

void timer_clear(struct timer *t)
{
	int i = slot_of(t);

	if (i >= 0)
		timers[i].timer = NULL;
}

bool timer_is_set(const struct timer *t)
{
	return slot_of(t) >= 0;
}

void fd_watch_clear(struct fd_watch *w)
{
	for (int i = 0; i < SLOTS; i++)
		if (watches[i] == w)
			watches[i] = NULL;
}

void fd_watch_set(struct fd_watch *w, int fd, int events, void (*fn)(struct fd_watch *w, int events))
{
	fd_watch_clear(w);
	if (!events)
		return;
	w->fn = fn;
	w->ev.fd = fd;
	w->ev.events = events;
	for (int i = 0; i < SLOTS; i++)
		if (!watches[i]) {
			watches[i] = w;
			return;
		}
	assert(!"too many fds are watched");
}

void signal_watch_set(struct signal_watch *w, int signum, void (*fn)(struct signal_watch *w))
{
	(void)signum;
	w->fn = fn;
}

void signal_watch_clear(struct signal_watch *w)
{
	(void)w;
}

void prepare_watch_set(struct prepare_watch *w, void (*fn)(struct prepare_watch *w))
{
	w->fn = fn;
}

void prepare_watch_clear(struct prepare_watch *w)
{
	(void)w;
}

void loop_spin(void)
{
	spun = true;
}

void loop_stop(void)
{
}

int64_t loop_mono_ns(void)
{
	return now_ns;
}

int64_t loop_real_ns(void)
{
	return 1700000000000000000 + now_ns;
}

void loop_stats(struct loop_stats *out)
{
	*out = (struct loop_stats){ 0 };
}

/* The first timer due until then; -1: none. */
static int next_timer(int64_t until_ns)
{
	int first = -1;

	for (int i = 0; i < SLOTS; i++)
		if (timers[i].timer && timers[i].due_ns <= until_ns &&
		    (first < 0 || timers[i].due_ns < timers[first].due_ns ||
		     (timers[i].due_ns == timers[first].due_ns && timers[i].order < timers[first].order)))
			first = i;
	return first;
}

static bool fire_one(int64_t until_ns)
{
	int i = next_timer(until_ns);
	struct timer *t;

	if (i < 0)
		return false;
	t = timers[i].timer;
	if (timers[i].due_ns > now_ns)
		now_ns = timers[i].due_ns;
	timers[i].timer = NULL;
	t->fn(t);
	return true;
}

static bool ask_fds(int wait_ms)
{
	struct pollfd fds[SLOTS];
	struct fd_watch *of[SLOTS];
	nfds_t n = 0;
	bool any = false;

	for (int i = 0; i < SLOTS; i++)
		if (watches[i]) {
			of[n] = watches[i];
			fds[n].fd = watches[i]->ev.fd;
			fds[n++].events = (short)((watches[i]->ev.events & FD_READ ? POLLIN : 0) |
						  (watches[i]->ev.events & FD_WRITE ? POLLOUT : 0));
		}
	if (poll(fds, n, wait_ms) <= 0)
		return false;
	for (nfds_t i = 0; i < n; i++) {
		int events = (fds[i].revents & (POLLIN | POLLHUP | POLLERR) ? FD_READ : 0) |
			     (fds[i].revents & (POLLOUT | POLLERR) ? FD_WRITE : 0);
		bool still = false;

		for (int j = 0; j < SLOTS; j++)
			still = still || watches[j] == of[i];
		if (still && events) {
			any = true;
			of[i]->fn(of[i], events);
		}
	}
	return any;
}

void world_settle(void)
{
	for (int i = 0; i < TURNS; i++) {
		bool fired = fire_one(now_ns);

		if (!ask_fds(0) && !fired)
			return;
	}
}

void world_advance(int64_t ms)
{
	int64_t until_ns = now_ns + ms * 1000000;

	world_settle();
	for (int i = 0; i < TURNS && fire_one(until_ns); i++)
		world_settle();
	now_ns = until_ns;
}

void world_spend(int64_t ms)
{
	now_ns += ms * 1000000;
}

void world_until(const int *flag, int64_t limit_ms)
{
	for (int64_t waited = 0; !*flag && waited < limit_ms; waited += 10) {
		ask_fds(10);
		now_ns += 10000000;
		while (fire_one(now_ns))
			;
	}
}

void loop_turn(void)
{
	fire_one(now_ns);
	ask_fds(0);
}

void loop_run(void)
{
	world_settle();
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *at)
{
	(void)st;
	(void)type;
	(void)at;
	return remove(path);
}

static char dir[] = "/tmp/crisp-test-XXXXXX";

static void remove_dir(void)
{
	nftw(dir, remove_one, 16, FTW_DEPTH | FTW_PHYS | FTW_MOUNT);
}

const char *world_dir(void)
{
	static bool made;

	if (!made) {
		assert(mkdtemp(dir));
		atexit(remove_dir);
		made = true;
	}
	return dir;
}
