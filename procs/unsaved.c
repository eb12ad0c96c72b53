/* unsaved.c - see unsaved.h. Waits on: one timer, while a record is to be saved. */
#include "procs/unsaved.h"

#include "reactor/log.h"
#include "reactor/loop.h"

enum { SAVE_AGAIN_MS = 1000 };

static struct link all = { &all, &all }; /* of struct unsaved.link */
static struct timer again;

static void on_save_again(struct timer *t)
{
	struct err e;

	list_each(it, &all) {
		struct unsaved *u = container_of(it, struct unsaved, link);

		if (u->save(u, &e) < 0)
			return timer_set(t, SAVE_AGAIN_MS, on_save_again);
		log_info("%s_record %s=%.12s effect=\"saved at last\"", u->kind, u->kind, u->id);
	}
}

void unsaved_add(struct unsaved *u, const struct err *why)
{
	log_error("%s_record %s=%.12s effect=\"tried again each second\" error=%s", u->kind, u->kind, u->id,
		  log_quote(why->msg));
	if (!unsaved_waits(u))
		list_append(&all, &u->link);
	if (!timer_is_set(&again))
		timer_set(&again, SAVE_AGAIN_MS, on_save_again);
}

void unsaved_drop(struct unsaved *u)
{
	if (unsaved_waits(u))
		list_drop(&u->link);
}

bool unsaved_waits(const struct unsaved *u)
{
	return list_linked(&u->link);
}
