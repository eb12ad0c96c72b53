/* samples.h - a set of measured values and its quantiles. */
#ifndef BENCH_SAMPLES_H
#define BENCH_SAMPLES_H

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

#endif
