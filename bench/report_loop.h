/* report_loop.h - crispd's loop while the pods were started and removed, from its /metrics page before and after. */
#ifndef BENCH_REPORT_LOOP_H
#define BENCH_REPORT_LOOP_H

#include <stdio.h>

#include "reactor/err.h"

/* INTERNAL: a page cannot be read, or does not have the loop's histograms. */
int report_loop(const char *before, const char *after, FILE *out, struct err *e);

#endif
