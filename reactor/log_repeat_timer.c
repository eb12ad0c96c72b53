/* log_repeat_timer.c - log_repeat_open(): what was left out is written when its time is over. Apart from log_repeat.c,
 * since a process without a loop has a log too. Waits on: one timer, while something was left out. */
#include "reactor/log.h"
#include "reactor/log_repeat.h"
#include "reactor/loop.h"

enum { LOOK_MS = 10000 };

static struct timer over;

static void write_left_out(const char *line, unsigned left_out)
{
	log_warn("left_out count=%u of=%s", left_out, log_quote(line));
}

static void on_repeats_over(struct timer *t)
{
	if (log_repeat_over(loop_mono_ns() / 1000000, write_left_out))
		timer_set(t, LOOK_MS, on_repeats_over);
}

static void on_left_out(void)
{
	if (!timer_is_set(&over))
		timer_set(&over, LOOK_MS, on_repeats_over);
}

void log_repeat_open(void)
{
	log_on_left_out(on_left_out);
}
