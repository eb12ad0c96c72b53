/* remove.c - see remove.h.
 *
 *   STOP ---EXITED---> LIFE ---the delete that began at the exit is over---> DELETE ---runtime has deleted---> GONE
 *    |                                                                    |
 *    +-----------------------------failed---------------------------------+---> FAILED (EXITED, still there)
 *
 * STOP and LIFE are passed at once when the container does not run; DELETE when the runtime does not know it (never
 * started, or deleted).
 * Waits on: stop, life, the runtime; one turn of the loop (GONE from nothing). (ARCHITECTURE P8) */
#include "procs/remove.h"

#include <stdlib.h>

#include "procs/cgroup.h"
#include "procs/create.h"
#include "procs/keeper.h"
#include "procs/life.h"
#include "procs/log_pump.h"
#include "procs/runtime.h"
#include "procs/stop.h"
#include "reactor/child.h"
#include "reactor/log.h"
#include "reactor/own.h"
#include "reactor/sm.h"

enum remove_state { STOP, LIFE, DELETE, GONE, FAILED };
static const struct sm_state remove_states[] = {
	[STOP]   = { "STOP",   TO(LIFE) | TO(FAILED) },
	[LIFE]   = { "LIFE",   TO(DELETE) },
	[DELETE] = { "DELETE", TO(GONE) | TO(FAILED) },
	[GONE]   = { "GONE",   0 },
	[FAILED] = { "FAILED", 0 },
};

struct remove {
	struct sm sm;
	struct container *container;
	struct lane_pass *pass;
	struct container_wait life;
	struct timer timer;
	struct err err;
	remove_unmount *unmount;
	remove_done *done;
	void *arg;
};

static void remove_fail(struct remove *r, const struct err *e)
{
	remove_done *done = r->done;
	void *arg = r->arg;
	struct err err = *e;

	sm_move(&r->sm, FAILED);
	err_wrap(&err, "remove container %.12s", r->container->id);
	free(r);
	done(arg, &err);
}

/* In the reverse order of their making. The record goes last: by it a new daemon finds what a crash left. */
static void on_remove_gone(struct timer *t)
{
	struct remove *r = container_of(t, struct remove, timer);
	struct container *c = r->container;
	struct arena *a = arena_new();
	remove_done *done = r->done;
	void *arg = r->arg;

	sm_move(&r->sm, GONE);
	r->unmount(arg, c);
	cgroup_remove_now(c->cgroup);
	if (c->log)
		log_pump_close(c->log);
	c->log = NULL;
	keeper_ask_release_all(arena_printf(a, "container/%s/", c->id));
	arena_free(a);
	create_undo(c);
	lane_leave(r->pass);
	container_free(c);
	free(r);
	done(arg, NULL);
}

static void on_remove_deleted(void *arg, const struct err *e, struct child_result *res)
{
	struct remove *r = arg;

	(void)res;
	if (e)
		return remove_fail(r, e);
	r->container->in_runtime = false;
	timer_set(&r->timer, 0, on_remove_gone);
}

static void remove_delete(struct remove *r)
{
	struct container *c = r->container;
	const struct runtime_handler *h = runtime_find(c->runtime);

	sm_move(&r->sm, DELETE);
	if (c->in_runtime && h) {
		runtime_delete(h, c->id, true, on_remove_deleted, r);
		return;
	}
	if (c->in_runtime)
		log_warn("runtime_delete container=%.12s error=\"runtime handler %s is not configured any more\"",
			 c->id, c->runtime);
	timer_set(&r->timer, 0, on_remove_gone);
}

static void on_remove_life_over(struct container_wait *w)
{
	remove_delete(container_of(w, struct remove, life));
}

static void remove_end_life(struct remove *r)
{
	sm_move(&r->sm, LIFE);
	if (r->container->life)
		life_wait(r->container, &r->life, on_remove_life_over);
	else
		remove_delete(r);
}

static void on_remove_stopped(void *arg, const struct err *e)
{
	struct remove *r = arg;

	if (e)
		remove_fail(r, e);
	else
		remove_end_life(r);
}

struct remove *remove_start(struct container *c, struct lane_pass *pass, remove_unmount *unmount, remove_done *done,
			    void *arg)
{
	struct remove *r = new_zero(struct remove);

	assert(!c->starting);
	r->sm = (struct sm){ remove_states, "remove", c->id, STOP };
	r->container = c;
	r->pass = pass;
	r->unmount = unmount;
	r->done = done;
	r->arg = arg;
	stop_start(c, 0, on_remove_stopped, r);
	return r;
}
