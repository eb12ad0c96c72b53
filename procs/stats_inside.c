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
	struct runtime_usage usage;
	int64_t at_ns;         /* real time of the answer; until the first one comes that of the start, when all is 0 */
};

static struct map asked; /* by container id, of struct inside */

bool stats_inside(const struct container *c)
{
	const struct runtime_handler *h = container_handler(c);

	return h && runtime_traits(h) & RUNTIME_STATS;
}

static void on_inside_answer(void *arg, const struct err *e, struct child_result *r)
{
	struct inside *i = arg;
	struct err bad;

	i->op = NULL;
	if (!e && runtime_usage_read(r->out, r->out_len, &i->usage, &bad) == 0) {
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

void stats_inside_read(struct container *c, struct usage *out, struct usage_more *more)
{
	const struct inside *i;

	stats_inside_begin(c);
	i = map_get(&asked, c->id);
	*out = (struct usage){ .at_ns = i->at_ns, .cpu = true, .memory = true, .cpu_ns = i->usage.cpu_ns,
			       .memory_bytes = i->usage.memory_bytes, .working_set_bytes = i->usage.memory_bytes,
			       .rss_bytes = i->usage.memory_bytes, .memory_limit = UINT64_MAX,
			       .swap_limit = UINT64_MAX };
	if (more)
		*more = (struct usage_more){ .tasks = i->usage.tasks };
}
