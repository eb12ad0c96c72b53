/* checkpoint_flow.c - see checkpoint_flow.h.
 *
 *   LOOK ---the location is a file, or can be one---> LANE; else, or late: FAILED
 *   LANE ---turn---> DUMP ---frozen, dumped---> DIFF ---copied---> THAW ---runs on---> PACK ---packed--> DONE
 *     |                |                          |                 |                    |
 *     |                |                          +--failed, late--->                    |
 *     +-----failed-----+--------------------------------------------+---failed, late-----+---> FAILED
 *
 * All files are made in one directory, which a child removes at the end. The lane is left when the container runs
 * again. Waits on: lookup.h, or one turn of the loop (LOOK); the lane; procs/checkpoint.c (DUMP, THAW); a child (DIFF,
 * PACK); one timer in all states, which does nothing in DUMP and THAW. */
#include "handlers/checkpoint_flow.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "handlers/checkpoint_dump.h"
#include "handlers/checkpoint_stage.h"
#include "images/archive.h"
#include "procs/checkpoint.h"
#include "reactor/lookup.h"
#include "reactor/log.h"
#include "reactor/loop.h"
#include "reactor/own.h"
#include "reactor/sm.h"

enum { DEFAULT_TIMEOUT_MS = 600000 };

enum flow_state { LOOK, LANE, DUMP, DIFF, THAW, PACK, DONE, FAILED };
static const struct sm_state flow_states[] = {
	[LOOK] = { "LOOK", TO(LANE) | TO(FAILED) },
	[LANE] = { "LANE", TO(DUMP) | TO(FAILED) },
	[DUMP] = { "DUMP", TO(DIFF) | TO(FAILED) },
	[DIFF] = { "DIFF", TO(THAW) },
	[THAW] = { "THAW", TO(PACK) | TO(FAILED) },
	[PACK] = { "PACK", TO(DONE) | TO(FAILED) },
	[DONE] = { "DONE", 0 },
	[FAILED] = { "FAILED", 0 },
};

struct flow {
	struct sm sm;
	struct arena *arena;
	struct container *container; /* from LANE on; NULL once its lane was left */
	struct lookup *lookup;       /* LOOK: of the location and its directory */
	struct lane_pass pass;
	struct checkpoint *checkpoint;
	struct archive *job;
	struct timer timer, turn; /* turn: of LOOK, when nothing is waited for */
	const char *id, *location, *directory, *stage, *log_path;
	int64_t begun_ns, frozen_ns, deadline_ns;
	struct err err;
	checkpoint_flow_done *done;
	void *arg;
};

static void checkpoint_flow_finish(struct flow *f, enum flow_state to)
{
	checkpoint_flow_done *done = f->done;
	void *arg = f->arg;
	struct err e = f->err;

	sm_move(&f->sm, to);
	if (to == DONE)
		log_info("container_checkpointed container=%.12s location=%s frozen_ms=%.1f took_ms=%.1f", f->id,
			 log_quote(f->location), (double)f->frozen_ns / 1e6,
			 (double)(loop_mono_ns() - f->begun_ns) / 1e6);
	lane_leave(&f->pass);
	timer_clear(&f->timer);
	timer_clear(&f->turn);
	lookup_free(f->lookup);
	checkpoint_stage_drop(f->stage);
	arena_free(f->arena);
	if (to == FAILED)
		err_wrap(&e, "checkpoint");
	done(arg, to == FAILED ? &e : NULL);
}

static void checkpoint_flow_fail(struct flow *f, const struct err *e)
{
	f->err = *e;
	checkpoint_flow_finish(f, FAILED);
}

static int64_t left_ms(const struct flow *f)
{
	int64_t left = (f->deadline_ns - loop_mono_ns()) / 1000000;

	return left > 0 ? left : 1;
}

/* ---- the container runs again ---- */

static void on_packed(void *arg, const struct err *e)
{
	struct flow *f = arg;

	f->job = NULL;
	if (e)
		checkpoint_flow_fail(f, e);
	else
		checkpoint_flow_finish(f, DONE);
}

static void on_thawed(void *arg, const struct err *e)
{
	struct flow *f = arg;

	f->checkpoint = NULL;
	f->frozen_ns = loop_mono_ns() - f->frozen_ns;
	if (e && f->err.code == ERR_OK)
		f->err = *e;
	else if (e)
		log_error("thaw container=%.12s error=%s", f->id, log_quote(e->msg));
	if (f->err.code != ERR_OK)
		return checkpoint_flow_finish(f, FAILED);
	sm_move(&f->sm, PACK);
	lane_leave(&f->pass);
	f->container = NULL;
	f->job = archive_pack(f->stage, f->location, *f->log_path ? f->log_path : NULL, on_packed, f);
}

/* ---- the container is frozen ---- */

static void checkpoint_flow_thaw(struct flow *f)
{
	sm_move(&f->sm, THAW);
	checkpoint_thaw(f->checkpoint, on_thawed, f);
}

static void on_copied(void *arg, const struct err *e)
{
	struct flow *f = arg;

	f->job = NULL;
	if (e)
		f->err = *e;
	checkpoint_flow_thaw(f);
}

static void on_dumped(void *arg, const struct err *e)
{
	struct flow *f = arg;

	if (e) {
		f->checkpoint = NULL;
		return checkpoint_flow_fail(f, e);
	}
	sm_move(&f->sm, DIFF);
	f->job = archive_diff(f->id, f->stage, on_copied, f);
}

/* ---- the beginning ---- */

static void on_checkpoint_late(struct timer *t)
{
	struct flow *f = container_of(t, struct flow, timer);

	/* checkpoint_start() ends a DUMP by the same deadline; a THAW must run to its end. */
	if (f->sm.now == DUMP || f->sm.now == THAW)
		return;
	err_set(&f->err, ERR_DEADLINE_EXCEEDED, "not finished in time");
	if (f->job)
		archive_cancel(take_ptr(&f->job));
	if (f->sm.now == DIFF)
		checkpoint_flow_thaw(f);
	else
		checkpoint_flow_finish(f, FAILED);
}

static int checkpoint_flow_prepare(struct flow *f, struct err *e)
{
	const struct container *c = f->container;

	if (c->state != CONTAINER_RUNNING)
		return err_set(e, ERR_FAILED_PRECONDITION, "container %.12s is not running", c->id);
	f->stage = checkpoint_stage_new(c->id, true, f->arena, e);
	if (!f->stage) {
		f->stage = "";
		return -1;
	}
	return checkpoint_dump_write(c, f->stage, e);
}

static void on_checkpoint_turn(struct lane_pass *p)
{
	struct flow *f = container_of(p, struct flow, pass);
	struct err e;

	if (checkpoint_flow_prepare(f, &e) < 0)
		return checkpoint_flow_fail(f, &e);
	sm_move(&f->sm, DUMP);
	f->frozen_ns = loop_mono_ns();
	f->checkpoint = checkpoint_start(f->container, f->stage, left_ms(f), on_dumped, f);
}

static void on_checkpoint_refused(struct timer *t)
{
	checkpoint_flow_finish(container_of(t, struct flow, timer), FAILED);
}

/* ---- the location, on whose file system the loop must not wait ---- */

static int check_location(struct flow *f, const char *location, struct err *e)
{
	const char *slash = strrchr(location, '/');

	if (location[0] != '/' || !slash[1] || strcmp(slash, "/.") == 0 || strcmp(slash, "/..") == 0)
		return err_set(e, ERR_INVALID_ARGUMENT, "location \"%.300s\" is not the absolute path of a file",
			       location);
	f->directory = slash == location ? "/" : arena_strndup(f->arena, location, (size_t)(slash - location));
	return 0;
}

static int location_use(struct flow *f, struct err *e)
{
	const struct looked *at = lookup_get(f->lookup, LOOKUP_NODE, f->location, e);

	if (!at)
		return -1;
	if (!at->error && !S_ISREG(at->mode))
		return err_set(e, ERR_INVALID_ARGUMENT, "location %.300s exists and is not a regular file",
			       f->location);
	at = lookup_get(f->lookup, LOOKUP_NODE, f->directory, e);
	if (!at)
		return -1;
	if (at->error || !S_ISDIR(at->mode))
		return err_set(e, ERR_INVALID_ARGUMENT, "location %.300s: its directory does not exist", f->location);
	return 0;
}

static void on_location_looked(void *arg, const struct err *failed)
{
	struct flow *f = arg;
	struct container *c = container_find(f->id); /* it may have been removed meanwhile */
	struct err e;

	if (failed)
		return checkpoint_flow_fail(f, failed);
	if (location_use(f, &e) < 0)
		return checkpoint_flow_fail(f, &e);
	if (!c || c->state != CONTAINER_RUNNING || c->removing) {
		err_set(&e, ERR_FAILED_PRECONDITION, "container %.12s is not running", f->id);
		return checkpoint_flow_fail(f, &e);
	}
	sm_move(&f->sm, LANE);
	f->container = c;
	lane_enter(&c->lane, &f->pass, on_checkpoint_turn);
}

static void on_location_known(struct timer *t)
{
	struct flow *f = container_of(t, struct flow, turn);

	on_location_looked(f, NULL);
}

static void location_look(struct flow *f, const char *owner)
{
	f->lookup = lookup_new(owner);
	lookup_add(f->lookup, LOOKUP_NODE, f->location);
	lookup_add(f->lookup, LOOKUP_NODE, f->directory);
	if (lookup_try(f->lookup))
		timer_set(&f->turn, 0, on_location_known);
	else
		lookup_start(f->lookup, on_location_looked, f);
}

static bool allowed, image_allowed;

void checkpoint_flow_open(bool enabled, bool restore_from_image)
{
	allowed = enabled;
	image_allowed = restore_from_image;
}

int checkpoint_flow_image_allowed(struct err *e)
{
	return image_allowed ? 0
			     : err_set(e, ERR_FAILED_PRECONDITION,
				       "the image is a checkpoint, and checkpoint.restore_from_image is false in the "
				       "configuration");
}

int checkpoint_flow_allowed(struct err *e)
{
	return allowed ? 0
		       : err_set(e, ERR_FAILED_PRECONDITION,
				 "checkpoints are switched off by checkpoint.enabled in the configuration");
}

void checkpoint_flow(struct container *c, const char *location, int64_t timeout_ms, checkpoint_flow_done *done,
		     void *arg)
{
	struct arena *a = arena_new();
	struct flow *f = arena_zalloc(a, sizeof(*f));

	f->arena = a;
	f->id = arena_strdup(a, c->id);
	f->location = arena_strdup(a, location);
	f->log_path = arena_strdup(a, c->log_path);
	f->stage = "";
	f->sm = (struct sm){ flow_states, "checkpoint_flow", f->id, LOOK };
	f->begun_ns = loop_mono_ns();
	f->deadline_ns = f->begun_ns + (timeout_ms ? timeout_ms : DEFAULT_TIMEOUT_MS) * 1000000;
	f->done = done;
	f->arg = arg;
	if (checkpoint_flow_allowed(&f->err) < 0 || check_location(f, location, &f->err) < 0)
		return timer_set(&f->timer, 0, on_checkpoint_refused);
	if (c->state != CONTAINER_RUNNING || c->removing) {
		err_set(&f->err, ERR_FAILED_PRECONDITION, "container %.12s is not running", c->id);
		return timer_set(&f->timer, 0, on_checkpoint_refused);
	}
	timer_set(&f->timer, left_ms(f), on_checkpoint_late);
	location_look(f, c->sandbox->config.uid);
}
