/* stats_inside.h - the resource usage of containers, also of those that only the runtime can tell (RUNTIME_STATS):
 * their processes are in the group of their sandbox, which they are inside of, or in no group of this node.
 *
 * A runtime's program takes some 20 ms of CPU, and a list of statistics waits for nothing. So the last answer counts,
 * and a question starts the next one, at most every FRESH_MS for a container. (ARCHITECTURE G6) */
#ifndef PROCS_STATS_INSIDE_H
#define PROCS_STATS_INSIDE_H

#include "procs/container.h"
#include "procs/stats.h"

/* Are its processes in its sandbox's group? */
bool stats_inside(const struct container *container);

enum stats_source { STATS_NONE, STATS_GROUP, STATS_RUNTIME };
/* As stats_read(), of a container that runs; where its own group has nothing, as the runtime tells it. Before the first
 * answer of a runtime a container inside of a sandbox has what holds at the start: nothing was used, at that time; of
 * another one nothing is known. */
enum stats_source stats_of(struct container *container, struct usage *out, struct usage_more *more);

/* The same of a sandbox that the runtime has (sandbox_in_runtime()). false: its group counts, as of other pods, because
 * the runtime tells nothing. STATS_NONE in *source: it has not answered yet. */
bool stats_of_sandbox(struct sandbox *sandbox, struct usage *out, enum stats_source *source);
void stats_of_sandbox_end(const struct sandbox *sandbox); /* before it is freed */

/* The first question, when the container has started; and no more of it, before it is freed. */
void stats_inside_begin(struct container *container);
void stats_inside_end(struct container *container);

#endif
