/* log_line.h - makes line n of log_writer_main.c: the number, then a pattern that differs from line to line. */
#ifndef BENCH_LOG_LINE_H
#define BENCH_LOG_LINE_H

#include <stdio.h>

enum { LOG_LINE_BYTES = 100 }; /* the newline included */

static inline void log_line_make(char *to, long n)
{
	int len = snprintf(to, LOG_LINE_BYTES, "%ld ", n);

	for (int i = len; i < LOG_LINE_BYTES - 1; i++)
		to[i] = (char)('a' + (n + i) % 26);
	to[LOG_LINE_BYTES - 1] = '\n';
	to[LOG_LINE_BYTES] = '\0';
}

#endif
