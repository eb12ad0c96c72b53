/* stages.h - the time that each stage of an RPC's work took in crispd, from its /metrics page before and after some
 * pods.
 *
 * A stage is a series of crisp_stage_seconds. A quantile of a histogram is the upper bound of a bucket: the true value
 * is at most this. */
#ifndef BENCH_STAGES_H
#define BENCH_STAGES_H

#include <stdbool.h>
#include <stdio.h>

#include "bench/exposition.h"
#include "reactor/err.h"

enum { STAGES_MAX = 16 };

struct stage {
	const char *name, *rpc; /* static; `rpc`: the RPC that the stage is part of */
	bool of_start;          /* part of a pod's start; false: of its stop or removal */
	struct histogram seconds;
};

/* The stages that happened between the two pages, in the order of a pod's life. Returns their number. */
size_t stages_between(const char *before, const char *after, struct stage out[STAGES_MAX]);

/* The same for two files with such pages. INTERNAL: a page cannot be read. */
int stages_read(const char *before_path, const char *after_path, struct stage out[STAGES_MAX], size_t *n,
		struct err *e);

/* Prints them as a table. INTERNAL: a page cannot be read. */
int stages_print(const char *before_path, const char *after_path, FILE *out, struct err *e);

#endif
