/* reopen.c - see reopen.h.
 *
 * Waits on: lookup.h, for the new file; one turn of the loop. */
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

struct reopening {
	char container[ID_SIZE];
	struct lookup *lookup; /* NULL: the container is refused */
	struct timer timer;
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

static void on_reopen_looked(void *arg, const struct err *failed)
{
	struct reopening *r = arg;
	struct err e;
	int bad;

	if (failed)
		e = *failed;
	bad = failed ? -1 : r->lookup ? reopen_use(r, &e) : 0;
	if (bad)
		err_wrap(&e, "reopen log of container %.12s", r->container);
	else
		log_info("log_reopened container=%.12s", r->container);
	r->done(r->arg, bad ? &e : NULL);
	timer_clear(&r->timer);
	lookup_free(r->lookup);
	free(r);
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
