/* events.c - see events.h. */
#include "procs/events.h"

static struct link listeners = { &listeners, &listeners }; /* of struct event_listener.link */
static int64_t last_ns;

void events_listen(struct event_listener *l, void (*fn)(struct event_listener *l, const struct event *e))
{
	l->fn = fn;
	list_append(&listeners, &l->link);
}

void events_unlisten(struct event_listener *l)
{
	if (list_linked(&l->link))
		list_drop(&l->link);
}

void events_tell(enum event_kind kind, struct sandbox *s, struct container *c)
{
	struct event e = { kind, s, c, loop_real_ns() };

	/* Clients order events by time, also when the clock was set back. */
	if (e.at_ns <= last_ns)
		e.at_ns = last_ns + 1;
	last_ns = e.at_ns;
	list_each(it, &listeners) {
		struct event_listener *l = container_of(it, struct event_listener, link);

		l->fn(l, &e);
	}
}
