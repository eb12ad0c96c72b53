/* clock.c - see clock.h. */
#include "tests/fakes/clock.h"

#include <stdlib.h>

#include "reactor/loop.h"

enum { TIMERS = 256, TURNS = 1000000 };

static struct {
	struct timer *timer;
	int64_t due_ms;
	uint64_t order;
} set[TIMERS];

int64_t clock_step_ms;
static int64_t now_ms = 1000;
static uint64_t order;

void timer_clear(struct timer *t)
{
	for (int i = 0; i < TIMERS; i++)
		if (set[i].timer == t)
			set[i].timer = NULL;
}

void timer_set(struct timer *t, int64_t ms, void (*fn)(struct timer *t))
{
	timer_clear(t);
	t->fn = fn;
	for (int i = 0; i < TIMERS; i++)
		if (!set[i].timer) {
			set[i].timer = t;
			set[i].due_ms = now_ms + ms;
			set[i].order = order++;
			return;
		}
	abort();
}

bool timer_is_set(const struct timer *t)
{
	for (int i = 0; i < TIMERS; i++)
		if (set[i].timer == t)
			return true;
	return false;
}

/* No fd is ever ready here: only time passes. */
void fd_watch_set(struct fd_watch *w, int fd, int events, void (*fn)(struct fd_watch *w, int events))
{
	(void)w;
	(void)fd;
	(void)events;
	(void)fn;
}

void fd_watch_clear(struct fd_watch *w)
{
	(void)w;
}

void loop_stats(struct loop_stats *out)
{
	*out = (struct loop_stats){ 0 };
}

int64_t loop_mono_ns(void)
{
	now_ms += clock_step_ms;
	return now_ms * 1000000;
}

int64_t loop_real_ns(void)
{
	return INT64_C(1700000000) * 1000000000 + now_ms * 1000000;
}

int clock_waiting(void)
{
	int n = 0;

	for (int i = 0; i < TIMERS; i++)
		n += set[i].timer != NULL;
	return n;
}

static int earliest(int64_t until_ms)
{
	int best = -1;

	for (int i = 0; i < TIMERS; i++)
		if (set[i].timer && set[i].due_ms <= until_ms && (best < 0 || set[i].due_ms < set[best].due_ms ||
		    (set[i].due_ms == set[best].due_ms && set[i].order < set[best].order)))
			best = i;
	return best;
}

void clock_advance(int64_t ms)
{
	int64_t until_ms = now_ms + ms;

	for (int turn = 0, i; (i = earliest(until_ms)) >= 0; turn++) {
		struct timer *t = set[i].timer;

		if (turn == TURNS)
			abort(); /* a timer is set again and again at the same time */
		if (set[i].due_ms > now_ms)
			now_ms = set[i].due_ms;
		set[i].timer = NULL;
		t->fn(t);
	}
	now_ms = until_ms;
}

void clock_run(void)
{
	clock_advance(0);
}
