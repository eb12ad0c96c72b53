/* plot.h - plots of a run, as SVG by gnuplot. An endpoint has the same colour in all of them. */
#ifndef BENCH_PLOT_H
#define BENCH_PLOT_H

#include "bench/figures.h"
#include "bench/stages.h"
#include "reactor/buf.h"
#include "reactor/err.h"

/* Each function appends one <svg> element. Errors: FAILED_PRECONDITION: gnuplot is not installed; INTERNAL: gnuplot's
 * message. */
/* A panel for each figure; without a key. */
int plot_cdf(const struct figures *f, const char *scenario, const char *mode, struct buf *svg, struct err *e);
/* The median over the number of pods, from the modes "N pods". `names` ends with NULL; names without samples are left
 * out. */
int plot_by_pods(const struct figures *f, const char *scenario, const char *const *names, const char *title,
		 struct buf *svg, struct err *e);
/* The median of `name` for every endpoint in each mode of the scenario, with whiskers from p10 to p90, or to the ends
 * of a small set. */
int plot_peers(const struct figures *f, const char *scenario, const char *name, struct buf *svg, struct err *e);
/* The mean of each stage of a pod start, one behind the other. */
int plot_waterfall(const struct stage *stage, size_t n, struct buf *svg, struct err *e);

/* "#rrggbb", of an endpoint. */
const char *plot_colour(const struct figures *f, const char *endpoint);

#endif
