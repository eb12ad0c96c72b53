/* stats_inside.h - the resource usage of containers that run inside of a sandbox (RUNTIME_STATS): their processes are
 * in the sandbox's group, so only the runtime can tell them apart.
 *
 * A runtime's program takes some 20 ms of CPU, and a list of statistics waits for nothing. So the last answer counts,
 * and a question starts the next one, at most every FRESH_MS for a container. (ARCHITECTURE G6) */
#ifndef PROCS_STATS_INSIDE_H
#define PROCS_STATS_INSIDE_H

#include "procs/container.h"
#include "procs/stats.h"

/* Does the runtime tell them? Then stats_read() of the container's group says nothing. */
bool stats_inside(const struct container *container);

/* Before the first answer it is what holds at the start: nothing was used, at that time. */
void stats_inside_read(struct container *container, struct usage *out, struct usage_more *more);

/* The first question, when the container has started; and no more of it, before it is freed. */
void stats_inside_begin(struct container *container);
void stats_inside_end(struct container *container);

#endif
