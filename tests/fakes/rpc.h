/* rpc.h - calls without a client: what was answered is kept, and the reader takes it when the test says so. Replaces
 * handlers/rpc.o. */
#ifndef TESTS_FAKES_RPC_H
#define TESTS_FAKES_RPC_H

#include <stdbool.h>
#include <stddef.h>

#include "handlers/rpc.h"
#include "reactor/buf.h"

enum { FAKE_MESSAGES = 64 };

struct fake_rpc {
	const ProtobufCMessageDescriptor *output;
	struct buf messages[FAKE_MESSAGES]; /* in their order; those beyond are only counted */
	size_t n;
	bool finished, replied;
	enum err_code failed; /* OK: it did not */
	size_t queued;
};

struct rpc *fake_rpc(const ProtobufCMessageDescriptor *output, struct fake_rpc *seen); /* a new call; seen is zeroed */
void fake_rpc_take(struct rpc *r); /* the reader takes all that is queued; on_space runs */
void fake_rpc_leave(struct rpc *r); /* the client leaves; on_gone runs */
void fake_rpc_forget(struct fake_rpc *seen); /* its memory */

#endif
