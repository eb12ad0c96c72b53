/* conditions.h - what the figures of a run depend on: the machine, the options, and the servers with their versions.
 *
 * Two JSON lines in front of a run's samples: {"kind": "conditions", "kernel", "cpus", "cpu", "memory_mib", "cgroup"},
 * which is the same for every run on a machine, and {"kind": "run", "scenario", "when", "load", "options",
 * "endpoints"}. A script that knows more about the machine adds members in a line of kind "conditions" of its own. */
#ifndef BENCH_CONDITIONS_H
#define BENCH_CONDITIONS_H

#include <stdio.h>

#include "bench/bench.h"
#include "bench/figures.h"

/* Writes the two lines. `options` is options_text(). Asks each server for its version; a server without an answer is
 * written down as such. */
void conditions_write(const struct bench *b, const char *options);

/* Prints the conditions, then each run. When there are none it says so. */
void conditions_print(const struct figures *f, FILE *out);

/* Prints each condition that differs between two runs; a run without conditions is named. */
void conditions_compare(const struct figures *before, const struct figures *now, FILE *out);

#endif
