/* compare.h - compares two runs of crisp-bench: which figures became slower, which faster, and which differ by chance.
 *
 * A difference counts when a Mann-Whitney U test gives p below 0.05 / (number of comparisons) (Bonferroni) or below
 * 0.001, whichever is larger, and the median moved by 3 % or more. */
#ifndef BENCH_COMPARE_H
#define BENCH_COMPARE_H

#include <stddef.h>

#include "bench/samples.h"

enum verdict { SAME, WORSE, BETTER };

/* The verdict on `now`, measured against `before`. comparisons: the number of comparisons in all (for Bonferroni).
 * larger_is_better: of figure_larger_is_better(). */
enum verdict compare_samples(struct samples *before, struct samples *now, int larger_is_better, size_t comparisons,
			     double *p);

#define COMPARE_USAGE "       crisp-bench compare OLD NEW\n"

/* `crisp-bench compare`: prints the conditions that differ and a table. Returns the exit code: 1 when a figure is worse
 * or a file cannot be read (the error is printed). */
int compare_main(int argc, char **argv);

#endif
