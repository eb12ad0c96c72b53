/* test_log_repeat.c - reactor/log_repeat.c: what says the same again and again is counted, not written. */
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "reactor/log.h"
#include "reactor/log_repeat.h"
#include "tests/fakes/clock.h"
#include "tests/tap.h"

static int passed(const char *text, int times, int64_t now_ms)
{
	unsigned left_out;
	int n = 0;

	while (times--)
		n += log_repeat_passes(text, now_ms, &left_out);
	return n;
}

static char over_line[200];
static unsigned over_count;

static void on_over(const char *line, unsigned left_out)
{
	snprintf(over_line, sizeof(over_line), "%s", line);
	over_count += left_out;
}

static void ten_in_a_minute(void)
{
	unsigned left_out;

	ok(passed("e container=1 error=\"x\"", 25, 1000) == 10);
	ok(passed("e container=1 error=\"x\"", 1, 60999) == 0);
	ok(log_repeat_passes("e container=1 error=\"x\"", 61000, &left_out) && left_out == 16);
	ok(log_repeat_passes("e container=1 error=\"x\"", 61000, &left_out) && left_out == 0);
}

static void each_object_has_its_own(void)
{
	ok(passed("o pod=\"n/web-1\" error=\"x\"", 11, 0) == 10);
	ok(passed("o pod=\"n/web-2\" error=\"x\"", 11, 0) == 10);
	ok(passed("o pod=\"n/web-1\" error=\"y\"", 1, 0) == 1);
	ok(passed("p pod=\"n/web-1\" error=\"x\"", 1, 0) == 1);
}

static void numbers_make_no_difference(void)
{
	unsigned left_out;
	char text[100];
	int n = 0;

	for (int i = 0; i < 20; i++) {
		snprintf(text, sizeof(text), "n took_ms=%d pid=%d error=\"line %d\" path=/a", i, i, i);
		n += log_repeat_passes(text, 0, &left_out);
	}
	ok(n == 10);
	ok(passed("n took_ms=1 pid=1 error=\"line 1\" path=/b", 1, 0) == 1);
}

static void what_was_left_out_is_told_later(void)
{
	while (log_repeat_over(1 << 30, on_over)) /* of the tests before */
		;
	over_count = 0;
	ok(passed("l sandbox=1 error=\"x\" path=/a", 13, 2000000000) == 10);
	ok(log_repeat_over(2000059999, on_over) && over_count == 0);
	ok(!log_repeat_over(2000060000, on_over) && over_count == 3);
	is_str(over_line, "l sandbox=1");
	ok(passed("l sandbox=1 error=\"x\" path=/a", 1, 2000060000) == 1);
}

/* A hundred lines do not take the place of one of which something has to be told. */
static void many_lines(void)
{
	char text[64];

	ok(passed("m a=0", 12, 3000000000) == 10);
	for (int i = 1; i < 200; i++) {
		snprintf(text, sizeof(text), "m a=%d", i);
		passed(text, 1, 3000000000 + i);
	}
	over_count = 0;
	log_repeat_over(3000060000, on_over);
	ok(over_count == 2);
}

/* From the log to the timer. */
static void the_log_leaves_out(void)
{
	int ends[2], saved = dup(2);
	char text[8192];
	ssize_t n;
	int lines = 0;

	ok(pipe2(ends, O_NONBLOCK) == 0);
	dup2(ends[1], 2);
	log_repeat_open();
	for (int i = 0; i < 15; i++)
		log_warn("z container=1 error=\"%d\"", i);
	for (int i = 0; i < 15; i++)
		log_info("z container=1");
	dup2(saved, 2);
	n = read(ends[0], text, sizeof(text) - 1);
	text[n > 0 ? n : 0] = '\0';
	for (const char *at = text; (at = strchr(at, '\n')); at++)
		lines++;
	ok(lines == 25);
	ok(clock_waiting() == 1);
}

int main(void)
{
	ten_in_a_minute();
	each_object_has_its_own();
	numbers_make_no_difference();
	what_was_left_out_is_told_later();
	many_lines();
	the_log_leaves_out();
	return tap_end();
}
