/* log_format.c - see log_format.h. Both functions walk the same pieces. */
#include "procs/log_format.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

enum { HEAD_MAX = 48 };

/* The length of the next piece of `in`, and whether a newline ends it (the newline is not counted). */
static size_t piece(const char *in, size_t n, bool *whole)
{
	size_t limit = n < LOG_LINE_MAX + 1 ? n : LOG_LINE_MAX + 1;
	const char *newline = memchr(in, '\n', limit);

	*whole = newline != NULL;
	if (newline)
		return (size_t)(newline - in);
	return n < LOG_LINE_MAX ? n : LOG_LINE_MAX;
}

size_t log_format_take(const char *in, size_t n, bool flush)
{
	size_t used = 0, text = 0;

	while (used < n) {
		bool whole;
		size_t len = piece(in + used, n - used, &whole);

		text += HEAD_MAX + len;
		if ((!whole && len < LOG_LINE_MAX && !flush) || (used && text > LOG_BATCH_MAX))
			break;
		used += len + whole;
	}
	return used;
}

static size_t head(char *out, bool is_stderr, int64_t at_ns)
{
	time_t seconds = at_ns / 1000000000;
	struct tm tm;
	size_t n;

	gmtime_r(&seconds, &tm);
	n = strftime(out, HEAD_MAX, "%FT%T", &tm);
	return n + (size_t)snprintf(out + n, HEAD_MAX - n, ".%09dZ %s ", (int)(at_ns % 1000000000),
				    is_stderr ? "stderr" : "stdout");
}

void log_format(struct buf *out, const char *in, size_t n, bool is_stderr, int64_t at_ns)
{
	char stamp[HEAD_MAX];
	size_t stamp_len = head(stamp, is_stderr, at_ns);

	for (size_t used = 0; used < n;) {
		bool whole;
		size_t len = piece(in + used, n - used, &whole);
		char *to = buf_room(out, stamp_len + 2 + len + 1);

		memcpy(to, stamp, stamp_len);
		to += stamp_len;
		*to++ = whole ? 'F' : 'P';
		*to++ = ' ';
		memcpy(to, in + used, len);
		to[len] = '\n';
		buf_added(out, stamp_len + 2 + len + 1);
		used += len + whole;
	}
}
