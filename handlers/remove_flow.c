/* remove_flow.c - see remove_flow.h.
 *
 *   LANE ---turn---> REMOVE ---removed---> all waiters are told, the container is freed
 *                       |
 *                       +---failed---> all waiters get the error; the container stays
 *
 * `removing` is set at once, so that no other operation queues behind the removal on a lane that is freed with it.
 * Waits on: the container's lane; procs/remove.c. */
#include "handlers/remove_flow.h"

#include <stdlib.h>
#include <string.h>

#include "handlers/about.h"
#include "handlers/create_flow.h"
#include "procs/checkpoint.h"
#include "procs/remove.h"
#include "reactor/log.h"
#include "reactor/own.h"

struct removal {
	struct link of_all;
	struct link waiters; /* of struct removal_wait.link */
	struct container *container;
	char id[ID_SIZE];
	char *names; /* fields of a log line: at its end the container is not there any more */
	struct lane_pass pass;
};

static struct link removals = { &removals, &removals };

static struct removal *removal_of(const struct container *c)
{
	list_each(l, &removals) {
		struct removal *r = container_of(l, struct removal, of_all);

		if (r->container == c)
			return r;
	}
	return NULL;
}

static void on_removal_done(void *arg, const struct err *e)
{
	struct removal *r = arg;

	list_drop(&r->of_all);
	if (e) {
		r->container->removing = false;
		lane_leave(&r->pass);
	} else {
		log_info("container_removed container=%.12s%s", r->id, r->names);
	}
	while (!list_empty(&r->waiters)) {
		struct removal_wait *w = container_of(list_first(&r->waiters), struct removal_wait, link);

		list_drop(&w->link);
		w->fn(w, e);
	}
	free(r->names);
	free(r);
}

static void on_removal_turn(struct lane_pass *p)
{
	struct removal *r = container_of(p, struct removal, pass);

	remove_start(r->container, &r->pass, create_flow_unmount, on_removal_done, r);
}

void remove_flow(struct container *c, struct removal_wait *w)
{
	struct removal *r = removal_of(c);

	if (!r) {
		r = new_zero(struct removal);
		list_init(&r->waiters);
		r->container = c;
		memcpy(r->id, c->id, sizeof(r->id));
		r->names = about_container(c);
		c->removing = true;
		checkpoint_yield(c);
		list_append(&removals, &r->of_all);
		lane_enter(&c->lane, &r->pass, on_removal_turn);
	}
	list_append(&r->waiters, &w->link);
}
