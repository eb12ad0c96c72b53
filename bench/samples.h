/* samples.h - a set of measured values and what is said of it. */
#ifndef BENCH_SAMPLES_H
#define BENCH_SAMPLES_H

#include <stddef.h>

struct samples { /* zeroed: empty */
	double *v;
	size_t n, room;
};

void samples_add(struct samples *s, double v);
void samples_clear(struct samples *s);

/* Nearest rank: the smallest value that at least q of them do not exceed; never a value that was not measured.
 * 0 < q <= 1; 1 is the maximum. Sorts the set. An empty set has 0. */
double samples_quantile(struct samples *s, double q);

#endif
