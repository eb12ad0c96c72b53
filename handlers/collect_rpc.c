/* collect_rpc.c - `crisp gc`: of the service crisp.v1.Node of handlers/cri/crisp.proto. It ends with its client. */
#include "crisp.pb-c.h"
#include "handlers/services.h"
#include "images/gc.h"
#include "reactor/log.h"
#include "reactor/own.h"

struct collect_call {
	struct rpc *rpc;
	struct gc *gc;
	bool dry_run;
};

static void on_collected(void *arg, const struct err *e, const struct gc_freed *freed)
{
	Crisp__V1__CollectResponse out = CRISP__V1__COLLECT_RESPONSE__INIT;
	struct collect_call *call = arg;

	if (!call->dry_run && (freed->layers || freed->blobs || freed->partials))
		log_info("gc layers=%u blobs=%u partials=%u bytes=%llu", freed->layers, freed->blobs, freed->partials,
			 (unsigned long long)freed->bytes);
	out.layers = freed->layers;
	out.blobs = freed->blobs;
	out.partials = freed->partials;
	out.bytes = freed->bytes;
	out.pulling = freed->pulling;
	if (e)
		rpc_fail(call->rpc, e);
	else
		rpc_reply(call->rpc, &out);
	free(call);
}

static void on_collect_client_gone(void *arg)
{
	struct collect_call *call = arg;
	struct err e;

	gc_cancel(call->gc);
	err_set(&e, ERR_CANCELLED, "the client left");
	rpc_fail(call->rpc, &e);
	free(call);
}

void rpc_collect(struct rpc *r, const void *request)
{
	const Crisp__V1__CollectRequest *in = request;
	struct collect_call *call = new_zero(struct collect_call);

	call->rpc = r;
	call->dry_run = in->dry_run;
	call->gc = gc_start(in->dry_run, on_collected, call);
	rpc_on_gone(r, on_collect_client_gone, call);
}
