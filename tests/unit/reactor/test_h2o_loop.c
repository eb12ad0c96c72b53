/* test_h2o_loop.c - the timers of libh2o's loop, nested in this one: exact, whatever the clock says. */
#include "reactor/h2o_loop.h"

#include <time.h>

#include "reactor/loop.h"
#include "tests/tap.h"
#include "tests/unit/reactor/loop_run.h"

static int64_t fired_ns;
static bool is_late; /* the other timer came before it */

static void on_h2o_timeout(h2o_timeout_entry_t *entry)
{
	(void)entry;
	if (!is_late)
		fired_ns = loop_mono_ns();
	loop_stop();
}

static void on_later(struct timer *t)
{
	(void)t;
	is_late = fired_ns == 0;
	loop_stop();
}

/* h2o's timers are exact also after the loop has been idle, although h2o's clock stands still between its turns. A busy
 * machine makes every timer late, so h2o's timer is compared with one of the outer loop that is due later. */
static void nested_timers_are_exact(void)
{
	struct err e;
	h2o_evloop_t *l = h2o_loop_get(&e);
	h2o_timeout_t timeout;
	h2o_timeout_entry_t entry = { .cb = on_h2o_timeout };
	struct timer later = { 0 };
	int64_t t0;

	run_ms(200);
	h2o_loop_enter();
	t0 = loop_mono_ns();
	timer_set(&later, 160, on_later);
	h2o_timeout_init(l, &timeout, 80);
	h2o_timeout_link(l, &timeout, &entry);
	loop_run();
	printf("# 80 ms took %lld us\n", (long long)(fired_ns - t0) / 1000);
	ok(fired_ns - t0 > 78000000 && !is_late);
	timer_clear(&later);
	h2o_timeout_dispose(l, &timeout);
}

static int64_t clock_jump_s; /* how far an administrator has set the clock */

/* h2o's clock: this one takes the place of libc's in libh2o too. */
int gettimeofday(struct timeval *tv, void *zone)
{
	struct timespec ts;

	(void)zone;
	clock_gettime(CLOCK_REALTIME, &ts);
	*tv = (struct timeval){ ts.tv_sec + clock_jump_s, ts.tv_nsec / 1000 };
	return 0;
}

/* A timeout of h2o while the clock is set: neither at once, nor a year later. */
static void it_takes_its_time(int64_t jump_s)
{
	struct err e;
	h2o_evloop_t *l = h2o_loop_get(&e);
	h2o_timeout_t timeout;
	h2o_timeout_entry_t entry = { .cb = on_h2o_timeout };
	struct timer later = { 0 };
	int64_t t0;

	h2o_loop_enter();
	fired_ns = 0;
	is_late = false;
	t0 = loop_mono_ns();
	timer_set(&later, 2000, on_later);
	h2o_timeout_init(l, &timeout, 80);
	h2o_timeout_link(l, &timeout, &entry);
	run_ms(10); /* h2o sees the old clock */
	clock_jump_s += jump_s;
	h2o_loop_enter(); /* and the new one, as by any request */
	ok(fired_ns == 0);
	loop_run();
	ok(fired_ns - t0 > 78000000 && !is_late);
	timer_clear(&later);
	h2o_timeout_unlink(&entry);
	h2o_timeout_dispose(l, &timeout);
}

static void the_clock_may_be_set(void)
{
	it_takes_its_time(86400);
	it_takes_its_time(-2 * 86400);
	it_takes_its_time(365 * 86400);
	it_takes_its_time(-365 * 86400);
	clock_jump_s = 0;
}

int main(void)
{
	nested_timers_are_exact();
	the_clock_may_be_set();
	return tap_end();
}
