/* checkpoint_rpc.c - CheckpointContainer. Spec: CRI v1 RuntimeService. */
#include "api.pb-c.h"
#include "handlers/checkpoint_flow.h"
#include "handlers/convert.h"
#include "handlers/services.h"

static void on_checkpointed(void *arg, const struct err *e)
{
	Runtime__V1__CheckpointContainerResponse out = RUNTIME__V1__CHECKPOINT_CONTAINER_RESPONSE__INIT;
	struct rpc *r = arg;

	if (e)
		rpc_fail(r, e);
	else
		rpc_reply(r, &out);
}

void rpc_checkpoint_container(struct rpc *r, const void *request)
{
	const Runtime__V1__CheckpointContainerRequest *in = request;
	struct container *c = rpc_container(r, in->container_id);
	struct err e;

	if (!c)
		return;
	if (in->timeout < 0) {
		err_set(&e, ERR_INVALID_ARGUMENT, "timeout is negative");
		return rpc_fail(r, &e);
	}
	checkpoint_flow(c, in->location, convert_seconds(in->timeout), on_checkpointed, r);
}
