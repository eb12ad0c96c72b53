/* exposition.h - reads a daemon's own figures out of its /metrics page.
 *
 * Spec: Prometheus text exposition format 0.0.4, as far as reactor/metric.c writes it. */
#ifndef BENCH_EXPOSITION_H
#define BENCH_EXPOSITION_H

#include <stddef.h>
#include <stdint.h>

#include "reactor/buf.h"
#include "reactor/err.h"

enum { HISTOGRAM_BUCKETS = 64 };

struct histogram {
	size_t n;
	double le[HISTOGRAM_BUCKETS];      /* upper bounds, rising; the last is infinite */
	uint64_t below[HISTOGRAM_BUCKETS]; /* cumulative */
	double sum, max;                   /* of NAME_sum and NAME_max, 0 when the page has none */
};

/* Of the series with this one label (`stage="cni_add"`), or of the one without labels: "". -1: the page has none of
 * this name, or one this cannot hold. */
int exposition_histogram(const char *page, const char *name, const char *label, struct histogram *out);

/* The page in a file. INTERNAL: it cannot be read. */
int exposition_read(const char *path, struct buf *text, struct err *e);

/* The value of a series as the page writes it, labels included, or -1. */
double exposition_value(const char *page, const char *series);

/* What it grew by between two pages. One that the earlier page has not was 0. */
double exposition_grown(const char *before, const char *after, const char *series);

/* What came between two readings of the same histogram; max stays, it has no past. */
void histogram_subtract(struct histogram *later, const struct histogram *earlier);
uint64_t histogram_count(const struct histogram *h);
double histogram_mean(const struct histogram *h); /* 0 of nothing */

/* The bound of the bucket that the quantile falls into: the true value is not above it. In the open bucket, or where
 * the maximum is lower, the maximum. */
double histogram_quantile(const struct histogram *h, double q);

#endif
