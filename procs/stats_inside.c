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
	const struct container *container; /* outlives this: stats_inside_end(); NULL: it is of a sandbox */
	const struct sandbox *sandbox;     /* so does it: stats_of_sandbox_end() */
	int64_t asked_ns;      /* monotonic */
	bool answered, refused;
	struct runtime_usage usage;
	int64_t at_ns;         /* real time of the answer; until the first one comes that of the start, when all is 0 */
};

static struct map asked; /* by the id of the container or the sandbox, of struct inside */

bool stats_inside(const struct container *c)
{
	const struct runtime_handler *h = container_handler(c);

	return h && runtime_traits(h) & RUNTIME_STATS && sandbox_inside(c->sandbox);
}

static const struct runtime_handler *inside_handler(const struct inside *i)
{
	return i->container ? container_handler(i->container) : runtime_find(i->sandbox->config.runtime_handler);
}

static const char *inside_id(const struct inside *i)
{
	return i->container ? i->container->id : i->sandbox->id;
}

static void on_inside_answer(void *arg, const struct err *e, struct child_result *r)
{
	struct inside *i = arg;
	const struct runtime_handler *h = inside_handler(i);
	struct runtime_usage usage;
	struct err bad = { 0 };

	i->op = NULL;
	if (!e && h && runtime_usage_read(h, r->out, r->out_len, &usage, &bad) == 0) {
		i->usage = usage;
		i->answered = true;
		i->at_ns = loop_real_ns();
		return;
	}
	i->refused = true;
	log_info("runtime_stats %s=%.12s error=%s", i->container ? "container" : "sandbox", inside_id(i),
		 log_quote(e ? e->msg : bad.msg));
}

static void inside_ask(struct inside *i)
{
	const struct runtime_handler *h = inside_handler(i);

	if (i->op || !h || (i->asked_ns && loop_mono_ns() - i->asked_ns < (int64_t)FRESH_MS * 1000000))
		return;
	i->asked_ns = loop_mono_ns();
	i->op = runtime_stats(h, inside_id(i), on_inside_answer, i);
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

static void inside_end(const char *id)
{
	struct inside *i = map_drop(&asked, id);

	if (i && i->op)
		runtime_cancel(i->op);
	free(i);
}

void stats_inside_end(struct container *c)
{
	inside_end(c->id);
}

void stats_of_sandbox_end(const struct sandbox *s)
{
	inside_end(s->id);
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

/* An answer of nothing is none: some shims have the call and count nothing. */
bool stats_of_sandbox(struct sandbox *s, struct usage *out, enum stats_source *source)
{
	const struct runtime_handler *h = runtime_find(s->config.runtime_handler);
	struct inside *i = map_get(&asked, s->id);

	if (!h || !(s->made & MADE_API) || !(runtime_traits(h) & RUNTIME_SANDBOX_API))
		return false;
	if (!i) {
		i = new_zero(struct inside);
		i->sandbox = s;
		map_put(&asked, s->id, i);
	}
	inside_ask(i);
	if (i->answered ? !i->usage.cpu_ns && !i->usage.memory_bytes : i->refused)
		return false;
	*source = i->answered ? STATS_RUNTIME : STATS_NONE;
	if (i->answered)
		inside_put(i, out, NULL);
	return true;
}
