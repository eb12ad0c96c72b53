/* log_late.c - see log_late.h. */
#include "procs/log_late.h"

#include <fcntl.h>
#include <stdlib.h>

#include "procs/keeper.h"
#include "procs/log_pump.h"
#include "reactor/log.h"
#include "reactor/own.h"

enum { LATE_MAX = 256, LATE_MAX_BYTES = 64 * 1024 * 1024 };

struct log_late {
	struct link link;
	struct container *container;
	size_t bytes;       /* when the container ended */
	struct timer timer; /* the pump must not be closed inside its own callback */
};

static struct link all = { &all, &all }; /* of struct log_late.link, the oldest first */
static size_t all_bytes, all_count;

static void late_release(const struct container *c, const char *what)
{
	struct arena *a = arena_new();

	keeper_ask_release(arena_printf(a, "container/%s/%s", c->id, what));
	arena_free(a);
}

static void late_free(struct container *c)
{
	struct log_late *l = c->late;

	c->late = NULL;
	timer_clear(&l->timer);
	list_drop(&l->link);
	all_bytes -= l->bytes;
	all_count--;
	free(l);
}

void log_late_give_up(struct container *c)
{
	struct arena *a = arena_new();

	if (c->late)
		late_free(c);
	if (c->log)
		log_pump_close(c->log);
	c->log = NULL;
	keeper_ask_release_all(arena_printf(a, "container/%s/", c->id));
	arena_free(a);
}

int log_late_copy(const struct container *c)
{
	struct arena *a = arena_new();
	int held = keeper_copy(arena_printf(a, "container/%s/log", c->id));

	arena_free(a);
	return held < 0 ? -1 : fcntl(held, F_DUPFD_CLOEXEC, 3);
}

static void on_late_written(struct timer *t)
{
	struct log_late *l = container_of(t, struct log_late, timer);

	log_info("log_late container=%.12s effect=\"the rest is written\"", l->container->id);
	log_late_give_up(l->container);
}

static void on_late_drained(void *arg)
{
	struct log_late *l = arg;

	timer_set(&l->timer, 0, on_late_written);
}

static void late_begin(struct container *c)
{
	struct log_late *l = c->late = new_zero(struct log_late);

	l->container = c;
	l->bytes = log_pump_refused(c->log);
	list_append(&all, &l->link);
	all_bytes += l->bytes;
	all_count++;
	log_pump_drain_late(c->log, on_late_drained, l);
	while (all_bytes > LATE_MAX_BYTES || all_count > LATE_MAX) {
		struct container *oldest = container_of(list_first(&all), struct log_late, link)->container;

		log_warn("log_late container=%.12s effect=\"given up, since too many logs wait\"", oldest->id);
		log_late_give_up(oldest);
	}
}

void log_late_close(struct container *c)
{
	size_t bytes = c->log ? log_pump_refused(c->log) : 0;

	if (!bytes)
		return log_late_give_up(c);
	late_release(c, "stdin");
	late_release(c, "console");
	log_warn("log_late container=%.12s bytes=%zu effect=\"the log does not take them; it is tried again until the "
		 "container is removed\"", c->id, bytes);
	late_begin(c);
}

void log_late_adopt(struct container *c)
{
	struct arena *a = arena_new();
	struct err e;

	if (keeper_copy(arena_printf(a, "container/%s/stdout", c->id)) >= 0 ||
	    keeper_copy(arena_printf(a, "container/%s/stderr", c->id)) >= 0) {
		late_release(c, "stdin");
		late_release(c, "console");
		c->log = log_pump_open(c->id, c->bundle, c->log_path, -1, &e);
		if (c->log)
			late_begin(c);
		else
			log_error("container_log container=%.12s error=%s", c->id, log_quote(e.msg));
	}
	arena_free(a);
}
