/* spdy_mux.h - the streams of one SPDY/3.1 connection, server side: the peer opens them, ids name them.
 *
 * Bytes come in by spdy_mux_read() and go out by the event `send`; there are no sockets here. Flow control: the common
 * Go client (moby/spdystream) sends no WINDOW_UPDATE and ignores those that it gets. So this end keeps to the peer's
 * windows only after the peer has sent SETTINGS or WINDOW_UPDATE; it sends WINDOW_UPDATE to every peer. Bytes that a
 * window holds back wait here.
 * Spec: SPDY Protocol - Draft 3.1, sections 2.3 (streams), 2.6.8 (flow control). */
#ifndef REACTOR_SPDY_MUX_H
#define REACTOR_SPDY_MUX_H

#include "reactor/spdy.h"

enum { SPDY_STREAMS_MAX = 2048, SPDY_WINDOW = 64 * 1024, SPDY_DATA_MAX = 32 * 1024 };

struct spdy_mux; /* owned by its maker */

/* No event may free the mux; spdy_mux_stop() is allowed. `fin` ends the peer's half of a stream, `reset` both
 * halves. */
struct spdy_mux_events {
	void (*send)(void *arg, const void *bytes, size_t len);
	void (*open)(void *arg, uint32_t stream, const struct pairs *headers); /* was answered with SYN_REPLY already */
	/* the user gives the bytes' room back by spdy_mux_taken() */
	void (*data)(void *arg, uint32_t stream, const void *bytes, size_t len);
	void (*fin)(void *arg, uint32_t stream);
	void (*reset)(void *arg, uint32_t stream);
	void (*room)(void *arg, uint32_t stream); /* all bytes that had waited for the peer's window were sent */
};

struct spdy_mux *spdy_mux_new(const struct spdy_mux_events *events, void *arg);
void spdy_mux_free(struct spdy_mux *mux); /* NULL is fine */

/* -1 with INVALID_ARGUMENT: the peer broke the protocol; it got a GOAWAY, and the connection must end. */
int spdy_mux_read(struct spdy_mux *mux, const uint8_t *bytes, size_t len, struct err *e);
void spdy_mux_stop(struct spdy_mux *mux); /* no event but `send` follows */

/* No effect for a stream that has ended, or whose sending half has. */
void spdy_mux_write(struct spdy_mux *mux, uint32_t stream, const void *bytes, size_t len);
void spdy_mux_fin(struct spdy_mux *mux, uint32_t stream); /* after all that was written */
/* Ends both halves; waiting bytes are dropped. */
void spdy_mux_reset(struct spdy_mux *mux, uint32_t stream, enum spdy_status status);
void spdy_mux_taken(struct spdy_mux *mux, uint32_t stream, size_t len);
size_t spdy_mux_waiting(const struct spdy_mux *mux, uint32_t stream); /* bytes that the peer's window holds back */
void spdy_mux_goaway(struct spdy_mux *mux); /* further streams are refused */

#endif
