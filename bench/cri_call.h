/* cri_call.h - one RPC of CRI for the benchmarks: packed, sent, timed and unpacked. */
#ifndef BENCH_CRI_CALL_H
#define BENCH_CRI_CALL_H

#include <protobuf-c/protobuf-c.h>
#include <stdint.h>

#include "reactor/arena.h"
#include "reactor/err.h"
#include "reactor/grpc_client.h"

/* A method's path, "/runtime.v1.RuntimeService/Version", and the type of its response. */
struct cri_method {
	const char *path;
	const ProtobufCMessageDescriptor *output;
};

/* Exactly one of `e` and `response` is NULL. The response lives in the arena of the call. took_ns: from the moment when
 * the request's first byte is handed to the connection until the end of the answer, without packing and unpacking. */
typedef void cri_done(void *arg, const struct err *e, const void *response, int64_t took_ns);

/* `request` is packed at once; the arena must outlive the call. `done` runs exactly once, never inside this call. A
 * call cannot be cancelled: a benchmark waits for every request. Errors: the server's, and those of grpc_client.h. */
void cri_call(struct grpc_client *c, const struct cri_method *m, const void *request, struct arena *arena,
	      cri_done *done, void *arg);

/* The timeout of later calls; 60 s at the start. */
void cri_timeout(int64_t ms);

/* Makes a call and runs the loop until the answer. NULL: `e` has the error; CANCELLED when other code stopped the loop,
 * which must have freed the client. took_ns may be NULL. */
const void *cri_ask(struct grpc_client *c, const struct cri_method *m, const void *request, struct arena *arena,
		    int64_t *took_ns, struct err *e);

#endif
