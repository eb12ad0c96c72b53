/* test_log_format.c - lines, pieces and limits of the CRI log format. */
#include <stdlib.h>
#include <string.h>

#include "procs/log_format.h"
#include "tests/tap.h"

static struct buf out;

static const char *formatted(const char *in, size_t n, bool is_stderr)
{
	buf_consume(&out, out.len);
	log_format(&out, in, n, is_stderr, 1767323045123456789);
	return buf_str(&out);
}

int main(void)
{
	char *big = malloc(1 << 20);

	is_str(formatted("one\ntwo\n", 8, false),
	       "2026-01-02T03:04:05.123456789Z stdout F one\n2026-01-02T03:04:05.123456789Z stdout F two\n");
	is_str(formatted("\n", 1, true), "2026-01-02T03:04:05.123456789Z stderr F \n");
	is_str(formatted("half", 4, true), "2026-01-02T03:04:05.123456789Z stderr P half\n");
	is_str(formatted("a\r\n", 3, false), "2026-01-02T03:04:05.123456789Z stdout F a\r\n");

	ok(log_format_take("one\nhalf", 8, false) == 4);
	ok(log_format_take("one\nhalf", 8, true) == 8);
	ok(log_format_take("half", 4, false) == 0);
	ok(log_format_take("", 0, true) == 0);

	memset(big, 'x', 1 << 20);
	ok(log_format_take(big, LOG_LINE_MAX, false) == LOG_LINE_MAX); /* a full piece need not wait */
	ok(log_format_take(big, LOG_LINE_MAX - 1, false) == 0);
	ok(log_format_take(big, LOG_LINE_MAX + 5, false) == LOG_LINE_MAX);
	big[LOG_LINE_MAX] = '\n'; /* a line of exactly the limit is one F, not a P and an empty F */
	ok(log_format_take(big, LOG_LINE_MAX + 1, false) == LOG_LINE_MAX + 1);
	formatted(big, LOG_LINE_MAX + 1, false);
	ok(out.len == 41 + LOG_LINE_MAX && memcmp(out.at + 38, "F ", 2) == 0);

	memset(big, '\n', 1 << 20); /* one byte in, forty out: the batch is bounded, whatever comes */
	ok(log_format_take(big, 1 << 20, false) < LOG_BATCH_MAX / 40);
	formatted(big, log_format_take(big, 1 << 20, false), false);
	ok(out.len <= LOG_BATCH_MAX);
	free(big);
	buf_free(&out);
	return tap_end();
}
