/* schedule.h - the moments at which the requests of an open loop are due: at a fixed rate, independent of the server.
 *
 * A latency is counted from the moment when the request was due, not from the moment when it was sent. A client that
 * waits for each answer before the next request leaves out the requests that a stall delays (coordinated omission). */
#ifndef BENCH_SCHEDULE_H
#define BENCH_SCHEDULE_H

#include <stdint.h>

struct schedule {
	int64_t begin_ns;  /* when request 0 is due, CLOCK_MONOTONIC */
	double per_second; /* > 0 */
	uint64_t total;    /* requests in all */
	uint64_t issued;   /* so far */
};

int64_t schedule_due_ns(const struct schedule *s, uint64_t i); /* of request i */

/* Takes the next request that is due at now_ns. Returns 1, and its moment in *due_ns; or 0 when none is due, or all
 * were taken. A late caller gets all due requests one by one, each with its own moment. */
int schedule_take(struct schedule *s, int64_t now_ns, int64_t *due_ns);

/* Milliseconds until the next request is due, rounded up; 0: due now; -1: all were taken. */
int64_t schedule_wait_ms(const struct schedule *s, int64_t now_ns);

#endif
