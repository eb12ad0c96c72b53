/* spdy_mux.h - the streams of one SPDY/3.1 connection, server side: opened by the peer, named by their ids.
 *
 * Bytes in by spdy_mux_read(), bytes out by the `send` of its events; no sockets. Flow control: the common Go client
 * (moby/spdystream) sends no WINDOW_UPDATE and looks at none, so windows bind us only once the peer has shown, by
 * SETTINGS or WINDOW_UPDATE, that it keeps them; WINDOW_UPDATEs are sent to everybody. What a window holds back waits
 * here.
 * Spec: SPDY Protocol - Draft 3.1, sections 2.3 (streams), 2.6.8 (flow control). */
#ifndef REACTOR_SPDY_MUX_H
#define REACTOR_SPDY_MUX_H

#include "reactor/spdy.h"

enum { SPDY_STREAMS_MAX = 2048, SPDY_WINDOW = 64 * 1024, SPDY_DATA_MAX = 32 * 1024 };

struct spdy_mux; /* owned by its maker */

/* None of them may free the mux; spdy_mux_stop() is allowed. The peer's half of a stream ends by `fin` or by `reset`,
 * which is also the end of ours. */
struct spdy_mux_events {
	void (*send)(void *arg, const void *bytes, size_t len);
	void (*open)(void *arg, uint32_t stream, const struct pairs *headers); /* was answered with SYN_REPLY already */
	/* to be given back by spdy_mux_taken() */
	void (*data)(void *arg, uint32_t stream, const void *bytes, size_t len);
	void (*fin)(void *arg, uint32_t stream);
	void (*reset)(void *arg, uint32_t stream);
	void (*room)(void *arg, uint32_t stream); /* the peer's window let go of what had waited */
};

struct spdy_mux *spdy_mux_new(const struct spdy_mux_events *events, void *arg);
void spdy_mux_free(struct spdy_mux *mux); /* NULL is fine */

/* -1 with INVALID_ARGUMENT: the peer broke the protocol; it was told by GOAWAY, and the connection is of no use. */
int spdy_mux_read(struct spdy_mux *mux, const uint8_t *bytes, size_t len, struct err *e);
void spdy_mux_stop(struct spdy_mux *mux); /* no event but `send` follows */

/* A stream that is gone, or whose half of ours is, is passed over in silence. */
void spdy_mux_write(struct spdy_mux *mux, uint32_t stream, const void *bytes, size_t len);
void spdy_mux_fin(struct spdy_mux *mux, uint32_t stream); /* after all that was written */
/* both halves; what waited is dropped */
void spdy_mux_reset(struct spdy_mux *mux, uint32_t stream, enum spdy_status status);
void spdy_mux_taken(struct spdy_mux *mux, uint32_t stream, size_t len);
size_t spdy_mux_waiting(const struct spdy_mux *mux, uint32_t stream); /* bytes that the peer's window holds back */
void spdy_mux_goaway(struct spdy_mux *mux); /* no further streams are taken */

#endif
