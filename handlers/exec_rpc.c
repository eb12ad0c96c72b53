/* exec_rpc.c - commands in running containers. Spec: CRI v1 RuntimeService.ExecSync. */
#include "api.pb-c.h"
#include "handlers/rpc.h"
#include "procs/exec.h"
#include "reactor/own.h"

enum { EXEC_SECONDS_MAX = 365 * 24 * 3600 };

struct exec_call {
	struct rpc *rpc;
	struct exec *exec;
};

static void on_exec_done(void *arg, const struct err *e, const struct exec_result *result)
{
	Runtime__V1__ExecSyncResponse out = RUNTIME__V1__EXEC_SYNC_RESPONSE__INIT;
	struct exec_call *call = arg;

	if (e) {
		rpc_fail(call->rpc, e);
	} else {
		out.stdout.data = (uint8_t *)result->out;
		out.stdout.len = result->out_len;
		out.stderr.data = (uint8_t *)result->err;
		out.stderr.len = result->err_len;
		out.exit_code = result->exit_code;
		rpc_reply(call->rpc, &out);
	}
	free(call);
}

/* Nobody waits for the output any more: the process tree goes. */
static void on_client_gone(void *arg)
{
	struct exec_call *call = arg;
	struct err e;

	exec_cancel(call->exec);
	err_set(&e, ERR_CANCELLED, "the client left");
	rpc_fail(call->rpc, &e);
	free(call);
}

void rpc_exec_sync(struct rpc *r, const void *request)
{
	const Runtime__V1__ExecSyncRequest *in = request;
	struct strings cmd = { (const char **)in->cmd, in->n_cmd };
	struct container *c = rpc_container(r, in->container_id);
	struct exec_call *call;
	struct err e;

	if (!c)
		return;
	if (!in->n_cmd || in->timeout < 0 || in->timeout > EXEC_SECONDS_MAX) {
		err_set(&e, ERR_INVALID_ARGUMENT, "%s", in->n_cmd ? "timeout is negative or over a year" : "cmd is empty");
		return rpc_fail(r, &e);
	}
	call = new_zero(struct exec_call);
	call->rpc = r;
	call->exec = exec_sync(c, &cmd, in->timeout * 1000, on_exec_done, call);
	rpc_on_gone(r, on_client_gone, call);
}
