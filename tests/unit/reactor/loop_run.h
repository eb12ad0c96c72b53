/* loop_run.h - runs the real loop in a test, for a time or until a counter says so; counts open fds. */
#ifndef TESTS_LOOP_RUN_H
#define TESTS_LOOP_RUN_H

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>

#include "reactor/loop.h"
#include "reactor/own.h"

/* The limit after which a test gives up: far longer than any event takes on a busy machine. */
enum { PATIENCE_MS = 120000 };

static inline void stop_loop(struct timer *t)
{
	(void)t;
	loop_stop();
}

/* Real time: peers, kernel and libraries run meanwhile. */
static inline void run_ms(int64_t ms)
{
	struct timer t = { 0 };

	timer_set(&t, ms, stop_loop);
	loop_run();
	timer_clear(&t);
}

static inline void give_up(struct timer *t)
{
	(void)t;
	printf("Bail out! nothing happens any more\n");
	exit(1);
}

/* The callback that changes the counter calls loop_stop(). */
static inline void run_until(const int *counter, int value)
{
	struct timer bail = { 0 };

	timer_set(&bail, PATIENCE_MS, give_up);
	while (*counter < value)
		loop_run();
	timer_clear(&bail);
}

/* The same when no callback stops the loop. */
static inline void turn_until(const int *counter, int value)
{
	int64_t until_ns = loop_mono_ns() + PATIENCE_MS * 1000000ll;

	while (*counter < value && loop_mono_ns() < until_ns)
		loop_turn();
	if (*counter < value)
		give_up(NULL);
}

static inline int open_fds(void)
{
	auto_dir DIR *d = opendir("/proc/self/fd");
	int n = 0;

	while (readdir(d))
		n++;
	return n;
}

#endif
