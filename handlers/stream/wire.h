/* wire.h - where SPDY's bytes travel: the upgraded connection itself, or binary messages of a WebSocket on it.
 *
 * The second is "SPDY/3.1+portforward.k8s.io" of the newer clients of port-forward. */
#ifndef HANDLERS_STREAM_WIRE_H
#define HANDLERS_STREAM_WIRE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "reactor/conduit.h"

struct wire; /* owned by its maker until wire_finish() or wire_close() */

struct wire_events { /* as conduit_events */
	void (*data)(void *arg, const uint8_t *p, size_t n);
	void (*room)(void *arg);
	void (*gone)(void *arg);
};

/* c is taken */
struct wire *wire_new(struct conduit *c, bool in_websocket, const struct wire_events *events, void *arg);
void wire_send(struct wire *w, const void *p, size_t n);
bool wire_has_room(const struct wire *w);
void wire_pause(struct wire *w, bool paused);
void wire_finish(struct wire *w);
void wire_close(struct wire *w);

#endif
