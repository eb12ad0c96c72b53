/* bench.h - what the scenarios of crisp-bench share: options, endpoints, output, and how a run ends early.
 *
 * Output is JSON lines. A sample: {"kind": "sample", "scenario", "mode", "endpoint", "round", NAME: number, ...}; a
 * number is milliseconds unless its name ends in a unit (_kib, _mb_s, _per_s, _percent, _n).
 *
 * A run ends early by SIGINT, SIGTERM or an endpoint's error. Then nothing new is begun, what is under way may end
 * within GRACE_MS, and bench_sweep() removes every pod that bears the run's label, also those whose answer never
 * came. */
#ifndef BENCH_BENCH_H
#define BENCH_BENCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#include "bench/endpoint.h"
#include "bench/pod_life.h"
#include "reactor/arena.h"
#include "reactor/json.h"

enum { ENDPOINTS_MAX = 8, PODS_MAX = 5000 };

struct bench {
	const char *scenario;
	struct arena *arena;
	struct endpoint endpoint[ENDPOINTS_MAX];
	size_t endpoints;
	struct pod_spec pods;
	const char *images, *command; /* lists with commas and with blanks */
	const char *beside; /* NAME=PROGRAM ARGUMENT..., or NULL */
	long rounds, count, width, pause_ms, rate, seconds, n, steps, megabytes, timeout_s, ready_s;
	FILE *out;
};

/* The run: signals, the endpoints' readiness. -1: it is over before it began, which has been said. */
int bench_begin(struct bench *b, char **endpoints);
/* Sweeps when the run ended early, closes. The exit code of the run: 0, 1. */
int bench_end(struct bench *b);

bool bench_stopping(void);  /* begin nothing new */
bool bench_abandoned(void); /* and wait for nothing: the clients were replaced, what was asked is never answered */

/* Runs the loop until bench_wake(), or at once when the run is abandoned. */
void bench_wait(void);
void bench_wake(void);
void bench_sleep(int64_t ms);
/* the pause between two steps, a little longer each time so that no rhythm is hit */
void bench_rest(const struct bench *b);

/* Says it, writes it down and ends the run. CANCELLED is only a consequence: it is not told. */
void bench_fail(struct bench *b, const struct endpoint *ep, const char *mode, const struct err *e);

json_t *bench_sample(const struct bench *b, const struct endpoint *ep, const char *mode, long round);
void bench_put_ns(json_t *sample, const char *name, int64_t ns); /* as milliseconds */
void bench_put(json_t *sample, const char *name, double v);
void bench_write(const struct bench *b, json_t *line); /* takes it */

/* A bar on a terminal, nothing elsewhere. `what` is shown beside it. */
void bench_progress(const struct bench *b, size_t done, size_t of, const char *what);

void bench_sweep(struct bench *b); /* sweep.c */

#endif
