/* bench.h - the common part of crisp-bench's scenarios: options, endpoints, output, and the early end of a run.
 *
 * Output is JSON lines. A sample: {"kind": "sample", "scenario", "mode", "endpoint", "round", NAME: number, ...}; a
 * number is milliseconds unless its name ends in a unit (_kib, _mb_s, _per_s, _percent, _n).
 *
 * SIGINT, SIGTERM or an endpoint's error ends a run early. Then no new request is begun, requests under way have
 * GRACE_MS to end, and bench_sweep() removes every pod with the run's label, also pods whose RunPodSandbox was never
 * answered. */
#ifndef BENCH_BENCH_H
#define BENCH_BENCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#include "bench/endpoint.h"
#include "bench/pod_life.h"
#include "reactor/arena.h"
#include "reactor/json.h"

enum { ENDPOINTS_MAX = 12, PODS_MAX = 5000 };

struct bench {
	const char *scenario;
	struct arena *arena;
	struct endpoint endpoint[ENDPOINTS_MAX];
	size_t endpoints;
	struct pod_spec pods;
	const char *images, *command; /* lists: separated by commas; by blanks */
	const char *beside; /* NAME=PROGRAM ARGUMENT..., or NULL */
	const char *mode;   /* a word at the end of the samples' modes, or NULL */
	long rounds, count, width, pause_ms, rate, seconds, n, steps, megabytes, timeout_s, ready_s;
	FILE *out;
};

/* Begins the run: signals, and the wait until the endpoints are ready. -1: the run failed; the error is printed. */
int bench_begin(struct bench *b, char **endpoints);
/* Ends the run; sweeps if it ended early. Returns the exit code: 0 or 1. */
int bench_end(struct bench *b);

bool bench_stopping(void);  /* begin nothing new */
bool bench_abandoned(void); /* wait for no answer: the clients were replaced, requests under way get none */

/* Runs the loop until bench_wake(), or at once when the run is abandoned. */
void bench_wait(void);
void bench_wake(void);
void bench_sleep(int64_t ms);
/* The pause between two steps. Each is a little longer than the last, so that steps do not fall into step with a timer
 * of the server. */
void bench_rest(const struct bench *b);

/* Prints the error, writes a line of kind "error" and ends the run. CANCELLED is a consequence of an earlier error and
 * is not printed. */
void bench_fail(struct bench *b, const struct endpoint *ep, const char *mode, const struct err *e);

json_t *bench_sample(const struct bench *b, const struct endpoint *ep, const char *mode, long round);
void bench_put_ns(json_t *sample, const char *name, int64_t ns); /* as milliseconds */
void bench_put(json_t *sample, const char *name, double v);
void bench_write(const struct bench *b, json_t *line); /* takes the reference */

/* A progress bar on a terminal, with `what` beside it. No output elsewhere. */
void bench_progress(const struct bench *b, size_t done, size_t of, const char *what);

void bench_sweep(struct bench *b); /* sweep.c */

#endif
