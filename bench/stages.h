/* stages.h - how long each step of the work behind the RPCs took crispd, from its /metrics page before and after some
 * pods.
 *
 * A stage is a series of crisp_stage_seconds. Histograms know bounds of buckets: a quantile is one that the true
 * value is not above. */
#ifndef BENCH_STAGES_H
#define BENCH_STAGES_H

#include <stdbool.h>
#include <stdio.h>

#include "bench/exposition.h"
#include "reactor/err.h"

enum { STAGES_MAX = 16 };

struct stage {
	const char *name, *rpc; /* static; the RPC that it belongs to */
	bool of_start;          /* else of the way down */
	struct histogram seconds;
};

/* Those that happened in between, in the order of a pod's life; the number of them. */
size_t stages_between(const char *before, const char *after, struct stage out[STAGES_MAX]);

/* The same of two files with such pages. INTERNAL: a page cannot be read. */
int stages_read(const char *before_path, const char *after_path, struct stage out[STAGES_MAX], size_t *n,
		struct err *e);

/* The table of them. INTERNAL: a page cannot be read. */
int stages_print(const char *before_path, const char *after_path, FILE *out, struct err *e);

#endif
