/* step.c - the commands runp, create, start, stop, stopp and rmp: one CRI call each, with crictl's JSON files. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "api.pb-c.h"
#include "handlers/cli/command.h"
#include "handlers/cli/find.h"
#include "handlers/cli/json.h"
#include "reactor/buf.h"
#include "reactor/own.h"

enum { FILE_MAX_BYTES = 8 << 20, STOP_GRACE_S = 10 };

/* path "-" is stdin. The message lives in c->arena. */
static void *load_message(struct cli *c, const ProtobufCMessageDescriptor *d, const char *path, struct err *e)
{
	auto_file FILE *f = strcmp(path, "-") == 0 ? fdopen(dup(STDIN_FILENO), "r") : fopen(path, "re");
	auto_json json_t *j = NULL;
	struct buf text = { 0 };
	ssize_t n = 1;
	void *m = NULL;

	if (!f) {
		err_os(e, ERR_INVALID_ARGUMENT, "open");
		return NULL;
	}
	while (n > 0 && text.len <= FILE_MAX_BYTES)
		n = buf_read(&text, fileno(f), 64 * 1024);
	if (n < 0)
		err_os(e, ERR_INVALID_ARGUMENT, "read");
	else if (n > 0)
		err_set(e, ERR_INVALID_ARGUMENT, "larger than 8 MiB");
	else
		j = json_parse_own(buf_str(&text), text.len, "JSON", e);
	if (j)
		m = cli_json_read(d, j, c->arena, e);
	if (!m)
		e->code = ERR_INVALID_ARGUMENT;
	buf_free(&text);
	return m;
}

static int runp(struct cli *c, const struct cli_args *args)
{
	Runtime__V1__RunPodSandboxRequest request = RUNTIME__V1__RUN_POD_SANDBOX_REQUEST__INIT;
	Runtime__V1__RunPodSandboxResponse *answer;
	const char *handler = cli_args_value(args, "runtime"), *path = args->operands.at[0];
	struct err e;

	request.config = load_message(c, &runtime__v1__pod_sandbox_config__descriptor, path, &e);
	if (!request.config)
		return cli_fail(c, &e, "runp %s", path);
	if (handler)
		request.runtime_handler = (char *)handler;
	answer = cli_call(c, "RunPodSandbox", &request, &e);
	if (!answer)
		return cli_fail(c, &e, "runp %s", path);
	puts(answer->pod_sandbox_id);
	return 0;
}

static const struct cli_option runp_options[] = {
	{ "runtime", 'r', "HANDLER", "the runtime handler of crisp-config(5) for the pod's containers" },
	{ 0 },
};

const struct cli_command cli_runp = {
	.name = "runp",
	.operands = "POD.json",
	.summary = "run a pod sandbox",
	.options = runp_options,
	.least = 1,
	.most = 1,
	.run = runp,
	.more = "The file is a PodSandboxConfig in crictl's form; - is standard input. Prints\n"
		"the pod's id.\n\n"
		"Example:\n"
		"  crisp runp pod.json\n",
};

static int step_create(struct cli *c, const struct cli_args *args)
{
	Runtime__V1__CreateContainerRequest request = RUNTIME__V1__CREATE_CONTAINER_REQUEST__INIT;
	Runtime__V1__CreateContainerResponse *answer;
	Runtime__V1__PodSandbox *pod;
	struct err e;

	pod = cli_find_pod(c, args->operands.at[0], &e);
	if (!pod)
		return cli_fail(c, &e, "create in %s", args->operands.at[0]);
	request.pod_sandbox_id = pod->id;
	request.config = load_message(c, &runtime__v1__container_config__descriptor, args->operands.at[1], &e);
	if (!request.config)
		return cli_fail(c, &e, "create %s", args->operands.at[1]);
	request.sandbox_config =
		load_message(c, &runtime__v1__pod_sandbox_config__descriptor, args->operands.at[2], &e);
	if (!request.sandbox_config)
		return cli_fail(c, &e, "create %s", args->operands.at[2]);
	answer = cli_call(c, "CreateContainer", &request, &e);
	if (!answer)
		return cli_fail(c, &e, "create %s", args->operands.at[1]);
	puts(answer->container_id);
	return 0;
}

const struct cli_command cli_create = {
	.name = "create",
	.operands = "POD CONTAINER.json POD.json",
	.summary = "create a container in a pod",
	.least = 3,
	.most = 3,
	.run = step_create,
	.more = "The files are a ContainerConfig and the PodSandboxConfig that the pod was made\n"
		"from. Prints the container's id.\n\n"
		"Example:\n"
		"  crisp create web ctr.json pod.json\n",
};

/* ---- calls whose request is an id ---- */

typedef int step(struct cli *c, const struct cli_args *args, const char *word, struct err *e);

static int step_each(struct cli *c, const struct cli_args *args, const char *name, step *one)
{
	int rc = 0;
	struct err e;

	for (size_t i = 0; i < args->operands.n; i++) {
		if (one(c, args, args->operands.at[i], &e) < 0)
			rc = cli_fail(c, &e, "%s %s", name, args->operands.at[i]);
		else
			puts(args->operands.at[i]);
	}
	return rc;
}

static int start_one(struct cli *c, const struct cli_args *args, const char *word, struct err *e)
{
	Runtime__V1__StartContainerRequest request = RUNTIME__V1__START_CONTAINER_REQUEST__INIT;
	Runtime__V1__Container *found = cli_find_container(c, word, e);

	(void)args;
	if (!found)
		return -1;
	request.container_id = found->id;
	return cli_call(c, "StartContainer", &request, e) ? 0 : -1;
}

static int step_start(struct cli *c, const struct cli_args *args)
{
	return step_each(c, args, "start", start_one);
}

const struct cli_command cli_start = {
	.name = "start",
	.operands = "CONTAINER...",
	.summary = "start containers that were created",
	.least = 1,
	.most = -1,
	.run = step_start,
	.more = "Example:\n"
		"  crisp start 3fa85f6457c7\n",
};

/* In seconds; -1: not a number. */
static int64_t stop_grace(const struct cli_args *args)
{
	const char *grace = cli_args_value(args, "grace");
	char *end;
	long long s = grace ? strtoll(grace, &end, 10) : STOP_GRACE_S;

	return grace && (*end || end == grace || s < 0 || s > 1 << 30) ? -1 : s;
}

static int stop_one(struct cli *c, const struct cli_args *args, const char *word, struct err *e)
{
	Runtime__V1__StopContainerRequest request = RUNTIME__V1__STOP_CONTAINER_REQUEST__INIT;
	Runtime__V1__Container *found = cli_find_container(c, word, e);

	if (!found)
		return -1;
	request.timeout = stop_grace(args);
	request.container_id = found->id;
	return cli_call(c, "StopContainer", &request, e) ? 0 : -1;
}

static int step_stop(struct cli *c, const struct cli_args *args)
{
	if (stop_grace(args) < 0)
		return cli_misuse("stop", "--grace: a number of seconds is expected");
	return step_each(c, args, "stop", stop_one);
}

static const struct cli_option stop_options[] = {
	{ "grace", 'g', "SECONDS", "time between the stop signal and SIGKILL; 10, and 0 kills at once" },
	{ 0 },
};

const struct cli_command cli_stop = {
	.name = "stop", .operands = "CONTAINER...", .summary = "stop containers", .options = stop_options,
	.least = 1, .most = -1, .run = step_stop,
	.more = "Examples:\n"
		"  crisp stop web\n"
		"  crisp stop --grace 0 web\n",
};

static int stopp_one(struct cli *c, const struct cli_args *args, const char *word, struct err *e)
{
	Runtime__V1__StopPodSandboxRequest request = RUNTIME__V1__STOP_POD_SANDBOX_REQUEST__INIT;
	Runtime__V1__PodSandbox *found = cli_find_pod(c, word, e);

	(void)args;
	if (!found)
		return -1;
	request.pod_sandbox_id = found->id;
	return cli_call(c, "StopPodSandbox", &request, e) ? 0 : -1;
}

static int stopp(struct cli *c, const struct cli_args *args)
{
	return step_each(c, args, "stopp", stopp_one);
}

const struct cli_command cli_stopp = {
	.name = "stopp",
	.operands = "POD...",
	.summary = "stop pods with all their containers",
	.least = 1,
	.most = -1,
	.run = stopp,
	.more = "Example:\n"
		"  crisp stopp web\n",
};

static int rmp_one(struct cli *c, const struct cli_args *args, const char *word, struct err *e)
{
	Runtime__V1__RemovePodSandboxRequest request = RUNTIME__V1__REMOVE_POD_SANDBOX_REQUEST__INIT;
	Runtime__V1__PodSandbox *found = cli_find_pod(c, word, e);

	(void)args;
	if (!found)
		return -1;
	request.pod_sandbox_id = found->id;
	return cli_call(c, "RemovePodSandbox", &request, e) ? 0 : -1;
}

static int rmp(struct cli *c, const struct cli_args *args)
{
	return step_each(c, args, "rmp", rmp_one);
}

const struct cli_command cli_rmp = {
	.name = "rmp",
	.operands = "POD...",
	.summary = "remove pods with all their containers",
	.least = 1,
	.most = -1,
	.run = rmp,
	.more = "A ready pod is stopped first. Logs stay.\n\n"
		"Example:\n"
		"  crisp rmp web\n",
};
