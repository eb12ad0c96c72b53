/* compare.h - two runs of crisp-bench: what became slower, what faster, and what only seems so.
 *
 * A difference counts when a Mann-Whitney U test gives p below 0.05 / (number of comparisons) (Bonferroni) or below
 * 0.001, whichever is larger, and the median moved by 3 % or more. */
#ifndef BENCH_COMPARE_H
#define BENCH_COMPARE_H

#include <stddef.h>

#include "bench/samples.h"

enum verdict { SAME, WORSE, BETTER };

/* Of `now` against `before`; comparisons: how many are made in all. larger_is_better as figure_larger_is_better(). */
enum verdict compare_samples(struct samples *before, struct samples *now, int larger_is_better, size_t comparisons,
			     double *p);

/* Prints a table. 0; 1: something is worse, or a file cannot be read, which has been said. */
int compare_files(const char *before, const char *now);

#endif
