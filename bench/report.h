/* report.h - the results of a run: tables on standard output, or one self-contained HTML page with plots. */
#ifndef BENCH_REPORT_H
#define BENCH_REPORT_H

#include <stdio.h>

#include "bench/figures.h"

#define REPORT_USAGE \
	"       crisp-bench table [--base NAME] [--before PAGE --after PAGE] FILE...\n" \
	"       crisp-bench report [--base NAME] [--before PAGE --after PAGE] [--plots DIR] --html OUT FILE...\n"

/* `crisp-bench table` and `crisp-bench report`. Returns the exit code. The page needs gnuplot. */
int report_main(int argc, char **argv);

/* Every figure: n, p50, the quantiles that samples_enough() allows, max, and the ratio to `base` with its 95 %
 * interval. base may be NULL. */
void report_table(struct figures *f, const char *base, FILE *out);

#endif
