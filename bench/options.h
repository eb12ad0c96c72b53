/* options.h - the options of a scenario: read from the command line, and printed with their defaults by --help. */
#ifndef BENCH_OPTIONS_H
#define BENCH_OPTIONS_H

#include <stdio.h>

#include "bench/bench.h"

struct scenario {
	const char *name;
	const char *about; /* a sentence for --help */
	const char *takes; /* the options of its own, separated by blanks; each scenario also has the common options */
	void (*run)(struct bench *b);
	struct bench defaults;
};

enum options_read { OPTIONS_RUN, OPTIONS_HELP, OPTIONS_WRONG };

/* Fills `b` with the scenario's defaults and then from argv, whose word 0 is skipped; the endpoints are left, from
 * `optind` on. The strings are those of argv. OPTIONS_HELP: --help is among the options. OPTIONS_WRONG: the error is
 * printed; an option of another scenario is an error. */
enum options_read options_read(struct bench *b, const struct scenario *s, int argc, char **argv);

/* The usage of the scenario: what it measures, and each option with its default. */
void options_help(const struct scenario *s, FILE *out);

/* The options that figures depend on, with their values: "rounds 6, count 10, ...". Of the common options only those
 * that are set. */
const char *options_text(const struct bench *b, const struct scenario *s, struct arena *arena);

#endif
