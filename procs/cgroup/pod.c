/* pod.c - the groups of a sandbox; see cgroup.h.
 *
 *   cgroupfs: all work is done inside the call; `done` runs in the next turn.
 *   systemd:  the unit, with the limits that systemd knows ---done---> all limits into the files ---> `done` */
#include <stdlib.h>
#include <string.h>

#include "procs/cgroup.h"
#include "procs/cgroup/units.h"
#include "procs/sandbox.h"
#include "reactor/arena.h"
#include "reactor/loop.h"
#include "reactor/own.h"

struct cgroup_pod_op {
	char *cgroup;
	const struct resources *limits; /* NULL: none to write */
	struct timer timer;
	struct err err; /* code OK: none */
	cgroup_pod_done *done;
	void *arg;
};

static struct cgroup_pod_op *pod_op_new(const char *cgroup, cgroup_pod_done *done, void *arg)
{
	struct cgroup_pod_op *op = new_zero(struct cgroup_pod_op);

	op->cgroup = own_must(strdup(cgroup));
	op->done = done;
	op->arg = arg;
	return op;
}

static void on_pod_op_over(struct timer *t)
{
	struct cgroup_pod_op *op = container_of(t, struct cgroup_pod_op, timer), o = *op;

	free(op->cgroup);
	free(op);
	o.done(o.arg, o.err.code == ERR_OK ? NULL : &o.err);
}

static void pod_op_over(struct cgroup_pod_op *op)
{
	timer_set(&op->timer, 0, on_pod_op_over);
}

static void on_pod_unit(void *arg, const struct err *e)
{
	struct cgroup_pod_op *op = arg;

	if (e)
		op->err = *e;
	else if (op->limits)
		cgroup_limit(op->cgroup, op->limits, &op->err);
	pod_op_over(op);
}

void cgroup_pod_make(const struct sandbox *s, cgroup_pod_done *done, void *arg)
{
	struct cgroup_pod_op *op = pod_op_new(s->cgroup, done, arg);

	/* The kubelet makes, limits and changes its cgroup_parent itself. */
	if (*s->config.cgroup_parent)
		return pod_op_over(op);
	op->limits = s->config.resources.set ? &s->config.resources : NULL;
	if (cgroup_unit(s->cgroup)) {
		unit_slice(cgroup_unit(s->cgroup), op->limits, on_pod_unit, op);
		return;
	}
	if (cgroup_make(s->cgroup, &op->err) == 0 && op->limits)
		cgroup_limit(s->cgroup, op->limits, &op->err);
	pod_op_over(op);
}

void cgroup_pod_limit(const char *cgroup, const struct resources *r, cgroup_pod_done *done, void *arg)
{
	struct cgroup_pod_op *op = pod_op_new(cgroup, done, arg);

	op->limits = r;
	if (cgroup_unit(cgroup)) {
		unit_limit(cgroup_unit(cgroup), r, on_pod_unit, op);
		return;
	}
	cgroup_limit(cgroup, r, &op->err);
	pod_op_over(op);
}

void cgroup_pod_adopt(const struct sandbox *s, pid_t pause, cgroup_pod_done *done, void *arg)
{
	struct cgroup_pod_op *op = pod_op_new(s->cgroup, done, arg);
	struct arena *a = arena_new();
	const char *scope = cgroup_unit(cgroup_pause_path(a, s->cgroup, s->id));

	if (scope)
		unit_scope(scope, strcmp(s->cgroup, "/") == 0 ? "-.slice" : cgroup_unit(s->cgroup), pause,
			   on_pod_unit, op);
	else
		pod_op_over(op);
	arena_free(a);
}

static const char *pod_group(const struct sandbox *s, struct arena *a)
{
	const char *own = cgroup_own_path(a, s->cgroup, s->id), *pause = cgroup_pause_path(a, s->cgroup, s->id);
	bool scope_is_own = *s->config.cgroup_parent && cgroup_is_scope(pause) && sandbox_has_pause(s);

	return scope_is_own ? pause : own;
}

bool cgroup_pod_remove(const struct sandbox *s)
{
	struct arena *a = arena_new();
	bool gone = cgroup_remove_now(pod_group(s, a));

	arena_free(a);
	return gone;
}

bool cgroup_pod_remove_wait(const struct sandbox *s, struct cgroup_wait *w, void (*fn)(struct cgroup_wait *w))
{
	struct arena *a = arena_new();
	bool busy = cgroup_remove_wait(pod_group(s, a), w, fn);

	arena_free(a);
	return busy;
}

int cgroup_pod_renew(const struct sandbox *s, struct err *e)
{
	struct arena *a = arena_new();
	int ret = cgroup_renew(cgroup_own_path(a, s->cgroup, s->id), e);

	arena_free(a);
	return ret;
}
