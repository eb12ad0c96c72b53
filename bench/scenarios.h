/* scenarios.h - the scenarios of crisp-bench. Each is a function that runs to its end or until bench_stopping(). */
#ifndef BENCH_SCENARIOS_H
#define BENCH_SCENARIOS_H

#include "bench/bench.h"

/* Closed loop: --rounds of --count pods one after another and a burst of --width, endpoint by endpoint in turns.
 * With --rate an open loop: pods are due at that rate for --seconds, whatever the server does. */
void scenario_pod_start(struct bench *b);
void scenario_churn(struct bench *b);	/* --width workers, each with one pod after another; --seconds a round */
/* --n pods in --steps: memory, processes, calls; then CPU at rest for --seconds */
void scenario_density(struct bench *b);
void scenario_list(struct bench *b);	/* --n pods in --steps: the calls that a kubelet repeats */
void scenario_exec(struct bench *b);	/* --count ExecSync in --n pods, one at a time and --width at once */
void scenario_pull(struct bench *b);	/* --images: cold one by one, cold all at once */
void scenario_restart(struct bench *b); /* kill -9 of the server with --n pods; its supervisor starts it again */
/* --megabytes through a container's standard output, in bulk and line by line */
void scenario_log(struct bench *b);

#endif
