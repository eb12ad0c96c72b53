/* pods.h - many pods: brought up and taken down together, or each through its whole life by itself. */
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

/* n pods, at most `width` at a time; waits. Failures end the run. Whatever happened, pods_down() comes next. */
void pods_up(struct pods *p, struct bench *b, struct endpoint *ep, const char *mode, size_t n, size_t width);
/* `more` pods beside those there are. */
void pods_more(struct pods *p, size_t more, size_t width);
/* Down, at most `width` at a time; waits. */
void pods_down(struct pods *p, size_t width);
void pods_free(struct pods *p);

/* ---- each by itself ---- */

struct life;
typedef void life_done(void *arg, const struct life *l); /* down; the life is gone after it */

/* Up, hold_ms of rest, down. A failure ends the run; `done` runs all the same, exactly once, unless the run is
 * abandoned. */
void life_start(struct bench *b, struct endpoint *ep, const char *mode, int64_t hold_ms, life_done *done, void *arg);
bool life_failed(const struct life *l);
const struct pod *life_pod(const struct life *l);
int64_t life_up_ns(const struct life *l); /* moments: it was up; it is down */
int64_t life_down_ns(const struct life *l);
void lives_free(void); /* of an abandoned run */

/* The RPCs of a pod's life, their sums "up" and "down". */
void pods_put(json_t *sample, const struct pod *p);

#endif
