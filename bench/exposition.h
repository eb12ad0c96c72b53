/* exposition.h - reads values and histograms from a daemon's /metrics page.
 *
 * Spec: Prometheus text exposition format 0.0.4, the part that reactor/metric.c writes. */
#ifndef BENCH_EXPOSITION_H
#define BENCH_EXPOSITION_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "reactor/buf.h"
#include "reactor/err.h"

enum { HISTOGRAM_BUCKETS = 64 };

struct histogram {
	size_t n;
	double le[HISTOGRAM_BUCKETS];      /* upper bounds, rising; the last is infinite */
	uint64_t below[HISTOGRAM_BUCKETS]; /* cumulative */
	double sum, max;                   /* NAME_sum and NAME_max; 0 when the page has none */
};

/* The histogram with this one label (`stage="cni_add"`), or without labels (""). -1: the page has no such histogram, or
 * it has more than HISTOGRAM_BUCKETS buckets. */
int exposition_histogram(const char *page, const char *name, const char *label, struct histogram *out);

/* Reads a page from a file. INTERNAL: the file cannot be read. */
int exposition_read(const char *path, struct buf *text, struct err *e);

/* The value of a series. `series` is as on the page, with its labels. -1: there is none. */
double exposition_value(const char *page, const char *series);

/* The growth of a series between two pages. A series that the earlier page does not have counts as 0 there. */
double exposition_grown(const char *before, const char *after, const char *series);

/* Leaves in `later` only the values that were added after `earlier`. `max` stays: it cannot be subtracted. */
void histogram_subtract(struct histogram *later, const struct histogram *earlier);
uint64_t histogram_count(const struct histogram *h);
double histogram_mean(const struct histogram *h); /* 0 when empty */

/* The upper bound of the bucket that the quantile falls into: the true value is at most this. In the last (infinite)
 * bucket, and where the maximum is lower than the bound: the maximum. */
double histogram_quantile(const struct histogram *h, double q);

/* Prints the quantile of a histogram of seconds as milliseconds, nine columns wide; "-" when samples_enough() says that
 * there are too few values. */
void histogram_print(const struct histogram *h, double q, FILE *out);

#endif
