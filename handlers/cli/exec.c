/* exec.c - the command exec: a further command in a container, with its streams (remote.h).
 *
 * With --json or --timeout it is one ExecSync: the runtime ends the command after the time, and hands over at most 16
 * MiB less 64 KiB of output. Signals: the first SIGTERM or SIGHUP, and SIGINT where the terminal is raw, restores the
 * terminal and ends crisp. */
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "api.pb-c.h"
#include "handlers/cli/command.h"
#include "handlers/cli/find.h"
#include "handlers/cli/remote.h"
#include "handlers/cli/remote_end.h"
#include "reactor/list.h"
#include "reactor/loop.h"

/* What crispd and containerd put into one answer at most; both cut what is over it, and do not say so. */
enum { SYNC_OUTPUT_MAX = (16 << 20) - (64 << 10) };

struct exec {
	struct cli_remote *remote;
	struct signal_watch on_term, on_hup, on_int;
	struct err err; /* OK: none */
	int code;
};

static int exec_refused(const struct cli *c, const char *word, const struct err *e)
{
	cli_fail(c, e, "exec %s", word);
	return cli_refused_code(e);
}

/* ---- ExecSync ---- */

static void write_output(FILE *f, const ProtobufCBinaryData *data)
{
	if (data->len > 0)
		fwrite(data->data, 1, data->len, f);
	fflush(f);
}

static int exec_sync(struct cli *c, const struct cli_args *args, const char *id)
{
	Runtime__V1__ExecSyncRequest request = RUNTIME__V1__EXEC_SYNC_REQUEST__INIT;
	Runtime__V1__ExecSyncResponse *out;
	struct err e;

	request.container_id = (char *)id;
	request.n_cmd = args->operands.n - 1;
	request.cmd = (char **)args->operands.at + 1;
	out = cli_call(c, "ExecSync", &request, &e);
	if (!out)
		return exec_refused(c, args->operands.at[0], &e);
	if (c->json) {
		cli_print(out);
	} else {
		write_output(stdout, &out->stdout);
		write_output(stderr, &out->stderr);
	}
	if (out->stdout.len + out->stderr.len >= SYNC_OUTPUT_MAX)
		fprintf(stderr, "crisp: exec %s: the output was cut after %zu bytes; without --json and --timeout all "
				"of it comes\n", args->operands.at[0], out->stdout.len + out->stderr.len);
	return out->exit_code;
}

/* ---- with streams ---- */

static void on_exec_ready(void *arg)
{
	(void)arg;
}

static void on_exec_done(void *arg, const struct err *e, int code)
{
	struct exec *x = arg;

	if (e)
		x->err = *e;
	x->code = code;
	loop_stop();
}

static void exec_signal(struct exec *x, int signum)
{
	x->code = 128 + signum;
	loop_stop();
}

static void on_exec_term(struct signal_watch *w)
{
	exec_signal(container_of(w, struct exec, on_term), SIGTERM);
}

static void on_exec_hup(struct signal_watch *w)
{
	exec_signal(container_of(w, struct exec, on_hup), SIGHUP);
}

static void on_exec_int(struct signal_watch *w)
{
	exec_signal(container_of(w, struct exec, on_int), SIGINT);
}

static void exec_flow(struct exec *x)
{
	signal_watch_set(&x->on_term, SIGTERM, on_exec_term);
	signal_watch_set(&x->on_hup, SIGHUP, on_exec_hup);
	signal_watch_set(&x->on_int, SIGINT, on_exec_int);
	loop_run();
	signal_watch_clear(&x->on_term);
	signal_watch_clear(&x->on_hup);
	signal_watch_clear(&x->on_int);
	cli_remote_free(x->remote);
}

static int exec_streams(struct cli *c, const struct cli_args *args, const char *id)
{
	Runtime__V1__ExecRequest request = RUNTIME__V1__EXEC_REQUEST__INIT;
	bool tty = cli_args_flag(args, "tty"), in = cli_args_flag(args, "interactive");
	struct cli_remote_want want = { .in = in, .out = true, .err = !tty, .tty = tty };
	struct exec x = { .code = c->failure };
	struct cli_remote_events events = { on_exec_ready, on_exec_done, &x };
	Runtime__V1__ExecResponse *answer;
	struct err e;

	request.container_id = (char *)id;
	request.n_cmd = args->operands.n - 1;
	request.cmd = (char **)args->operands.at + 1;
	request.tty = want.tty;
	request.stdin = want.in;
	request.stdout = want.out;
	request.stderr = want.err;
	answer = cli_call(c, "Exec", &request, &e);
	if (!answer)
		return exec_refused(c, args->operands.at[0], &e);
	x.remote = cli_remote_start(answer->url, c->address, &want, &events, &e);
	if (!x.remote && e.code == ERR_UNIMPLEMENTED && !tty && !in) /* the stream server speaks TLS only */
		return exec_sync(c, args, id);
	if (!x.remote)
		return exec_refused(c, args->operands.at[0], &e);
	exec_flow(&x);
	if (x.err.code == ERR_CANCELLED) /* the reader of the output is gone: as a program that dies of SIGPIPE */
		return 128 + SIGPIPE;
	return x.err.code == ERR_OK ? x.code : exec_refused(c, args->operands.at[0], &x.err);
}

static int exec_(struct cli *c, const struct cli_args *args)
{
	bool whole = c->json || c->timeout_ms;
	Runtime__V1__Container *found;
	struct err e;

	if (whole && (cli_args_flag(args, "interactive") || cli_args_flag(args, "tty")))
		return cli_misuse("exec", "--json and --timeout go with neither -i nor -t");
	found = cli_find_container(c, args->operands.at[0], &e);
	if (!found)
		return cli_fail(c, &e, "exec %s", args->operands.at[0]);
	return whole ? exec_sync(c, args, found->id) : exec_streams(c, args, found->id);
}

static const struct cli_option exec_options[] = {
	{ "interactive", 'i', NULL, "the command gets stdin" },
	{ "tty", 't', NULL, "the command gets a terminal; with -i the keys go to it" },
	{ 0 },
};

const struct cli_command cli_exec = {
	.name = "exec",
	.operands = "CONTAINER COMMAND [ARGUMENT...]",
	.summary = "run a command in a container",
	.options = exec_options,
	.least = 2,
	.most = -1,
	.tail = true,
	.failure = 125,
	.run = exec_,
	.more = "The exit code is the command's; 127 when the container has no such program, 126 when\n"
		"it cannot be executed, 125 when crisp itself fails. --timeout and --json show the output\n"
		"when the command has ended, and at most 16 MiB of it; --timeout also ends the command.\n\n"
		"Examples:\n"
		"  crisp exec web cat /etc/hosts\n"
		"  crisp exec -it web sh\n"
		"  tar c . | crisp exec -i 3fa85f tar x -C /tmp\n",
};
