/* logs.c - crisp logs: what a container has printed, and with -f what it prints until it ends.
 *
 * Waits on: the log, and with -f ContainerStatus four times a second. */
#include "api.pb-c.h"
#include "handlers/cli/command.h"
#include "handlers/cli/find.h"
#include "handlers/cli/log.h"
#include "reactor/list.h"
#include "reactor/loop.h"

enum { POLL_MS = 250 };

struct logs {
	struct cli *cli;
	const char *id;
	struct cli_log *log;
	struct cli_call *call;
	struct timer timer;
	struct err err; /* OK: none */
};

static void on_grew(void *arg)
{
	(void)arg;
}

static void on_deaf(void *arg)
{
	(void)arg;
	loop_stop();
}

static void on_done(void *arg, const struct err *e)
{
	struct logs *l = arg;

	if (e)
		l->err = *e;
	loop_stop();
}

static void on_poll(struct timer *t);

/* Its log is complete when it has ended, or is gone. */
static void on_status(void *arg, const struct err *e, const void *response)
{
	const Runtime__V1__ContainerStatusResponse *answer = response;
	struct logs *l = arg;
	bool away = e && e->code == ERR_UNAVAILABLE;

	l->call = NULL;
	if (away || (!e && answer->status && answer->status->state <= RUNTIME__V1__CONTAINER_STATE__CONTAINER_RUNNING))
		timer_set(&l->timer, POLL_MS, on_poll);
	else
		cli_log_finish(l->log, on_done);
}

static void on_poll(struct timer *t)
{
	struct logs *l = container_of(t, struct logs, timer);
	Runtime__V1__ContainerStatusRequest request = RUNTIME__V1__CONTAINER_STATUS_REQUEST__INIT;

	request.container_id = (char *)l->id;
	l->call = cli_call_start(l->cli, "ContainerStatus", &request, on_status, l);
}

static const char *log_path(struct cli *c, const char *word, const char **id, struct err *e)
{
	Runtime__V1__ContainerStatusRequest request = RUNTIME__V1__CONTAINER_STATUS_REQUEST__INIT;
	Runtime__V1__ContainerStatusResponse *answer;
	Runtime__V1__Container *found = cli_find_container(c, word, e);

	if (!found)
		return NULL;
	*id = request.container_id = found->id;
	answer = cli_call(c, "ContainerStatus", &request, e);
	if (!answer)
		return NULL;
	if (answer->status && *answer->status->log_path)
		return answer->status->log_path;
	err_set(e, ERR_FAILED_PRECONDITION, "it was made without a log");
	return NULL;
}

static int logs(struct cli *c, const struct cli_args *args)
{
	struct cli_log_events events = { on_grew, on_deaf, NULL };
	const char *word = args->operands.at[0];
	struct logs l = { .cli = c };
	const char *path;
	struct err e;

	path = log_path(c, word, &l.id, &e);
	events.arg = &l;
	l.log = path ? cli_log_start(path, &events, &e) : NULL;
	if (!l.log)
		return cli_fail(c, &e, "logs %s", word);
	if (cli_args_flag(args, "follow"))
		on_poll(&l.timer);
	else
		cli_log_finish(l.log, on_done);
	loop_run();
	if (l.call)
		cli_call_cancel(l.call);
	cli_log_free(l.log);
	return l.err.code == ERR_OK ? 0 : cli_fail(c, &l.err, "logs %s", word);
}

static const struct cli_option logs_options[] = {
	{ "follow", 'f', NULL, "go on until the container ends" },
	{ 0 },
};

const struct cli_command cli_logs = {
	.name = "logs",
	.operands = "CONTAINER",
	.summary = "print what a container has written",
	.options = logs_options,
	.least = 1,
	.most = 1,
	.run = logs,
	.more = "stdout goes to stdout and stderr to stderr, in the order in which they were\n"
		"written. The log file must be readable here. Rotated files are not looked for.\n\n"
		"Examples:\n"
		"  crisp logs web\n"
		"  crisp logs -f 3fa85f6457c7 2>/dev/null\n",
};
