/* plot.h - plots of a run as SVG, drawn by gnuplot. */
#ifndef BENCH_PLOT_H
#define BENCH_PLOT_H

#include "bench/figures.h"
#include "bench/stages.h"
#include "reactor/buf.h"
#include "reactor/err.h"

/* Each appends one <svg> element. Errors: FAILED_PRECONDITION no gnuplot; INTERNAL gnuplot's own words. */
int plot_cdf(const struct figures *f, const char *scenario, const char *mode, struct buf *svg, struct err *e);
/* Median over the number of pods, from modes "N pods"; names ended by NULL, those without samples are left out. */
int plot_by_pods(const struct figures *f, const char *scenario, const char *const *names, const char *title,
		 struct buf *svg, struct err *e);
/* Median of `name` for every endpoint in each mode of the scenario, whiskers from p10 to p99. */
int plot_peers(const struct figures *f, const char *scenario, const char *name, struct buf *svg, struct err *e);
/* The means of those of a start, one after the other. */
int plot_waterfall(const struct stage *stage, size_t n, struct buf *svg, struct err *e);

#endif
