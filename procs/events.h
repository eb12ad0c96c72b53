/* events.h - what happens to sandboxes and containers, told to whoever listens, at the moment of the change of state.
 *
 * Only what clients can see is told: neither a sandbox that is being made nor a container that was never listed. */
#ifndef PROCS_EVENTS_H
#define PROCS_EVENTS_H

#include <stdint.h>

#include "procs/container.h"
#include "reactor/list.h"

/* CRI numbers. */
enum event_kind { EVENT_CREATED = 0, EVENT_STARTED = 1, EVENT_STOPPED = 2, EVENT_DELETED = 3 };

struct event {
	enum event_kind kind;
	struct sandbox *sandbox;
	struct container *container; /* NULL: of the sandbox itself. DELETED: it is in no list any more */
	int64_t at_ns;               /* CLOCK_REALTIME; greater than that of every earlier event */
};

/* fn looks and copies; it changes nothing and stops listening to nobody but itself. */
struct event_listener {
	struct link link;
	void (*fn)(struct event_listener *l, const struct event *e);
};

void events_listen(struct event_listener *l, void (*fn)(struct event_listener *l, const struct event *e));
void events_unlisten(struct event_listener *l); /* harmless when not listening */

void events_tell(enum event_kind kind, struct sandbox *s, struct container *c); /* c NULL: of the sandbox */

#endif
