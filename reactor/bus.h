/* bus.h - calls over the machine's message bus, and signals from it, on our loop. The only header that shows sd-bus.
 *
 * Nothing here waits: libsystemd writes what the socket takes and keeps the rest. A connection that is lost is made
 * again with growing pauses; what was under way on it has failed with UNAVAILABLE then.
 * Specs: D-Bus specification; sd-bus(3). */
#ifndef REACTOR_BUS_H
#define REACTOR_BUS_H

#include <stdbool.h>
#include <stdint.h>
#include <systemd/sd-bus.h>

#include "reactor/err.h"

struct bus; /* owned by the caller of bus_open() */

struct bus_config {
	const char *address;      /* NULL: $DBUS_SYSTEM_BUS_ADDRESS, else the system bus as everybody has it */
	bool peer;                /* the other end is the service itself: no bus, no names */
	void (*lost)(void *arg);  /* all calls have failed, or will before anything else happens */
	void (*again)(void *arg); /* connected anew: the peer knows nothing of before */
	void *arg;
};

/* UNAVAILABLE: there is no bus; the error names its address. What the config points to is borrowed for ever. */
struct bus *bus_open(const struct bus_config *cfg, struct err *e);
void bus_close(struct bus *b); /* pending calls are forgotten, written ones are flushed; not from a callback of it */
const char *bus_address(const struct bus *b);

/* For sd_bus_message_append(). Never NULL; while the connection is away, a message that bus_call() will fail. */
sd_bus_message *bus_message(struct bus *b, const char *service, const char *path, const char *interface,
			    const char *member);

struct bus_call;
/* e NULL: `reply` is what came. INTERNAL with the peer's words: `reply` is the error, sd_bus_message_is_method_error()
 * tells which. UNAVAILABLE, DEADLINE_EXCEEDED: reply is NULL. Exactly once, never inside bus_call(). */
typedef void bus_done(void *arg, const struct err *e, sd_bus_message *reply);

/* Takes m. */
struct bus_call *bus_call(struct bus *b, sd_bus_message *m, int64_t timeout_ms, bus_done *done, void *arg);
void bus_cancel(struct bus_call *c); /* `done` never runs; the peer may act all the same */

typedef void bus_signal(void *arg, sd_bus_message *m);
/* From now on, over new connections too. One for each bus is enough so far. */
void bus_listen(struct bus *b, const char *service, const char *path, const char *interface, const char *member,
		bus_signal *fn);

/* The library wants an answer checked for each word that is appended; only memory can lack. */
#define BUS_MUST(call) ((void)((call) >= 0 ? 0 : (abort(), 0)))

#endif
