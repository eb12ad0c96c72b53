/* rpc.c - see rpc.h. */
#include "tests/fakes/rpc.h"

#include <assert.h>
#include <stdlib.h>

#include "reactor/own.h"

struct rpc {
	struct fake_rpc *seen;
	struct arena *arena;
	void (*gone)(void *arg), (*space)(void *arg);
	void *gone_arg, *space_arg;
};

struct rpc *fake_rpc(const ProtobufCMessageDescriptor *output, struct fake_rpc *seen)
{
	struct rpc *r = new_zero(struct rpc);

	*seen = (struct fake_rpc){ .output = output };
	r->seen = seen;
	r->arena = arena_new();
	return r;
}

static void end(struct rpc *r)
{
	arena_free(r->arena);
	free(r);
}

void fake_rpc_take(struct rpc *r)
{
	void (*space)(void *arg) = r->space;

	r->seen->queued = 0;
	r->space = NULL;
	if (space)
		space(r->space_arg);
}

void fake_rpc_leave(struct rpc *r)
{
	r->gone(r->gone_arg);
}

void fake_rpc_forget(struct fake_rpc *seen)
{
	for (size_t i = 0; i < FAKE_MESSAGES; i++)
		buf_free(&seen->messages[i]);
}

void rpc_send_packed(struct rpc *r, const uint8_t *bytes, size_t n)
{
	assert(!r->seen->finished);
	if (r->seen->n < FAKE_MESSAGES)
		buf_append(&r->seen->messages[r->seen->n], bytes, n);
	r->seen->n++;
	r->seen->queued += n;
}

void rpc_reply_packed(struct rpc *r, const uint8_t *bytes, size_t n)
{
	rpc_send_packed(r, bytes, n);
	r->seen->replied = true;
	end(r);
}

void rpc_finish(struct rpc *r)
{
	r->seen->finished = true;
	end(r);
}

void rpc_fail(struct rpc *r, const struct err *e)
{
	r->seen->failed = e->code;
	end(r);
}

void rpc_endless(struct rpc *r)
{
	(void)r;
}

size_t rpc_queued(const struct rpc *r)
{
	return r->seen->queued;
}

void rpc_on_space(struct rpc *r, void (*fn)(void *arg), void *arg)
{
	r->space = fn;
	r->space_arg = arg;
}

void rpc_on_gone(struct rpc *r, void (*fn)(void *arg), void *arg)
{
	r->gone = fn;
	r->gone_arg = arg;
}

struct arena *rpc_arena(struct rpc *r)
{
	return r->arena;
}

const ProtobufCMessageDescriptor *rpc_output(const struct rpc *r)
{
	return r->seen->output;
}
