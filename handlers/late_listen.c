/* late_listen.c - see late_listen.h. Waits on: a timer for each address that is missing. */
#include "handlers/late_listen.h"

#include "reactor/log.h"

enum { AGAIN_MS = 5000 };

static struct link missing = { &missing, &missing }; /* of struct late_listen.link */

static void on_listen_again(struct timer *t)
{
	struct late_listen *l = container_of(t, struct late_listen, timer);

	if (l->listen(&l->why) < 0)
		return timer_set(t, AGAIN_MS, on_listen_again);
	list_drop(&l->link);
	log_info("address_served key=%s", l->what);
}

int late_listen_open(struct late_listen *l, struct err *e)
{
	if (l->listen(e) == 0)
		return 0;
	if (e->code == ERR_INVALID_ARGUMENT)
		return err_wrap(e, "%s", l->what);
	l->why = *e;
	list_append(&missing, &l->link);
	timer_set(&l->timer, AGAIN_MS, on_listen_again);
	log_error("address_not_served key=%s error=%s effect=\"it is tried again every %d s\"", l->what,
		  log_quote(e->msg), AGAIN_MS / 1000);
	return 0;
}

void late_listen_close(void)
{
	while (!list_empty(&missing)) {
		struct late_listen *l = container_of(list_first(&missing), struct late_listen, link);

		timer_clear(&l->timer);
		list_drop(&l->link);
	}
}

const char *late_listen_missing(struct arena *a)
{
	const char *text = "";

	list_each(it, &missing) {
		const struct late_listen *l = container_of(it, struct late_listen, link);

		text = arena_printf(a, "%s%s%s: %s", text, *text ? "; " : "", l->what, l->why.msg);
	}
	return text;
}
