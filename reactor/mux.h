/* mux.h - several numbered channels of bytes over one connected socket.
 *
 * Spec: github.com/containerd/nri, pkg/net/multiplex. A frame is a head of 8 bytes (u32 channel, u32 length,
 * big-endian) and at most MUX_PAYLOAD_MAX bytes. Nothing opens or closes a channel. */
#ifndef REACTOR_MUX_H
#define REACTOR_MUX_H

#include <stddef.h>
#include <stdint.h>

enum { MUX_HEAD = 8, MUX_PAYLOAD_MAX = 4 * 1024 * 1024 + 10 };

struct mux; /* owned by its user until mux_close() */

struct mux_events {
	/* Bytes of a channel as they came, in any pieces; borrowed. mux_close() is allowed. */
	void (*data)(void *arg, uint32_t channel, const uint8_t *bytes, size_t len);
	/* The peer has gone, does not take what it is sent (8 MiB), or sent a longer frame. No event follows. */
	void (*gone)(void *arg, const char *why);
};

struct mux *mux_open(int fd, const struct mux_events *events, void *arg); /* takes fd */

/* One message of a channel: sent in two frames at most, as the peer's reader needs it (ARCHITECTURE X91). */
void mux_send(struct mux *mux, uint32_t channel, const void *bytes, size_t len);

void mux_close(struct mux *mux); /* allowed in each event; none follows */

#endif
