/* significance.h - tells whether the difference between two sets of samples is more than chance. */
#ifndef BENCH_SIGNIFICANCE_H
#define BENCH_SIGNIFICANCE_H

#include "bench/samples.h"

/* Mann-Whitney U, two-sided: the probability of a difference at least this large if both sets come from one
 * distribution. Exact for two small sets (up to 20 values together) without ties, else the normal approximation,
 * corrected for ties and continuity. 1 when a set is empty. */
double significance_p(const struct samples *a, const struct samples *b);

struct interval {
	double low, high;
};

/* 95 % confidence interval of median(a) / median(b), by 2000 bootstrap resamples of each. The same sets give the same
 * interval. Both ends are 0 when a set is empty or a median of b is 0. */
struct interval significance_ratio(const struct samples *a, const struct samples *b);

#endif
