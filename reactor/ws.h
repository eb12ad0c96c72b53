/* ws.h - WebSocket frames, server side: pieces of messages from bytes, and bytes from messages. No sockets, no
 * extensions.
 *
 * Spec: RFC 6455, sections 4.2.2 (the accept key), 5 (framing), 7.4 (close codes). */
#ifndef REACTOR_WS_H
#define REACTOR_WS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "reactor/buf.h"
#include "reactor/err.h"

enum ws_opcode { WS_CONTINUATION = 0, WS_TEXT = 1, WS_BINARY = 2, WS_CLOSE = 8, WS_PING = 9, WS_PONG = 10 };

enum ws_close {
	WS_NORMAL = 1000,
	WS_GOING_AWAY = 1001,
	WS_PROTOCOL_ERROR = 1002,
	WS_BAD_DATA = 1003,
	WS_TOO_BIG = 1009,
	WS_INTERNAL = 1011
};

enum { WS_CONTROL_MAX = 125, WS_ACCEPT_SIZE = 29 };

/* A piece of a message from the peer. TEXT and BINARY come in pieces as the bytes arrive: one piece may be first and
 * last, and a piece may be empty. CLOSE, PING and PONG come whole. */
struct ws_piece {
	enum ws_opcode opcode;
	bool first, last;
	const uint8_t *data;
	size_t len;
};

typedef void ws_on_piece(void *arg, const struct ws_piece *piece);

struct ws_reader { /* zeroed is ready; nothing to free */
	uint8_t head[14];
	size_t have;
	uint64_t left, at;    /* bytes of this frame's payload: still to come, already passed on */
	bool in_payload, fin, stopped;
	enum ws_opcode frame, message; /* message: what a CONTINUATION continues, 0 for none */
	bool begun;           /* a piece of the message was passed on */
	uint8_t control[WS_CONTROL_MAX];
};

/* Takes all bytes and unmasks them in place. -1 with INVALID_ARGUMENT: the peer breaks RFC 6455. */
int ws_read(struct ws_reader *reader, uint8_t *bytes, size_t len, ws_on_piece *fn, void *arg, struct err *e);
void ws_reader_stop(struct ws_reader *reader); /* allowed in fn, which then gets no more pieces */

/* Appends one whole message, unmasked. */
void ws_put(struct buf *out, enum ws_opcode opcode, const void *bytes, size_t len);
void ws_put_close(struct buf *out, enum ws_close code, const char *reason); /* a reason over 123 bytes is cut */

/* Sec-WebSocket-Accept for a Sec-WebSocket-Key. */
void ws_accept_key(const char *key, char out[WS_ACCEPT_SIZE]);

#endif
