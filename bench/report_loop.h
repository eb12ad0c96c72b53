/* report_loop.h - what crispd's loop did while the pods came and went, from its /metrics page before and after. */
#ifndef BENCH_REPORT_LOOP_H
#define BENCH_REPORT_LOOP_H

#include <stdio.h>

#include "reactor/err.h"

/* INTERNAL: a page cannot be read, or has not the loop's histograms. */
int report_loop(const char *before, const char *after, FILE *out, struct err *e);

#endif
