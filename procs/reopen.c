/* reopen.c - see reopen.h.
 *
 * Waits on: lookup.h, for the new file; one turn of the loop; a timer, until the keeper has the new file. */
#include "procs/reopen.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "procs/log_pump.h"
#include "reactor/logfile.h"
#include "reactor/lookup.h"
#include "reactor/log.h"
#include "reactor/loop.h"
#include "reactor/own.h"

enum { KEEPER_MS = 2, TRIES = 5000 }; /* 10 s */

struct reopening {
	char container[ID_SIZE];
	struct lookup *lookup; /* NULL: the container is refused */
	struct timer timer;
	int tries;
	struct err err;
	reopen_done *done;
	void *arg;
};

static int reopen_check(const struct container *c, const char *id, struct err *e)
{
	if (!c || c->state != CONTAINER_RUNNING || !c->log)
		return err_set(e, ERR_FAILED_PRECONDITION, "container %.12s is not running", id);
	if (!*c->log_path)
		return err_set(e, ERR_FAILED_PRECONDITION, "container %.12s has no log file", id);
	return 0;
}

static int reopen_use(const struct reopening *r, struct err *e)
{
	struct container *c = container_find(r->container);
	struct looked *f;

	if (reopen_check(c, r->container, e) < 0)
		return -1;
	f = lookup_get(r->lookup, LOOKUP_LOG, c->log_path, e);
	if (!f)
		return -1;
	if (f->error) {
		errno = f->error;
		return logfile_error(c->log_path, e);
	}
	return log_pump_reopen(c->log, f->fd, e);
}

static void reopen_end(struct reopening *r, struct err *e)
{
	if (e)
		err_wrap(e, "reopen log of container %.12s", r->container);
	else
		log_info("log_reopened container=%.12s", r->container);
	r->done(r->arg, e);
	timer_clear(&r->timer);
	lookup_free(r->lookup);
	free(r);
}

/* An answer before the keeper has the new file would not survive both daemons: the next line would go to the old one,
 * which the kubelet may have packed. (ARCHITECTURE K71) */
static void on_reopen_kept(struct timer *t)
{
	struct reopening *r = container_of(t, struct reopening, timer);
	struct container *c = container_find(r->container);

	if (!c || !c->log || log_pump_reopened(c->log))
		return reopen_end(r, NULL);
	if (++r->tries < TRIES)
		return timer_set(t, KEEPER_MS, on_reopen_kept);
	log_pump_reopen_undo(c->log);
	err_set(&r->err, ERR_UNAVAILABLE, "the keeper does not answer");
	reopen_end(r, &r->err);
}

static void on_reopen_looked(void *arg, const struct err *failed)
{
	struct reopening *r = arg;

	if (failed)
		r->err = *failed;
	if (failed || (r->lookup && reopen_use(r, &r->err) < 0))
		return reopen_end(r, &r->err);
	timer_set(&r->timer, 0, on_reopen_kept);
}

static void on_reopen_turn(struct timer *t)
{
	struct reopening *r = container_of(t, struct reopening, timer);

	on_reopen_looked(r, r->err.code == ERR_OK ? NULL : &r->err);
}

void reopen_log(struct container *c, reopen_done *done, void *arg)
{
	struct reopening *r = new_zero(struct reopening);

	snprintf(r->container, sizeof(r->container), "%s", c->id);
	r->done = done;
	r->arg = arg;
	if (reopen_check(c, c->id, &r->err) < 0) {
		timer_set(&r->timer, 0, on_reopen_turn);
		return;
	}
	r->lookup = lookup_new(c->sandbox->config.uid);
	lookup_add(r->lookup, LOOKUP_LOG, c->log_path);
	if (lookup_try(r->lookup))
		timer_set(&r->timer, 0, on_reopen_turn);
	else
		lookup_start(r->lookup, on_reopen_looked, r);
}
