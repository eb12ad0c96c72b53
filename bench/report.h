/* report.h - the results of a run: tables on standard output, or one self-contained HTML page with plots. */
#ifndef BENCH_REPORT_H
#define BENCH_REPORT_H

#include <stdio.h>

#include "bench/figures.h"

/* `crisp-bench table` and `crisp-bench report`. Returns the exit code. The page needs gnuplot. */
int report_main(int argc, char **argv);

/* Every figure: n, p50, p90, p99, p99.9, max, and the ratio to `base` with its 95 % interval. base may be NULL. */
void report_table(struct figures *f, const char *base, FILE *out);

#endif
