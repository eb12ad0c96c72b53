/* grpc.h - a gRPC server on nghttp2: unary calls and server streams, any number of connections, one thread.
 *
 * Specs: gRPC over HTTP/2 (github.com/grpc/grpc doc/PROTOCOL-HTTP2.md), RFC 9113.
 * Messages are opaque bytes here; who knows protobuf sits above. A request message over 16 MiB is answered with
 * RESOURCE_EXHAUSTED, a compressed one with UNIMPLEMENTED and grpc-accept-encoding: identity. */
#ifndef REACTOR_GRPC_H
#define REACTOR_GRPC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "reactor/err.h"

enum { GRPC_MESSAGE_MAX = 16 << 20, GRPC_STREAMS_MAX = 4096 };

struct grpc_server;
struct grpc_call; /* one call; gone once its answer was handed over (reply, fail, finish) or on_gone ran */

/* Called once per call, when the request message is complete. path is "/package.Service/Method" and lives as long as
 * the call, msg until fn returns. The callee answers now or later; it never returns without someone who will. Without
 * an on_gone the call stays valid until it is answered, even after its connection: the answer goes nowhere then. */
typedef void grpc_fn(void *arg, struct grpc_call *c, const char *path, const uint8_t *msg, size_t len);

struct grpc_server *grpc_server_new(grpc_fn *fn, void *arg);

/* "unix:///path" (0660 root:root, parent made 0755; taken over only from a dead owner: a live one is UNAVAILABLE
 * with its pid) or "tcp://127.0.0.1:port" (any loopback address, others are INVALID_ARGUMENT; port 0: a free one). */
int grpc_server_listen(struct grpc_server *s, const char *address, struct err *e);
int grpc_server_port(const struct grpc_server *s); /* of the last tcp listener, 0: none */

/* Stops listening, unlinks the socket files, sends GOAWAY; streams in flight go on. drained runs when none is left
 * (once, never inside the call). */
void grpc_server_drain(struct grpc_server *s, void (*drained)(void *arg), void *arg);

/* Closes what is left; on_gone runs for calls still open. Not from inside grpc_fn, on_gone or on_space. */
void grpc_server_free(struct grpc_server *s);

/* ---- answering ---- */

/* The one message of a unary call and status OK. The bytes are copied. Over 16 MiB it becomes RESOURCE_EXHAUSTED. */
void grpc_reply(struct grpc_call *c, const uint8_t *msg, size_t len);

/* The same without a copy: the place where the message of len bytes is to be written, in this turn, before
 * grpc_reply_filled(). NULL: nobody wants it, or it is over 16 MiB; grpc_reply_filled() then ends the call as well. */
uint8_t *grpc_reply_room(struct grpc_call *c, size_t len);
void grpc_reply_filled(struct grpc_call *c);

/* Trailers-only error (or the end of a stream that already sent something). e->reason comes first in the message;
 * the message is percent-encoded. */
void grpc_fail(struct grpc_call *c, const struct err *e);

/* A server stream: sends one message; queued behind flow control without bound: ask grpc_queued(), wait for on_space.
 * After a message over 16 MiB nothing more is sent, and the end of the stream is RESOURCE_EXHAUSTED. */
void grpc_send(struct grpc_call *c, const uint8_t *msg, size_t len);
size_t grpc_queued(const struct grpc_call *c); /* bytes not yet taken by the peer's window */
void grpc_finish(struct grpc_call *c);         /* status OK after all queued messages */

/* fn runs once, when grpc_queued() fell to 0 (soon, if it is 0), never inside this call; arg is that of on_gone. */
void grpc_on_space(struct grpc_call *c, void (*fn)(void *arg));

/* fn runs at most once, when the client reset the stream, its deadline passed or its connection ended before the
 * answer; never after an answer, never inside this call. The call is gone when it runs. */
void grpc_on_gone(struct grpc_call *c, void (*fn)(void *arg), void *arg);

struct grpc_stats {
	uint64_t connections, calls_open; /* now; a call is open until the peer has its whole answer */
};
struct grpc_stats grpc_server_stats(const struct grpc_server *s);

#endif
