/* cri_call.h - one RPC of CRI for the benchmarks: packed, sent, timed, unpacked. */
#ifndef BENCH_CRI_CALL_H
#define BENCH_CRI_CALL_H

#include <protobuf-c/protobuf-c.h>
#include <stdint.h>

#include "reactor/arena.h"
#include "reactor/err.h"
#include "reactor/grpc_client.h"

/* What is called: "/runtime.v1.RuntimeService/Version" and the message that answers it. */
struct cri_method {
	const char *path;
	const ProtobufCMessageDescriptor *output;
};

/* response is NULL exactly when e is not; it lives in the arena of the call. took_ns: from the request's first byte
 * handed to the connection to the answer's end, without packing and unpacking. */
typedef void cri_done(void *arg, const struct err *e, const void *response, int64_t took_ns);

/* `request` is packed at once; the arena must outlive the call. `done` exactly once, never inside this call, which
 * cannot be cancelled: a benchmark waits for what it began. Errors: the server's, and those of grpc_client.h. */
void cri_call(struct grpc_client *c, const struct cri_method *m, const void *request, struct arena *arena,
	      cri_done *done, void *arg);

/* For the calls to come; 60 s to begin with. */
void cri_timeout(int64_t ms);

/* One call after the other: runs the loop until the answer. NULL with the error; CANCELLED when something else stopped
 * the loop, which must have freed the client. took_ns may be NULL. */
const void *cri_ask(struct grpc_client *c, const struct cri_method *m, const void *request, struct arena *arena,
		    int64_t *took_ns, struct err *e);

#endif
