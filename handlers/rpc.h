/* rpc.h - the mechanism of an RPC: from the gRPC path to a function; decode, call, encode; an arena, a log line and a
 * count per call. The table of the methods is services.h's.
 *
 * A handler gets the decoded request, which lives as long as the rpc, and answers now or later by rpc_reply() or
 * rpc_fail(), exactly once. An operation that outlives its client answers all the same: the answer is dropped. */
#ifndef HANDLERS_RPC_H
#define HANDLERS_RPC_H

#include <protobuf-c/protobuf-c.h>
#include <stdbool.h>
#include <stdint.h>

#include "reactor/arena.h"
#include "reactor/err.h"
#include "reactor/grpc.h"

struct rpc; /* freed by its answer */

/* request: the generated struct of the method's input type */
typedef void rpc_handler(struct rpc *rpc, const void *request);

struct rpc_method {
	const ProtobufCServiceDescriptor *service;
	const char *path;   /* "/runtime.v1.RuntimeService/Version" */
	rpc_handler *fn;    /* NULL: the method answers UNIMPLEMENTED */
	bool always_served; /* before rpc_serve() too */
	const ProtobufCMethodDescriptor *descriptor; /* set by rpc_open() */
};

/* Borrows the methods for ever and looks up their descriptors. The result is the function for grpc_server_new(). */
grpc_fn *rpc_open(struct rpc_method *methods, size_t n);
const struct rpc_method *rpc_method(const char *path); /* NULL: unknown */

/* Before this call only the methods with always_served are served; the others answer UNAVAILABLE "starting". */
void rpc_serve(void);

/* message: of the method's output type. */
void rpc_reply(struct rpc *rpc, const void *message);
void rpc_reply_packed(struct rpc *rpc, const uint8_t *bytes, size_t len); /* an encoded message of the output type */
void rpc_fail(struct rpc *rpc, const struct err *e);

/* A server stream: any number of messages, then rpc_finish() (status OK) or rpc_fail(). Messages that the reader has
 * not taken are queued without bound: the handler asks rpc_queued(), in bytes, and waits by rpc_on_space(). Its fn runs
 * once, when the queue fell to 0 bytes, never inside the call and never after the client is gone. */
void rpc_send_packed(struct rpc *rpc, const uint8_t *bytes, size_t len); /* an encoded message of the output type */
size_t rpc_queued(const struct rpc *rpc);
void rpc_on_space(struct rpc *rpc, void (*fn)(void *arg), void *arg);
void rpc_finish(struct rpc *rpc);

const ProtobufCMessageDescriptor *rpc_output(const struct rpc *rpc); /* the method's output type */

/* fn runs at most once, in a turn of its own, when the client left before the answer. The handler must still answer
 * the rpc. */
void rpc_on_gone(struct rpc *rpc, void (*fn)(void *arg), void *arg);

struct arena *rpc_arena(struct rpc *rpc);

/* The call has made the object `id`, which its request cannot name: key is "sandbox" or "container". For the log. */
void rpc_made(struct rpc *rpc, const char *key, const char *id);

/* This call ends when its client leaves, and is never slow. */
void rpc_endless(struct rpc *rpc);

/* The link by which a call waits in the list of an operation that several calls share. rpc_reply_all() and
 * rpc_fail_all() answer every call of such a list and leave it empty. */
struct link *rpc_link(struct rpc *rpc);
void rpc_reply_all(struct link *waiters, const void *message);
void rpc_fail_all(struct link *waiters, const struct err *e);

/* Calls in flight, oldest first, for /debug. */
void rpc_each(void (*fn)(void *arg, const char *method, int64_t age_ns), void *arg);

#endif
