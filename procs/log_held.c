/* log_held.c - see log_held.h. Waits on: lookup.h for a file that is opened after a restart, or a timer until it is
 * tried again. */
#include "procs/log_held.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "procs/keeper.h"
#include "reactor/log.h"
#include "reactor/own.h"

enum { OPEN_AGAIN_MS = 10000 };

struct held_name {
	char s[128];
};

static struct held_name held_name(const struct log_held *l)
{
	struct held_name n;

	snprintf(n.s, sizeof(n.s), "container/%s/log", l->id);
	return n;
}

static int held_use(struct log_held *l, int fd, struct err *e)
{
	if (keeper_ask_hold(held_name(l).s, fd, e) < 0) /* it replaces and closes an earlier one */
		return -1;
	l->fd = keeper_copy(held_name(l).s);
	l->kept = false;
	return 0;
}

static void held_open_later(struct timer *t);

static void on_held_looked(void *arg, const struct err *failed)
{
	struct log_held *l = arg;
	struct err e;
	struct looked *f = failed ? NULL : lookup_get(l->opening, LOOKUP_LOG, l->path, &e);

	if (f && !f->error && held_use(l, f->fd, &e) == 0) {
		lookup_free(take_ptr(&l->opening));
		return l->opened(l);
	}
	log_error("log_open container=%.12s path=%s error=%s", l->id, log_quote(l->path),
		  failed ? failed->msg : f && f->error ? strerror(f->error) : e.msg);
	timer_set(&l->timer, OPEN_AGAIN_MS, held_open_later);
}

/* Both daemons died: the log is opened by its path again. */
static void held_open_later(struct timer *t)
{
	struct log_held *l = container_of(t, struct log_held, timer);

	lookup_free(l->opening);
	l->opening = lookup_new(l->id);
	lookup_add(l->opening, LOOKUP_LOG, l->path);
	if (lookup_try(l->opening))
		on_held_looked(l, NULL);
	else
		lookup_start(l->opening, on_held_looked, l);
}

int log_held_open(struct log_held *l, const char *id, const char *path, int log_fd,
		  void (*opened)(struct log_held *log), struct err *e)
{
	*l = (struct log_held){ .id = id, .path = own_must(strdup(path)), .fd = -1, .before = -1, .opened = opened };
	if (!*path)
		return 0;
	if (log_fd >= 0)
		return held_use(l, log_fd, e);
	l->fd = keeper_copy(held_name(l).s);
	if (l->fd < 0)
		held_open_later(&l->timer);
	return 0;
}

static void held_drop_before(struct log_held *l)
{
	if (l->before >= 0)
		close(take_fd(&l->before));
}

bool log_held_ready(struct log_held *l)
{
	if (l->opening)
		return false;
	if (!l->kept && l->fd >= 0) {
		l->kept = keeper_has(held_name(l).s);
		if (!l->kept)
			return false;
		held_drop_before(l);
	}
	return true;
}

int log_held_reopen(struct log_held *l, int log_fd, struct err *e)
{
	auto_fd int before = l->fd < 0 ? -1 : fcntl(l->fd, F_DUPFD_CLOEXEC, 3);

	if (!*l->path)
		return err_set(e, ERR_FAILED_PRECONDITION, "container %.12s has no log file", l->id);
	if (l->fd >= 0 && before < 0)
		return err_os(e, ERR_RESOURCE_EXHAUSTED, "keep the old log");
	if (held_use(l, log_fd, e) < 0)
		return -1;
	if (l->before < 0) /* else an earlier reopening waits: no byte went into its file */
		l->before = take_fd(&before);
	return 0;
}

void log_held_reopen_undo(struct log_held *l)
{
	struct err e;

	if (l->before >= 0 && held_use(l, l->before, &e) < 0)
		log_error("log_reopen container=%.12s error=%s", l->id, log_quote(e.msg));
	held_drop_before(l);
}

void log_held_close(struct log_held *l)
{
	timer_clear(&l->timer);
	lookup_free(l->opening);
	held_drop_before(l);
	free(l->path);
}
