/* loop.c - see loop.h. libev's default loop.
 *
 * A callback may free its own watcher: the watcher is not read after fn has returned. (ARCHITECTURE R1)
 *
 * No callback may block. The wall time of each callback is measured beside its CPU time, because a callback that blocks
 * shows in the wall time only. (ARCHITECTURE R12) */
#include "reactor/loop.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "reactor/clock.h"
#include "reactor/list.h"
#include "reactor/own.h"

static struct loop_cost cpu_cost, wall_cost;
static struct loop_peak peak;
static struct ev_idle spin;

int64_t loop_mono_ns(void)
{
	return clock_ns(CLOCK_MONOTONIC);
}

int64_t loop_real_ns(void)
{
	return clock_ns(CLOCK_REALTIME);
}

extern const char __executable_start; /* the linker's: the address where the program begins */

struct span {
	int64_t cpu_ns, wall_ns;
	uintptr_t fn;
};

static struct span span_begin(void *fn)
{
	return (struct span){ clock_ns(CLOCK_THREAD_CPUTIME_ID), clock_ns(CLOCK_MONOTONIC), (uintptr_t)fn };
}

static void cost_add(struct loop_cost *c, int64_t ns)
{
	uint64_t us = (uint64_t)ns / 1000;
	int i = us ? 64 - __builtin_clzll(us) : 0;

	c->count++;
	c->sum_ns += (uint64_t)ns;
	if ((uint64_t)ns > c->max_ns)
		c->max_ns = (uint64_t)ns;
	c->bucket[i < LOOP_BUCKETS ? i : LOOP_BUCKETS - 1]++;
}

static void span_end(struct span begun)
{
	int64_t cpu_ns = clock_ns(CLOCK_THREAD_CPUTIME_ID) - begun.cpu_ns;
	int64_t wall_ns = clock_ns(CLOCK_MONOTONIC) - begun.wall_ns;

	cost_add(&cpu_cost, cpu_ns);
	cost_add(&wall_cost, wall_ns);
	if (cpu_ns > peak.cpu_ns)
		peak = (struct loop_peak){ cpu_ns, wall_ns, begun.fn - (uintptr_t)&__executable_start };
}

static void on_loop_timer(struct ev_loop *l, struct ev_timer *ev, int revents)
{
	struct timer *t = container_of(ev, struct timer, ev);
	struct span s = span_begin(t->fn);

	(void)l;
	(void)revents;
	t->fn(t);
	span_end(s);
}

void timer_set(struct timer *t, int64_t ms, void (*fn)(struct timer *t))
{
	timer_clear(t);
	t->fn = fn;
	/* libev counts from the start of the turn: without this a timer set in a long callback would fire early. */
	ev_now_update(EV_DEFAULT);
	ev_timer_init(&t->ev, on_loop_timer, (double)ms / 1000, 0);
	ev_timer_start(EV_DEFAULT, &t->ev);
}

void timer_clear(struct timer *t)
{
	ev_timer_stop(EV_DEFAULT, &t->ev);
}

bool timer_is_set(const struct timer *t)
{
	return ev_is_active(&t->ev) || ev_is_pending(&t->ev);
}

static void on_loop_fd(struct ev_loop *l, struct ev_io *ev, int revents)
{
	struct fd_watch *w = container_of(ev, struct fd_watch, ev);
	struct span s = span_begin(w->fn);

	(void)l;
	/* libev's fd_kill() sets both bits beside EV_ERROR: the user's own read or write then returns the error. */
	w->fn(w, revents & (FD_READ | FD_WRITE));
	span_end(s);
}

void fd_watch_set(struct fd_watch *w, int fd, int events, void (*fn)(struct fd_watch *w, int events))
{
	if (ev_is_active(&w->ev) && w->ev.fd == fd && (w->ev.events & (FD_READ | FD_WRITE)) == events) {
		w->fn = fn;
		return;
	}
	fd_watch_clear(w);
	w->fn = fn;
	if (!events)
		return;
	ev_io_init(&w->ev, on_loop_fd, fd, events);
	ev_io_start(EV_DEFAULT, &w->ev);
}

void fd_watch_clear(struct fd_watch *w)
{
	ev_io_stop(EV_DEFAULT, &w->ev);
}

static void on_loop_signal(struct ev_loop *l, struct ev_signal *ev, int revents)
{
	struct signal_watch *w = container_of(ev, struct signal_watch, ev);
	struct span s = span_begin(w->fn);

	(void)l;
	(void)revents;
	w->fn(w);
	span_end(s);
}

void signal_watch_set(struct signal_watch *w, int signum, void (*fn)(struct signal_watch *w))
{
	signal_watch_clear(w);
	w->fn = fn;
	ev_signal_init(&w->ev, on_loop_signal, signum);
	ev_signal_start(EV_DEFAULT, &w->ev);
}

void signal_watch_clear(struct signal_watch *w)
{
	ev_signal_stop(EV_DEFAULT, &w->ev);
}

static void on_loop_prepare(struct ev_loop *l, struct ev_prepare *ev, int revents)
{
	struct prepare_watch *w = container_of(ev, struct prepare_watch, ev);
	struct span s = span_begin(w->fn);

	(void)l;
	(void)revents;
	w->fn(w);
	span_end(s);
}

void prepare_watch_set(struct prepare_watch *w, void (*fn)(struct prepare_watch *w))
{
	prepare_watch_clear(w);
	w->fn = fn;
	ev_prepare_init(&w->ev, on_loop_prepare);
	ev_prepare_start(EV_DEFAULT, &w->ev);
}

void prepare_watch_clear(struct prepare_watch *w)
{
	ev_prepare_stop(EV_DEFAULT, &w->ev);
}

static void on_loop_idle(struct ev_loop *l, struct ev_idle *ev, int revents)
{
	(void)revents;
	ev_idle_stop(l, ev);
}

void loop_spin(void)
{
	if (ev_is_active(&spin))
		return;
	ev_idle_init(&spin, on_loop_idle);
	ev_idle_start(EV_DEFAULT, &spin);
}

void loop_run(void)
{
	ev_run(EV_DEFAULT, 0);
}

void loop_stop(void)
{
	ev_break(EV_DEFAULT, EVBREAK_ALL);
}

void loop_turn(void)
{
	ev_run(EV_DEFAULT, EVRUN_NOWAIT);
}

static uint64_t runqueue_wait_ns(void)
{
	auto_fd int fd = open("/proc/thread-self/schedstat", O_RDONLY | O_CLOEXEC);
	char text[128] = "", *at;

	if (fd < 0 || read(fd, text, sizeof(text) - 1) <= 0)
		return 0;
	(void)strtoull(text, &at, 10);
	return strtoull(at, NULL, 10);
}

void loop_stats(struct loop_stats *out)
{
	*out = (struct loop_stats){ cpu_cost, wall_cost, ev_iteration(EV_DEFAULT), runqueue_wait_ns() };
}

struct loop_peak loop_peak(void)
{
	struct loop_peak was = peak;

	peak = (struct loop_peak){ 0 };
	return was;
}
