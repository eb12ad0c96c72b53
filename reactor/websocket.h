/* websocket.h - a conduit that speaks WebSocket, server side: it answers PING and CLOSE by itself and hands its user
 * pieces of messages. Spec: RFC 6455, sections 5.5 (control frames) and 7 (closing). */
#ifndef REACTOR_WEBSOCKET_H
#define REACTOR_WEBSOCKET_H

#include "reactor/conduit.h"
#include "reactor/ws.h"

struct websocket; /* owned by its maker until websocket_finish() or websocket_close() */

/* As conduit_events; `gone` also runs after a CLOSE from the peer or a breach of the protocol. */
struct websocket_events {
	void (*piece)(void *arg, const struct ws_piece *piece); /* TEXT and BINARY only */
	void (*room)(void *arg);
	void (*gone)(void *arg);
};

/* Takes the conduit. */
struct websocket *websocket_new(struct conduit *conduit, const struct websocket_events *events, void *arg);
void websocket_send(struct websocket *websocket, enum ws_opcode opcode, const void *bytes, size_t len);
struct conduit *websocket_conduit(struct websocket *websocket); /* for conduit_has_room(), _pause(), _idle_after() */

/* Both end the user's ownership; no event follows. */
/* Sends the queued bytes and CLOSE. */
void websocket_finish(struct websocket *websocket, enum ws_close code, const char *reason);
void websocket_close(struct websocket *websocket);

#endif
