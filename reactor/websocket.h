/* websocket.h - a conduit that speaks WebSocket, server side: pings are answered, closing is done as it should be; what
 * remains are pieces of messages. Spec: RFC 6455, sections 5.5 (control frames) and 7 (closing). */
#ifndef REACTOR_WEBSOCKET_H
#define REACTOR_WEBSOCKET_H

#include "reactor/conduit.h"
#include "reactor/ws.h"

struct websocket; /* owned by its maker until websocket_finish() or websocket_close() */

/* As conduit_events; `gone` also after a CLOSE of the peer's or a breach of the protocol. */
struct websocket_events {
	void (*piece)(void *arg, const struct ws_piece *p); /* TEXT and BINARY only */
	void (*room)(void *arg);
	void (*gone)(void *arg);
};

/* c is taken. */
struct websocket *websocket_new(struct conduit *c, const struct websocket_events *events, void *arg);
void websocket_send(struct websocket *w, enum ws_opcode opcode, const void *p, size_t n);
struct conduit *websocket_conduit(struct websocket *w); /* to ask for room, to pause, to set its idle time */

/* Both let go of it: no event follows. */
void websocket_finish(struct websocket *w, enum ws_close code, const char *reason); /* sends what is queued and CLOSE */
void websocket_close(struct websocket *w);

#endif
