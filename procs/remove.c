/* remove.c - see remove.h.
 *
 *   STOP ---EXITED---> LIFE ---the delete that began at the exit is over---> DELETE ---runtime has deleted---> UNDO
 *    |                                                                         |                               |
 *    |                                  GONE <---mounts, files, group are gone-|-------------------------------+
 *    |                                                                         |                               |
 *    +---------------failed----------------------------------------------------+---------a part stays----------+
 *                                                                              +---> FAILED
 *
 * STOP and LIFE are passed at once when the container does not run; DELETE when the runtime does not know it (never
 * started, or deleted). FAILED: the container is EXITED and still there, with its record: the next removal goes on
 * where this one ended. (ARCHITECTURE P51)
 * Waits on: stop, life, the runtime; one turn of the loop, then the cgroup for GROUP_MS (UNDO). (ARCHITECTURE P8) */
#include "procs/remove.h"

#include <stdlib.h>

#include "procs/cgroup.h"
#include "procs/create.h"
#include "procs/life.h"
#include "procs/log_late.h"
#include "procs/runtime.h"
#include "procs/stop.h"
#include "reactor/child.h"
#include "reactor/log.h"
#include "reactor/own.h"
#include "reactor/sm.h"

enum { GROUP_MS = 10000 };

enum remove_state { STOP, LIFE, DELETE, UNDO, GONE, FAILED };
static const struct sm_state remove_states[] = {
	[STOP]   = { "STOP",   TO(LIFE) | TO(FAILED) },
	[LIFE]   = { "LIFE",   TO(DELETE) },
	[DELETE] = { "DELETE", TO(UNDO) | TO(FAILED) },
	[UNDO]   = { "UNDO",   TO(GONE) | TO(FAILED) },
	[GONE]   = { "GONE",   0 },
	[FAILED] = { "FAILED", 0 },
};

struct remove {
	struct sm sm;
	struct container *container;
	struct lane_pass *pass;
	struct container_wait life;
	struct cgroup_wait group;
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

/* The record goes last: by it a new daemon finds what a crash left. */
static void remove_over(struct remove *r)
{
	struct container *c = r->container;
	remove_done *done = r->done;
	void *arg = r->arg;

	sm_move(&r->sm, GONE);
	lane_leave(r->pass);
	container_free(c);
	timer_clear(&r->timer);
	free(r);
	done(arg, NULL);
}

static void on_remove_group(struct cgroup_wait *w)
{
	remove_over(container_of(w, struct remove, group));
}

static void on_remove_group_late(struct timer *t)
{
	struct remove *r = container_of(t, struct remove, timer);

	list_drop(&r->group.link);
	err_set(&r->err, ERR_DEADLINE_EXCEEDED, "its cgroup %.400s is busy: a process is in it that does not end",
		r->container->cgroup);
	remove_fail(r, &r->err);
}

/* In the reverse order of their making. */
static void on_remove_undo(struct timer *t)
{
	struct remove *r = container_of(t, struct remove, timer);
	struct container *c = r->container;

	sm_move(&r->sm, UNDO);
	if (r->unmount(r->arg, c, &r->err) < 0)
		return remove_fail(r, &r->err);
	log_late_give_up(c);
	if (create_undo(c, &r->err) < 0)
		return remove_fail(r, &r->err);
	/* Below a cgroup_parent only the record tells that the group belongs to crisp. */
	if (cgroup_remove_wait(c->cgroup, &r->group, on_remove_group))
		timer_set(t, GROUP_MS, on_remove_group_late);
	else
		remove_over(r);
}

static void on_remove_deleted(void *arg, const struct err *e, struct child_result *res)
{
	struct remove *r = arg;

	(void)res;
	if (e)
		return remove_fail(r, e);
	r->container->in_runtime = false;
	timer_set(&r->timer, 0, on_remove_undo);
}

static void remove_delete(struct remove *r)
{
	struct container *c = r->container;
	const struct runtime_handler *h = container_handler(c);

	sm_move(&r->sm, DELETE);
	if (c->in_runtime && h) {
		runtime_delete(h, c->id, true, on_remove_deleted, r);
		return;
	}
	if (c->in_runtime)
		log_warn("runtime_delete container=%.12s error=\"runtime handler %s is not configured any more\"",
			 c->id, c->runtime);
	timer_set(&r->timer, 0, on_remove_undo);
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
