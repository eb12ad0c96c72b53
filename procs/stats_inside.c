/* stats_inside.c - see stats_inside.h. Waits on: the runtime. */
#include "procs/stats_inside.h"

#include <stdlib.h>

#include "procs/runtime.h"
#include "reactor/child.h"
#include "reactor/log.h"
#include "reactor/loop.h"
#include "reactor/map.h"
#include "reactor/own.h"

enum { FRESH_MS = 5000 };

struct inside {
	struct runtime_op *op; /* under way */
	struct container *container; /* outlives this: stats_inside_end() */
	int64_t asked_ns;      /* monotonic */
	bool answered;
	struct runtime_usage usage;
	int64_t at_ns;         /* real time of the answer; until the first one comes that of the start, when all is 0 */
};

static struct map asked; /* by container id, of struct inside */

bool stats_inside(const struct container *c)
{
	const struct runtime_handler *h = container_handler(c);

	return h && runtime_traits(h) & RUNTIME_STATS && sandbox_inside(c->sandbox);
}

static void on_inside_answer(void *arg, const struct err *e, struct child_result *r)
{
	struct inside *i = arg;
	const struct runtime_handler *h = container_handler(i->container);
	struct runtime_usage usage;
	struct err bad = { 0 };

	i->op = NULL;
	if (!e && h && runtime_usage_read(h, r->out, r->out_len, &usage, &bad) == 0) {
		i->usage = usage;
		i->answered = true;
		i->at_ns = loop_real_ns();
		return;
	}
	log_info("runtime_stats container=%.12s error=%s", i->container->id, log_quote(e ? e->msg : bad.msg));
}

static void inside_ask(struct inside *i)
{
	const struct runtime_handler *h = container_handler(i->container);

	if (i->op || !h || (i->asked_ns && loop_mono_ns() - i->asked_ns < (int64_t)FRESH_MS * 1000000))
		return;
	i->asked_ns = loop_mono_ns();
	i->op = runtime_stats(h, i->container->id, on_inside_answer, i);
}

void stats_inside_begin(struct container *c)
{
	struct inside *i = map_get(&asked, c->id);

	if (!i) {
		i = new_zero(struct inside);
		i->container = c;
		i->at_ns = c->started_at_ns;
		map_put(&asked, c->id, i);
	}
	inside_ask(i);
}

void stats_inside_end(struct container *c)
{
	struct inside *i = map_drop(&asked, c->id);

	if (i && i->op)
		runtime_cancel(i->op);
	free(i);
}

static void inside_put(const struct inside *i, struct usage *out, struct usage_more *more)
{
	uint64_t idle = i->usage.inactive_file_bytes, all = i->usage.memory_bytes;

	*out = (struct usage){ .at_ns = i->at_ns, .cpu = true, .memory = true, .cpu_ns = i->usage.cpu_ns,
			       .memory_bytes = all, .working_set_bytes = all > idle ? all - idle : 0,
			       .rss_bytes = i->usage.rss_bytes, .memory_limit = UINT64_MAX,
			       .swap_limit = UINT64_MAX };
	if (more)
		*more = (struct usage_more){ .tasks = i->usage.tasks, .inactive_file_bytes = idle };
}

/* Of a container whose group has nothing. Before the first answer that is all that is known. */
static bool asked_usage(struct container *c, struct usage *out, struct usage_more *more)
{
	const struct runtime_handler *h = container_handler(c);
	const struct inside *i;

	if (!c->life || !h || !(runtime_traits(h) & RUNTIME_STATS))
		return false;
	stats_inside_begin(c);
	i = map_get(&asked, c->id);
	if (i->answered)
		inside_put(i, out, more);
	return i->answered;
}

enum stats_source stats_of(struct container *c, struct usage *out, struct usage_more *more)
{
	bool known;

	if (stats_inside(c)) {
		stats_inside_begin(c);
		inside_put(map_get(&asked, c->id), out, more);
		return STATS_RUNTIME;
	}
	known = stats_read(c->cgroup, out, more);
	if (known && (out->memory_bytes || out->cpu_ns))
		return STATS_GROUP;
	if (asked_usage(c, out, more))
		return STATS_RUNTIME;
	return known ? STATS_GROUP : STATS_NONE;
}
