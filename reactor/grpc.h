/* grpc.h - a gRPC server on nghttp2: unary calls and server streams, any number of connections, one thread.
 *
 * Specs: gRPC over HTTP/2 (github.com/grpc/grpc doc/PROTOCOL-HTTP2.md), RFC 9113.
 * Messages are opaque bytes here; protobuf is known in handlers/ only. A request message over 16 MiB is answered with
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
 * the call, the message until fn returns. The callee answers inside fn or later; every call must be answered, unless
 * its on_gone ran. Without an on_gone the call stays valid until it is answered, also after its connection has ended:
 * the answer is dropped then. */
typedef void grpc_fn(void *arg, struct grpc_call *call, const char *path, const uint8_t *message, size_t len);

struct grpc_server *grpc_server_new(grpc_fn *fn, void *arg);

/* "unix:///path" (0660 root:root, parents made 0755; a socket file on which a process listens is UNAVAILABLE with its
 * pid, one without a listener is replaced) or "tcp://127.0.0.1:port" (any loopback address, others are
 * INVALID_ARGUMENT; port 0: a free one). */
int grpc_server_listen(struct grpc_server *server, const char *address, struct err *e);
int grpc_server_port(const struct grpc_server *server); /* of the last tcp listener, 0: none */

/* Stops listening, unlinks the socket files, sends GOAWAY; open streams go on. `drained` runs once, never inside this
 * call, when the last connection has ended. */
void grpc_server_drain(struct grpc_server *server, void (*drained)(void *arg), void *arg);

/* Closes all connections; on_gone runs for calls that are still open. Not from inside grpc_fn, on_gone or on_space. */
void grpc_server_free(struct grpc_server *server);

/* ---- answering ---- */

/* The one message of a unary call and status OK. The bytes are copied. Over 16 MiB it becomes RESOURCE_EXHAUSTED. */
void grpc_reply(struct grpc_call *call, const uint8_t *message, size_t len);

/* The same without a copy: the caller writes the message of len bytes to the returned place in this turn of the loop
 * and then calls grpc_reply_filled(). NULL: the client has left, or len is over 16 MiB; grpc_reply_filled() must be
 * called then too and ends the call. */
uint8_t *grpc_reply_room(struct grpc_call *call, size_t len);
void grpc_reply_filled(struct grpc_call *call);

/* A Trailers-Only error, or the trailers of a stream that has sent messages. e->reason comes first in the message; the
 * message is percent-encoded. */
void grpc_fail(struct grpc_call *call, const struct err *e);

/* Sends one message of a server stream. Flow control queues it without bound: the caller asks grpc_queued() and waits
 * for on_space. After a message over 16 MiB nothing more is sent, and the stream ends with RESOURCE_EXHAUSTED. */
void grpc_send(struct grpc_call *call, const uint8_t *message, size_t len);
size_t grpc_queued(const struct grpc_call *call); /* bytes not yet taken by the peer's window */
void grpc_finish(struct grpc_call *call);         /* status OK after all queued messages */

/* fn runs once, when grpc_queued() has become 0 (in the next turn if it is 0 now), never inside this call; its arg is
 * the one given to grpc_on_gone(). */
void grpc_on_space(struct grpc_call *call, void (*fn)(void *arg));

/* fn runs at most once, when before the answer the client reset the stream, the deadline passed or the connection
 * ended; never inside this call. The call is freed after it. */
void grpc_on_gone(struct grpc_call *call, void (*fn)(void *arg), void *arg);

struct grpc_stats {
	uint64_t connections, calls_open; /* now; a call is open until the peer has its whole answer */
};
struct grpc_stats grpc_server_stats(const struct grpc_server *server);

#endif
