/* pods.h - many pods: brought up and taken down together, or each one up and down by itself. */
#ifndef BENCH_PODS_H
#define BENCH_PODS_H

#include "bench/bench.h"

/* ---- together ---- */

struct pods {
	struct bench *bench;
	struct endpoint *ep;
	const char *mode;
	struct pod **pod;
	bool *failed;
	size_t n, next, waiting;
};

/* Starts n pods, at most `width` at a time, and waits. A failure ends the run. The caller calls pods_down() in every
 * case. */
void pods_up(struct pods *p, struct bench *b, struct endpoint *ep, const char *mode, size_t n, size_t width);
/* Starts `more` pods in addition. */
void pods_more(struct pods *p, size_t more, size_t width);
/* Takes all down, at most `width` at a time, and waits. */
void pods_down(struct pods *p, size_t width);
void pods_free(struct pods *p);

/* ---- each by itself ---- */

struct life;
typedef void life_done(void *arg, const struct life *l); /* the pod is down; l is freed afterwards */

/* Starts a pod, waits hold_ms, takes the pod down. A failure ends the run. `done` runs exactly once, after a failure
 * too, unless the run is abandoned. */
void life_start(struct bench *b, struct endpoint *ep, const char *mode, int64_t hold_ms, life_done *done, void *arg);
bool life_failed(const struct life *l);
const struct pod *life_pod(const struct life *l);
int64_t life_up_ns(const struct life *l); /* the moment when it was up */
void lives_free(void); /* of an abandoned run */

/* Adds the times of the pod's RPCs and their sums "up" and "down". */
void pods_put(json_t *sample, const struct pod *p);

#endif
