/* box_watch.c - see box_watch.h. Waits on: the runtime's `wait`; a timer, when that fails. */
#include "procs/box_watch.h"

#include <stdlib.h>

#include "procs/pidstat.h"
#include "procs/runtime.h"
#include "reactor/child.h"
#include "reactor/log.h"
#include "reactor/loop.h"
#include "reactor/map.h"
#include "reactor/own.h"

enum { AGAIN_MS = 500, TRIES = 10 };

struct box_watch {
	struct sandbox *sandbox; /* outlives this: box_watch_kill() comes first */
	struct runtime_op *wait; /* under way */
	struct timer timer;
	int tries;
};

struct box_killed {
	struct timer timer;
	sandbox_pause_done *done;
	void *arg;
};

static struct map watched; /* by sandbox id, of struct box_watch */

static void box_ask(struct box_watch *w);

static void box_unwatch(const struct sandbox *s)
{
	struct box_watch *w = map_drop(&watched, s->id);

	if (!w)
		return;
	if (w->wait)
		runtime_cancel(w->wait);
	timer_clear(&w->timer);
	free(w);
}

static void box_died(struct box_watch *w, const char *how)
{
	struct sandbox *s = w->sandbox;

	log_warn("sandbox_box_died sandbox=%.12s pid=%d status=%s", s->id,
		 sandbox_in_runtime(s) ? 0 : (int)s->pause_pid, log_quote(how));
	if (!sandbox_in_runtime(s))
		s->pause_pid = 0;
	box_unwatch(s);
	sandbox_set_state(s, SANDBOX_NOTREADY);
}

static void on_box_ask_again(struct timer *t)
{
	box_ask(container_of(t, struct box_watch, timer));
}

static void on_box_ended(void *arg, const struct err *e, struct child_result *r)
{
	struct box_watch *w = arg;

	w->wait = NULL;
	if (!e)
		return box_died(w, child_status_text(r->status));
	if (e->code != ERR_UNAVAILABLE && ++w->tries >= TRIES)
		return box_died(w, e->msg);
	timer_set(&w->timer, AGAIN_MS, on_box_ask_again);
}

static void box_ask(struct box_watch *w)
{
	const struct runtime_handler *h = runtime_find(w->sandbox->config.runtime_handler);

	if (h)
		w->wait = runtime_wait(h, w->sandbox->id, on_box_ended, w);
	else
		box_died(w, "its runtime handler is not configured any more");
}

static void box_watch_begin(struct sandbox *s)
{
	struct box_watch *w = new_zero(struct box_watch);

	box_unwatch(s);
	w->sandbox = s;
	map_put(&watched, s->id, w);
	box_ask(w);
}

bool box_watch_adopt(struct sandbox *s)
{
	const struct runtime_handler *h = runtime_find(s->config.runtime_handler);

	if (sandbox_inside(s))
		return sandbox_pause_adopt(s);
	if (!h || (!s->pause_pid && !sandbox_in_runtime(s)) || !runtime_knows(h, s->id))
		return false;
	box_watch_begin(s);
	return true;
}

void box_watch_began(struct sandbox *s, pid_t pid)
{
	struct pidstat begun = { 0 };

	if (sandbox_in_runtime(s))
		return box_watch_begin(s);
	s->pause_pid = pid;
	pidstat_read(pid, &begun); /* fails if it is dead already: the runtime tells it */
	s->pause_start_ticks = begun.start_ticks;
	box_watch_begin(s);
}

void box_watch_end(struct sandbox *s)
{
	box_unwatch(s);
}

static void on_box_killed(struct timer *t)
{
	struct box_killed *k = container_of(t, struct box_killed, timer);
	sandbox_pause_done *done = k->done;
	void *arg = k->arg;

	timer_clear(&k->timer);
	free(k);
	done(arg, NULL);
}

void box_watch_kill(struct sandbox *s, sandbox_pause_done *done, void *arg)
{
	struct box_killed *k;

	if (sandbox_inside(s))
		return sandbox_pause_kill(s, done, arg);
	box_unwatch(s);
	s->pause_pid = 0;
	k = new_zero(struct box_killed);
	k->done = done;
	k->arg = arg;
	timer_set(&k->timer, 0, on_box_killed);
}
