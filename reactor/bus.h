/* bus.h - calls over D-Bus, and signals from it, on the loop. No other header shows sd-bus.
 *
 * No function here blocks: libsystemd writes what the socket takes and keeps the rest. A lost connection is made again
 * after growing pauses; the calls that were under way on it have failed with UNAVAILABLE by then.
 * Specs: D-Bus specification; sd-bus(3). */
#ifndef REACTOR_BUS_H
#define REACTOR_BUS_H

#include <stdbool.h>
#include <stdint.h>
#include <systemd/sd-bus.h>

#include "reactor/err.h"

struct bus; /* owned by the caller of bus_open() */

struct bus_config {
	const char *address;      /* NULL: $DBUS_SYSTEM_BUS_ADDRESS, else unix:path=/run/dbus/system_bus_socket */
	bool peer;                /* the other end is the service itself: no bus daemon, no bus names */
	void (*lost)(void *arg);  /* runs after all calls have failed */
	void (*again)(void *arg); /* connected again: the peer has forgotten this client; bus_listen() is renewed */
	void *arg;
};

/* UNAVAILABLE: nothing answers at the address, which the error names. The strings of the config are borrowed until
 * bus_close(). */
struct bus *bus_open(const struct bus_config *cfg, struct err *e);
void bus_close(struct bus *bus); /* no `done` runs; written bytes are flushed; not from a callback */
const char *bus_address(const struct bus *bus);

/* For sd_bus_message_append(). Never NULL: without a connection it gives a message too, and bus_call() fails it. */
sd_bus_message *bus_message(struct bus *bus, const char *service, const char *path, const char *interface,
			    const char *member);

struct bus_call;
/* e NULL: `reply` is the answer. INTERNAL with the peer's text: `reply` is the error message, and
 * sd_bus_message_is_method_error() tells which error. UNAVAILABLE, DEADLINE_EXCEEDED: `reply` is NULL. Runs exactly
 * once, never inside bus_call(). */
typedef void bus_done(void *arg, const struct err *e, sd_bus_message *reply);

/* Takes the message. */
struct bus_call *bus_call(struct bus *bus, sd_bus_message *message, int64_t timeout_ms, bus_done *done, void *arg);
void bus_cancel(struct bus_call *call); /* `done` never runs; the peer may act all the same */

typedef void bus_signal(void *arg, sd_bus_message *message);
/* fn runs for each such signal from now on, over later connections too. At most one call for each bus. */
void bus_listen(struct bus *bus, const char *service, const char *path, const char *interface, const char *member,
		bus_signal *fn);

/* For sd_bus_message_append() and its kin, which fail for correct arguments only when memory runs out. */
#define BUS_MUST(call) ((void)((call) >= 0 ? 0 : (abort(), 0)))

#endif
