/* figures.h - reads the JSON lines of one or more runs into a set of samples for each (scenario, mode, name, endpoint).
 */
#ifndef BENCH_FIGURES_H
#define BENCH_FIGURES_H

#include <stdbool.h>

#include "bench/samples.h"
#include "reactor/arena.h"
#include "reactor/err.h"
#include "reactor/json.h"

struct figure {
	const char *scenario, *mode, *name, *endpoint;
	struct samples samples;
};

struct figures {
	struct arena *arena;
	struct figure *at; /* in the order of their first line */
	size_t n, room;
	json_t *conditions; /* texts, of all lines of that kind; "A; B" where two lines differ */
	json_t *runs;	    /* lines of kind "run" */
	json_t *errors;	    /* lines of kind "error" */
};

/* INTERNAL: the file cannot be read, or a line is no JSON object. */
int figures_read(struct figures *f, const char *path, struct err *e);
void figures_free(struct figures *f);

struct figure *figures_find(const struct figures *f, const char *scenario, const char *mode, const char *name,
			    const char *endpoint);

/* The first endpoint whose name starts with the prefix, or NULL. */
const char *figures_endpoint(const struct figures *f, const char *prefix);

/* The endpoints in the order of their first figures; NULL behind the last. */
const char *figures_nth_endpoint(const struct figures *f, size_t n);

const char *figure_unit(const char *name);   /* "ms", "KiB", "MB/s", "1/s", "%", "" */
const char *figure_title(struct arena *a, const char *name); /* without its unit */
bool figure_larger_is_better(const char *name);

#endif
