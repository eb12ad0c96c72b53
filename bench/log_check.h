/* log_check.h - did every line of log_writer_main.c reach the log, once and whole?
 *
 * Spec: CRI log format, "TIME STREAM TAG TEXT", tag P for a piece of a line, F for its end. */
#ifndef BENCH_LOG_CHECK_H
#define BENCH_LOG_CHECK_H

#include "reactor/err.h"

struct log_check {
	long lost, damaged; /* damaged: not a line of the writer, or one that was there before */
};

/* INTERNAL: the log cannot be read. */
int log_check(const char *path, long lines, struct log_check *out, struct err *e);

/* One joined line: its number, or -1. */
long log_check_number(const char *line);

#endif
