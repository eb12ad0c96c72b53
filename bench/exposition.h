/* exposition.h - reads a daemon's own figures out of its /metrics page.
 *
 * Spec: Prometheus text exposition format 0.0.4, as far as reactor/metric.c writes it. */
#ifndef BENCH_EXPOSITION_H
#define BENCH_EXPOSITION_H

#include <stddef.h>
#include <stdint.h>

enum { HISTOGRAM_BUCKETS = 64 };

struct histogram {
	size_t n;
	double le[HISTOGRAM_BUCKETS];      /* upper bounds, rising; the last is infinite */
	uint64_t below[HISTOGRAM_BUCKETS]; /* cumulative */
	double max;                        /* of NAME_max, 0 when the page has none */
};

/* Of a histogram without labels. -1: the page has none of this name, or one this cannot hold. */
int exposition_histogram(const char *page, const char *name, struct histogram *out);

/* The value of a series without labels, or -1. */
double exposition_value(const char *page, const char *name);

/* What came between two readings of the same histogram; max stays, it has no past. */
void histogram_subtract(struct histogram *later, const struct histogram *earlier);
uint64_t histogram_count(const struct histogram *h);

/* The bound of the bucket that the quantile falls into: the true value is not above it. In the open bucket, or where
 * the maximum is lower, the maximum. */
double histogram_quantile(const struct histogram *h, double q);

#endif
