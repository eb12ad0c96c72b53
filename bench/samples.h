/* samples.h - a set of measured values and its quantiles. */
#ifndef BENCH_SAMPLES_H
#define BENCH_SAMPLES_H

#include <stdbool.h>
#include <stddef.h>

struct samples { /* zeroed: empty */
	double *v;
	size_t n, room;
};

void samples_add(struct samples *s, double v);
void samples_clear(struct samples *s);

/* Nearest rank: the smallest measured value such that at least the part q of all values is not larger. No
 * interpolation. 0 < q <= 1; 1 is the maximum. Sorts the set. 0 for an empty set. */
double samples_quantile(struct samples *s, double q);

/* Does the quantile of n values have a meaning? A median always has; above it three values or more must lie beyond: p90
 * of 30, p99 of 300, p99.9 of 3000. With fewer values a p99 is the maximum by another name. */
bool samples_enough(size_t n, double q);

#endif
