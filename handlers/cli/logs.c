/* logs.c - the command logs: prints a container's log; with -f it follows the log until the container ends.
 *
 * Waits on: the log (log_copy.h), and with -f on ContainerStatus, called four times a second. */
#include <stdlib.h>
#include <string.h>

#include "api.pb-c.h"
#include "handlers/cli/command.h"
#include "handlers/cli/find.h"
#include "handlers/cli/log_copy.h"
#include "handlers/cli/log_time.h"
#include "reactor/list.h"
#include "reactor/loop.h"

enum { POLL_MS = 250 };

struct logs {
	struct cli *cli;
	const char *id;
	struct cli_log_copy *log;
	struct cli_call *call;
	struct timer timer;
	struct err err; /* OK: none */
};

static void on_logs_grew(void *arg)
{
	(void)arg;
}

static void on_logs_deaf(void *arg)
{
	(void)arg;
	loop_stop();
}

static void on_logs_done(void *arg, const struct err *e)
{
	struct logs *l = arg;

	if (e)
		l->err = *e;
	loop_stop();
}

static void on_logs_poll(struct timer *t);

/* The log is complete when the container has exited or was removed. */
static void on_logs_status(void *arg, const struct err *e, const void *response)
{
	const Runtime__V1__ContainerStatusResponse *answer = response;
	struct logs *l = arg;
	bool away = e && e->code == ERR_UNAVAILABLE; /* the daemon may be restarting */

	l->call = NULL;
	if (away || (!e && answer->status && answer->status->state <= RUNTIME__V1__CONTAINER_STATE__CONTAINER_RUNNING))
		timer_set(&l->timer, POLL_MS, on_logs_poll);
	else
		cli_log_copy_finish(l->log, on_logs_done);
}

static void on_logs_poll(struct timer *t)
{
	struct logs *l = container_of(t, struct logs, timer);
	Runtime__V1__ContainerStatusRequest request = RUNTIME__V1__CONTAINER_STATUS_REQUEST__INIT;

	request.container_id = (char *)l->id;
	l->call = cli_call_start(l->cli, "ContainerStatus", &request, on_logs_status, l);
}

static const char *logs_path(struct cli *c, const char *word, const char **id, struct err *e)
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
	err_set(e, ERR_FAILED_PRECONDITION, "the container was made without a log");
	return NULL;
}

/* false: not a number of lines. */
static bool logs_tail(const struct cli_args *args, int64_t *tail)
{
	const char *word = cli_args_value(args, "tail");
	char *end;

	*tail = word && strcmp(word, "all") != 0 ? strtoll(word, &end, 10) : -1;
	return *tail >= 0 ? !*end && end != word : !word || strcmp(word, "all") == 0;
}

static int logs(struct cli *c, const struct cli_args *args)
{
	struct cli_log_copy_events events = { on_logs_grew, on_logs_deaf, NULL };
	const char *since = cli_args_value(args, "since");
	int64_t tail, since_ns = since ? cli_log_since(since, loop_real_ns()) : 0;
	const char *word = args->operands.at[0];
	struct logs l = { .cli = c };
	const char *path;
	struct err e;

	if (!logs_tail(args, &tail))
		return cli_misuse("logs", "--tail: a number of lines is expected");
	if (since_ns < 0)
		return cli_misuse("logs",
				  "--since: a time of RFC 3339 or a duration such as 90s, 10m, 1h30m is expected");
	path = logs_path(c, word, &l.id, &e);
	events.arg = &l;
	l.log = path ? cli_log_copy_start(path, &events, &e) : NULL;
	if (!l.log)
		return cli_fail(c, &e, "logs %s", word);
	cli_log_copy_from(l.log, tail, since_ns);
	if (cli_args_flag(args, "follow"))
		on_logs_poll(&l.timer);
	else
		cli_log_copy_finish(l.log, on_logs_done);
	loop_run();
	if (l.call)
		cli_call_cancel(l.call);
	cli_log_copy_free(l.log);
	return l.err.code == ERR_OK ? 0 : cli_fail(c, &l.err, "logs %s", word);
}

static const struct cli_option logs_options[] = {
	{ "follow", 'f', NULL, "go on until the container ends" },
	{ "tail", 'n', "LINES", "only the last lines, and with -f what comes after them" },
	{ "since", 0, "TIME", "only lines from this time on: RFC 3339, or how long ago (90s, 10m, 1h30m, 2d)" },
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
		"  crisp logs -f --tail 20 --since 10m default/web\n"
		"  crisp logs -f 3fa85f6457c7 2>/dev/null\n",
};
