/* schedule.h - when the requests of an open loop are due: at a fixed rate, whatever the server does.
 *
 * A latency counts from the moment its request was due, not from when it could be sent. A client that waits for an
 * answer before it asks again leaves out just the requests that a stall would have hurt (coordinated omission). */
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

/* Takes the next request that is due at now_ns: 1 and its moment in *due_ns, or 0: none yet, or none any more. A late
 * caller gets all that are due one after another, each with its own moment. */
int schedule_take(struct schedule *s, int64_t now_ns, int64_t *due_ns);

/* Until the next one is due, milliseconds rounded up, 0 when it is due; -1 when all are issued. */
int64_t schedule_wait_ms(const struct schedule *s, int64_t now_ns);

#endif
