/* check_layers_rpc.c - `crisp check --layers`: of the service crisp.v1.Node of handlers/cri/crisp.proto. One runs at a
 * time; it ends with its client. */
#include "crisp.pb-c.h"
#include "handlers/convert.h"
#include "handlers/services.h"
#include "images/audit.h"
#include "reactor/own.h"

struct layers_call {
	struct rpc *rpc;
	struct audit *audit;
};

static struct layers_call *under_way; /* NULL: none */

static void on_audited(void *arg, const struct audit_result *result)
{
	Crisp__V1__CheckLayersResponse out = CRISP__V1__CHECK_LAYERS_RESPONSE__INIT;
	struct layers_call *call = arg;
	struct arena *a = rpc_arena(call->rpc);

	under_way = NULL;
	out.findings = arena_zalloc(a, (result->n + 1) * sizeof(*out.findings));
	for (size_t i = 0; i < result->n; i++) {
		Crisp__V1__Finding *f = NEW_MESSAGE(a, Crisp__V1__Finding, crisp__v1__finding__init);

		f->kind = result->findings[i].mended ? CRISP__V1__FINDING__KIND__MENDED
						     : CRISP__V1__FINDING__KIND__LEFT;
		f->text = (char *)result->findings[i].text;
		out.findings[out.n_findings++] = f;
	}
	out.layers = (uint32_t)result->layers;
	out.unverified = (uint32_t)result->unverified;
	rpc_reply(call->rpc, &out);
	free(call);
}

static void on_layers_client_gone(void *arg)
{
	struct layers_call *call = arg;
	struct err e;

	under_way = NULL;
	audit_cancel(call->audit);
	err_set(&e, ERR_CANCELLED, "the client left");
	rpc_fail(call->rpc, &e);
	free(call);
}

void rpc_check_layers(struct rpc *r, const void *request)
{
	const Crisp__V1__CheckLayersRequest *in = request;
	struct layers_call *call;
	struct err e;

	if (under_way) {
		err_set(&e, ERR_UNAVAILABLE, "another check of the layers is under way");
		return rpc_fail(r, &e);
	}
	under_way = call = new_zero(struct layers_call);
	call->rpc = r;
	call->audit = audit_start(in->repair, on_audited, call);
	rpc_on_gone(r, on_layers_client_gone, call);
}
