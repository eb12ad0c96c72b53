/* events.h - tells listeners of changes of state of sandboxes and containers, at the moment of the change.
 *
 * There are no events of objects that clients cannot see: sandboxes that are being made, containers that were never
 * listed. */
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
	struct container *container; /* NULL: an event of the sandbox itself. DELETED: it is in no list any more */
	int64_t at_ns;               /* CLOCK_REALTIME; greater than at_ns of every earlier event */
};

/* fn reads the event and copies what it needs. It changes no object, and may remove no listener but its own. */
struct event_listener {
	struct link link;
	void (*fn)(struct event_listener *listener, const struct event *event);
};

void events_listen(struct event_listener *listener,
		   void (*fn)(struct event_listener *listener, const struct event *event));
void events_unlisten(struct event_listener *listener); /* harmless when not listening */

/* container NULL: an event of the sandbox itself */
void events_tell(enum event_kind kind, struct sandbox *sandbox, struct container *container);

#endif
