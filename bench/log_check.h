/* log_check.h - checks that every line of log_writer_main.c is in the log exactly once and undamaged.
 *
 * Spec: CRI log format, "TIME STREAM TAG TEXT", tag P for a piece of a line, F for its end. */
#ifndef BENCH_LOG_CHECK_H
#define BENCH_LOG_CHECK_H

#include "reactor/err.h"

struct log_check {
	long lost, damaged; /* damaged: not a line of the writer, or a line that is there twice */
};

/* INTERNAL: the log cannot be read. */
int log_check(const char *path, long lines, struct log_check *out, struct err *e);

/* The number in a line of the writer whose pieces are joined; -1: not such a line. */
long log_check_number(const char *line);

#endif
