/* checkpoint.c - see checkpoint.h.
 *
 *   FREEZE ---frozen---> DUMP ---dumped---> HELD ---the caller has copied---> THAW ---runs on---> OVER
 *      |                   |                  |
 *      +-----failed--------+                  +---to be stopped---> EARLY ---the caller has copied---> OVER (ABORTED)
 *      |  to be stopped    |
 *      |                   +---> UNDO ---runs on, or could not---> OVER (failed)
 *      +---nothing was frozen----------------------------------------^
 *
 * `frozen` is on disk before FREEZE: after a crash checkpoint_adopt() thaws. Waits on: the runtime (FREEZE, DUMP,
 * THAW, UNDO, EARLY), the caller (HELD, EARLY), one turn of the loop (OVER from nothing). */
#include "procs/checkpoint.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "procs/criu.h"
#include "procs/runtime.h"
#include "reactor/child.h"
#include "reactor/fault.h"
#include "reactor/log.h"
#include "reactor/own.h"
#include "reactor/sm.h"

enum { LATE_MS = 6000 }; /* the keeper kills a dead daemon's CRIU after 5 s */
enum { AWAY_MS = 200 };  /* until the next try without a keeper */

enum checkpoint_state { FREEZE, DUMP, HELD, THAW, EARLY, UNDO, OVER };
static const struct sm_state checkpoint_states[] = {
	[FREEZE] = { "FREEZE", TO(DUMP) | TO(UNDO) | TO(OVER) },
	[DUMP] = { "DUMP", TO(HELD) | TO(UNDO) },
	[HELD] = { "HELD", TO(THAW) | TO(EARLY) },
	[THAW] = { "THAW", TO(OVER) },
	[EARLY] = { "EARLY", TO(OVER) },
	[UNDO] = { "UNDO", TO(OVER) },
	[OVER] = { "OVER", 0 },
};

struct checkpoint {
	struct sm sm;
	struct container *container;
	struct arena *arena;
	const char *dir;
	int64_t deadline_ns; /* loop_mono_ns() */
	struct runtime_op *op; /* under way, else NULL */
	struct timer timer;
	struct err err;
	checkpoint_done *dumped, *thawed;
	void *arg, *thawed_arg;
};

static void checkpoint_over(struct checkpoint *k)
{
	checkpoint_done *done = k->thawed ? k->thawed : k->dumped;
	void *arg = k->thawed ? k->thawed_arg : k->arg;
	struct err e = k->err;

	sm_move(&k->sm, OVER);
	k->container->checkpoint = NULL;
	timer_clear(&k->timer);
	arena_free(k->arena);
	done(arg, e.code == ERR_OK ? NULL : &e);
}

static void on_checkpoint_over(struct timer *t)
{
	checkpoint_over(container_of(t, struct checkpoint, timer));
}

/* ---- thawing ---- */

static void checkpoint_runs_on(struct container *c)
{
	c->frozen = false;
	container_must_save(c);
}

static struct runtime_op *checkpoint_resume(struct container *c, runtime_done *done, void *arg)
{
	const struct runtime_handler *h = container_handler(c);

	return h ? runtime_resume(h, c->id, done, arg) : NULL;
}

/* The keeper died: no runtime ran, and the container is frozen until the next keeper has one run. */
static bool checkpoint_is_away(const struct err *e)
{
	return e && e->code == ERR_UNAVAILABLE;
}

static void thaw_later(const struct container *c);

/* A container that ended meanwhile has nothing to thaw. */
static void on_checkpoint_thawed(void *arg, const struct err *e, struct child_result *r)
{
	struct checkpoint *k = arg;

	(void)r;
	k->op = NULL;
	if (e && k->container->state == CONTAINER_RUNNING) {
		k->err = *e;
		err_wrap(&k->err, "it may still be frozen");
		if (checkpoint_is_away(e))
			thaw_later(k->container);
	} else {
		checkpoint_runs_on(k->container);
	}
	checkpoint_over(k);
}

/* A killed CRIU may have left the container running; then `resume` fails, and that is no error. */
static void on_checkpoint_undone(void *arg, const struct err *e, struct child_result *r)
{
	struct checkpoint *k = arg;

	(void)r;
	k->op = NULL;
	if (e)
		log_info("thaw container=%.12s error=%s", k->container->id, log_quote(e->msg));
	if (checkpoint_is_away(e))
		thaw_later(k->container);
	else
		checkpoint_runs_on(k->container);
	checkpoint_over(k);
}

static void on_checkpoint_thawed_early(void *arg, const struct err *e, struct child_result *r)
{
	struct checkpoint *k = arg;

	(void)r;
	k->op = NULL;
	if (e)
		log_warn("thaw container=%.12s error=%s", k->container->id, log_quote(e->msg));
	if (checkpoint_is_away(e))
		thaw_later(k->container);
	else
		checkpoint_runs_on(k->container);
	if (k->thawed)
		checkpoint_over(k);
}

static void checkpoint_undo(struct checkpoint *k)
{
	sm_move(&k->sm, UNDO);
	k->op = checkpoint_resume(k->container, on_checkpoint_undone, k);
	if (!k->op)
		checkpoint_over(k);
}

void checkpoint_thaw(struct checkpoint *k, checkpoint_done *thawed, void *arg)
{
	assert(!k->thawed && (k->sm.now == HELD || k->sm.now == EARLY));
	k->thawed = thawed;
	k->thawed_arg = arg;
	if (k->sm.now == HELD) {
		sm_move(&k->sm, THAW);
		k->op = checkpoint_resume(k->container, on_checkpoint_thawed, k);
	} else {
		err_set(&k->err, ERR_ABORTED, "container %.12s is being stopped", k->container->id);
		if (!k->op)
			timer_set(&k->timer, 0, on_checkpoint_over);
	}
}

void checkpoint_yield(struct container *c)
{
	struct checkpoint *k = c->checkpoint;

	if (!k || (k->sm.now != FREEZE && k->sm.now != DUMP && k->sm.now != HELD))
		return;
	log_info("checkpoint_yields container=%.12s", c->id);
	if (k->sm.now == HELD) {
		sm_move(&k->sm, EARLY);
		k->op = checkpoint_resume(c, on_checkpoint_thawed_early, k);
		return;
	}
	err_set(&k->err, ERR_ABORTED, "container %.12s is being stopped", c->id);
	if (k->op)
		runtime_cancel(take_ptr(&k->op));
	if (k->sm.now == FREEZE || k->sm.now == DUMP)
		checkpoint_undo(k);
}

/* ---- the way down ---- */

static void on_checkpoint_dumped(void *arg, const struct err *e, struct child_result *r)
{
	struct checkpoint *k = arg;
	const char *log = arena_printf(k->arena, "%s/dump.log", k->dir), *words;

	(void)r;
	k->op = NULL;
	if (!e) {
		sm_move(&k->sm, HELD);
		return k->dumped(k->arg, NULL);
	}
	k->err = *e;
	words = criu_words(log, k->arena);
	if (e->code == ERR_INTERNAL && *words)
		err_set(&k->err, ERR_INTERNAL, "CRIU could not dump it: %s", words);
	checkpoint_undo(k);
}

static void checkpoint_dump(struct checkpoint *k)
{
	struct container *c = k->container;
	struct runtime_images images = {
		.dir = arena_printf(k->arena, "%s/checkpoint", k->dir),
		.work = k->dir,
		.criu_config = criu_config_path(c, k->arena),
		.timeout_ms = (k->deadline_ns - loop_mono_ns()) / 1000000,
	};

	sm_move(&k->sm, DUMP);
	if (images.timeout_ms <= 0) {
		err_set(&k->err, ERR_DEADLINE_EXCEEDED, "not dumped in time");
		return checkpoint_undo(k);
	}
	k->op = runtime_checkpoint(container_handler(c), c->id, &images, on_checkpoint_dumped, k);
}

static void on_checkpoint_frozen(void *arg, const struct err *e, struct child_result *r)
{
	struct checkpoint *k = arg;

	(void)r;
	k->op = NULL;
	if (!e)
		return checkpoint_dump(k);
	k->err = *e;
	if (e->code != ERR_FAILED_PRECONDITION)
		return checkpoint_undo(k);
	checkpoint_runs_on(k->container);
	checkpoint_over(k);
}

static int checkpoint_refuse(const struct container *c, struct err *e)
{
	if (c->state != CONTAINER_RUNNING)
		return err_set(e, ERR_FAILED_PRECONDITION, "container %.12s is not running", c->id);
	if (c->stopping || c->removing)
		return err_set(e, ERR_ABORTED, "container %.12s is being stopped", c->id);
	if (ns_has_user(&c->sandbox->config.security.ns))
		return err_set(e, ERR_FAILED_PRECONDITION,
			       "container %.12s is in a user namespace: CRIU cannot take that up again", c->id);
	if (!container_handler(c))
		return err_set(e, ERR_FAILED_PRECONDITION, "runtime handler %s is not configured any more", c->runtime);
	return 0;
}

/* The directory for CRIU's images is made here with mode 0700: runtimes choose other modes. The images have the
 * memory of the container. */
static int checkpoint_prepare(struct checkpoint *k, struct err *e)
{
	struct container *c = k->container;
	const char *images = arena_printf(k->arena, "%s/checkpoint", k->dir);

	if (EFFECT(mkdir(images, 0700)) < 0)
		return err_os(e, ERR_INTERNAL, "make %s", images);
	if (criu_write_external(c, e) < 0)
		return -1;
	c->frozen = true;
	if (container_save(c, e) == 0)
		return 0;
	c->frozen = false;
	return -1;
}

struct checkpoint *checkpoint_start(struct container *c, const char *dir, int64_t timeout_ms, checkpoint_done *dumped,
				    void *arg)
{
	struct arena *a = arena_new();
	struct checkpoint *k = arena_zalloc(a, sizeof(*k));

	assert(!c->checkpoint && timeout_ms > 0);
	k->sm = (struct sm){ checkpoint_states, "checkpoint", c->id, FREEZE };
	k->container = c;
	k->arena = a;
	k->dir = arena_strdup(a, dir);
	k->deadline_ns = loop_mono_ns() + timeout_ms * 1000000;
	k->dumped = dumped;
	k->arg = arg;
	c->checkpoint = k;
	if (checkpoint_refuse(c, &k->err) < 0 || checkpoint_prepare(k, &k->err) < 0)
		timer_set(&k->timer, 0, on_checkpoint_over);
	else
		k->op = runtime_pause(container_handler(c), c->id, on_checkpoint_frozen, k);
	return k;
}

/* ---- recovery ---- */

struct mending {
	char id[ID_SIZE];
	struct timer timer;
	bool late;
};

static void on_late(struct timer *t);
static void on_mend_again(struct timer *t);

static void on_mended(void *arg, const struct err *e, struct child_result *r)
{
	struct mending *m = arg;
	struct container *c = container_find(m->id);

	(void)r;
	if (c && checkpoint_is_away(e))
		return timer_set(&m->timer, AWAY_MS, on_mend_again);
	if (c && (!e || m->late)) /* the second `resume` fails when the container runs already: no error */
		checkpoint_runs_on(c);
	log_info("thaw container=%.12s late=%d error=%s", m->id, m->late, e ? log_quote(e->msg) : "\"\"");
	if (!c || m->late)
		free(m);
	else
		timer_set(&m->timer, LATE_MS, on_late);
}

static void mend(struct mending *m)
{
	struct container *c = container_find(m->id);

	if (!c || c->state != CONTAINER_RUNNING || c->checkpoint || !checkpoint_resume(c, on_mended, m))
		free(m);
}

static void on_late(struct timer *t)
{
	struct mending *m = container_of(t, struct mending, timer);

	m->late = true;
	mend(m);
}

static void on_mend_again(struct timer *t)
{
	mend(container_of(t, struct mending, timer));
}

static struct mending *mending_new(const struct container *c)
{
	struct mending *m = new_zero(struct mending);

	memcpy(m->id, c->id, sizeof(m->id));
	return m;
}

static void thaw_later(const struct container *c)
{
	timer_set(&mending_new(c)->timer, AWAY_MS, on_mend_again);
}

/* `resume` runs twice, LATE_MS apart: the CRIU of the dead daemon may still be at work, and at its end it leaves the
 * container as it found it, frozen. (ARCHITECTURE C2) */
void checkpoint_adopt(struct container *c)
{
	if (c->frozen)
		mend(mending_new(c));
}
