/* exec_rpc.c - ExecSync, and the RPCs that answer with a URL of the streaming server.
 *
 * Spec: CRI v1 RuntimeService.ExecSync, Exec, Attach, PortForward. */
#include "api.pb-c.h"
#include "handlers/convert.h"
#include "handlers/services.h"
#include "handlers/stream.h"
#include "procs/exec.h"
#include "reactor/own.h"

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

/* No client waits for the output any more, so the process tree is killed. */
static void on_exec_client_gone(void *arg)
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
	if (!in->n_cmd || in->timeout < 0) {
		err_set(&e, ERR_INVALID_ARGUMENT, "%s", in->n_cmd ? "timeout is negative" : "cmd is empty");
		return rpc_fail(r, &e);
	}
	call = new_zero(struct exec_call);
	call->rpc = r;
	call->exec = exec_sync(c, &cmd, convert_seconds(in->timeout), on_exec_done, call);
	rpc_on_gone(r, on_exec_client_gone, call);
}

/* ---- URLs ---- */

/* A terminal has one stream for all output, so tty excludes stderr. At least one stream must be asked for. */
static bool check_want(struct rpc *r, const struct stdio_want *want)
{
	struct err e;

	if ((want->in || want->out || want->err) && !(want->tty && want->err))
		return true;
	err_set(&e, ERR_INVALID_ARGUMENT,
		want->tty && want->err ? "tty and stderr exclude each other"
				       : "none of stdin, stdout and stderr is set");
	rpc_fail(r, &e);
	return false;
}

static bool check_running(struct rpc *r, const struct container *c)
{
	struct err e;

	if (c->state == CONTAINER_RUNNING)
		return true;
	err_set(&e, ERR_FAILED_PRECONDITION, "container %.12s is not running", c->id);
	rpc_fail(r, &e);
	return false;
}

/* response: of any of the three types; url: the field in it. */
static void reply_url(struct rpc *r, const struct stream_request *request, void *response, char **url)
{
	struct err e;

	*url = (char *)stream_url(request, rpc_arena(r), &e);
	if (*url)
		rpc_reply(r, response);
	else
		rpc_fail(r, &e);
}

void rpc_exec(struct rpc *r, const void *request)
{
	Runtime__V1__ExecResponse out = RUNTIME__V1__EXEC_RESPONSE__INIT;
	const Runtime__V1__ExecRequest *in = request;
	struct stream_request wanted = {
		.kind = STREAM_EXEC,
		.cmd = { (const char **)in->cmd, in->n_cmd },
		.want = { in->stdin, in->stdout, in->stderr, in->tty },
	};
	struct container *c = rpc_container(r, in->container_id);
	struct err e;

	if (!c || !check_want(r, &wanted.want))
		return;
	if (!in->n_cmd) {
		err_set(&e, ERR_INVALID_ARGUMENT, "cmd is empty");
		return rpc_fail(r, &e);
	}
	if (!check_running(r, c))
		return;
	wanted.id = c->id;
	reply_url(r, &wanted, &out, &out.url);
}

void rpc_attach(struct rpc *r, const void *request)
{
	Runtime__V1__AttachResponse out = RUNTIME__V1__ATTACH_RESPONSE__INIT;
	const Runtime__V1__AttachRequest *in = request;
	struct stream_request wanted = { .kind = STREAM_ATTACH,
					 .want = { in->stdin, in->stdout, in->stderr, in->tty } };
	struct container *c = rpc_container(r, in->container_id);

	if (!c || !check_want(r, &wanted.want) || !check_running(r, c))
		return;
	wanted.id = c->id;
	reply_url(r, &wanted, &out, &out.url);
}

void rpc_port_forward(struct rpc *r, const void *request)
{
	Runtime__V1__PortForwardResponse out = RUNTIME__V1__PORT_FORWARD_RESPONSE__INIT;
	const Runtime__V1__PortForwardRequest *in = request;
	struct stream_request wanted = { .kind = STREAM_PORT_FORWARD };
	const struct sandbox *s = rpc_sandbox(r, in->pod_sandbox_id);
	struct err e;

	if (!s)
		return;
	if (s->state != SANDBOX_READY) {
		err_set(&e, ERR_FAILED_PRECONDITION, "sandbox %.12s is not ready", s->id);
		return rpc_fail(r, &e);
	}
	wanted.id = s->id;
	wanted.ports.at = arena_zalloc(rpc_arena(r), (in->n_port + 1) * sizeof(*wanted.ports.at));
	for (; wanted.ports.n < in->n_port; wanted.ports.n++) {
		if (in->port[wanted.ports.n] < 1 || in->port[wanted.ports.n] > 65535) {
			err_set(&e, ERR_INVALID_ARGUMENT, "port %d is not in 1..65535", in->port[wanted.ports.n]);
			return rpc_fail(r, &e);
		}
		wanted.ports.at[wanted.ports.n] = in->port[wanted.ports.n];
	}
	reply_url(r, &wanted, &out, &out.url);
}
