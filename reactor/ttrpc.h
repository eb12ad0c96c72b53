/* ttrpc.h - one connection of ttrpc, the RPC protocol of shims and plugins: calls, and requests that are served, on the
 * loop.
 *
 * Spec: containerd/ttrpc, PROTOCOL.md. A frame is a head of 10 bytes (length, stream, type, flags) and at most 4 MiB.
 * Only unary calls: a request that begins a stream is answered UNIMPLEMENTED.
 *
 * What carries the bytes is the caller's: a connected socket, which ttrpc_open_fd() takes, or any channel of bytes
 * both ways (ttrpc_open(), ttrpc_feed()), such as one connection of several on a socket.
 *
 * What the peer can cost is bounded: a frame at a time is in memory; a longer one is passed over and fails its call,
 * and one over TTRPC_FRAME_MAX, behind which nothing would come for long, ends the connection; at most
 * TTRPC_REQUESTS_MAX requests wait for an answer; what is sent is bounded by the channel. */
#ifndef REACTOR_TTRPC_H
#define REACTOR_TTRPC_H

#include <stddef.h>
#include <stdint.h>

#include "reactor/err.h"
#include "reactor/fields.h"

enum {
	TTRPC_HEAD = 10,
	TTRPC_BODY_MAX = 4 * 1024 * 1024,
	TTRPC_FRAME_MAX = 64 * 1024 * 1024,
	TTRPC_CALLS_MAX = 16384,
	TTRPC_REQUESTS_MAX = 64,
	TTRPC_NAME_MAX = 255, /* bytes of a service or a method in a request */
	TTRPC_ERROR_MAX = 500 /* bytes of the peer's error text that are kept, as one line */
};

struct ttrpc; /* owned by its user until ttrpc_close() */

/* ---- requests of the peer ---- */

struct ttrpc_request; /* owned by the one who serves it until it is answered; the connection may be gone by then */

struct ttrpc_events {
	/* NULL: this end serves nothing, and answers UNIMPLEMENTED. Names and body are borrowed for the call. */
	void (*serve)(void *arg, struct ttrpc_request *request, const char *service, const char *method,
		      const uint8_t *body, size_t len);
	/* The peer has closed the connection or has broken the protocol, and every call has ended. No event follows. */
	void (*gone)(void *arg, const struct err *e);
};

/* Both end the ownership of the request. A body over the limit is answered RESOURCE_EXHAUSTED. */
void ttrpc_reply(struct ttrpc_request *request, const void *body, size_t len);
void ttrpc_fail(struct ttrpc_request *request, const struct err *e);

/* ---- the connection ---- */

/* Takes fd, a connected stream socket. */
struct ttrpc *ttrpc_open_fd(int fd, const struct ttrpc_events *events, void *arg);

/* `send` queues or sends all of the bytes, and calls nothing of this connection. */
struct ttrpc_channel {
	void (*send)(void *arg, const void *bytes, size_t len);
	void *arg;
};
struct ttrpc *ttrpc_open(const struct ttrpc_channel *channel, const struct ttrpc_events *events, void *arg);
/* What the channel has brought; events and the ends of calls run inside. */
void ttrpc_feed(struct ttrpc *ttrpc, const void *bytes, size_t len);
/* The channel has ended: every call ends, then `gone` runs, inside. */
void ttrpc_channel_gone(struct ttrpc *ttrpc);

/* Allowed in every event. No event follows; calls that are under way end with CANCELLED in the next turn. */
void ttrpc_close(struct ttrpc *ttrpc);

/* ---- calls ---- */

struct ttrpc_call;

/* Exactly once, never inside ttrpc_call(), never after ttrpc_call_cancel(). e NULL: body is the answer, borrowed.
 * Errors: what the peer answered (its code; its text in one line); DEADLINE_EXCEEDED; UNAVAILABLE: the connection is
 * gone; INTERNAL: the answer is malformed or over the limit; RESOURCE_EXHAUSTED: too many calls, or too large. */
typedef void ttrpc_done(void *arg, const struct err *e, const uint8_t *body, size_t len);

struct ttrpc_ask {
	const char *service, *method;
	const void *body;
	size_t len;
	const struct pair *metadata; /* n pairs */
	size_t n;
	int64_t timeout_ms; /* also told to the peer; 0: none */
};

/* Copies what `ask` points to. */
struct ttrpc_call *ttrpc_call(struct ttrpc *ttrpc, const struct ttrpc_ask *ask, ttrpc_done *done, void *arg);
/* The peer is not told: the protocol has no way. Its answer is dropped. */
void ttrpc_call_cancel(struct ttrpc_call *call);

#endif
