/* wire.h - the carrier of SPDY's bytes: the upgraded connection itself, or binary messages of a WebSocket on it.
 *
 * Newer clients of port-forward use the WebSocket ("SPDY/3.1+portforward.k8s.io"). */
#ifndef HANDLERS_STREAM_WIRE_H
#define HANDLERS_STREAM_WIRE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "reactor/conduit.h"

struct wire; /* owned by its maker until wire_finish() or wire_close() */

struct wire_events { /* as conduit_events */
	void (*data)(void *arg, const uint8_t *data, size_t len);
	void (*room)(void *arg);
	void (*gone)(void *arg);
};

/* conduit: becomes owned by the result */
struct wire *wire_new(struct conduit *conduit, bool in_websocket, const struct wire_events *events, void *arg);
void wire_send(struct wire *wire, const void *data, size_t len);
bool wire_has_room(const struct wire *wire);
void wire_pause(struct wire *wire, bool paused);
void wire_finish(struct wire *wire);
void wire_close(struct wire *wire);

#endif
