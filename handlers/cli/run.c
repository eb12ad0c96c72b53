/* run.c - the command run: pulls an image, runs a container of it in a pod of its own, and removes both.
 *
 *   LOOK --not here--> PULL --> POD --> CREATE --> START --> RUN --exited--> STOP --> REMOVE --> DRAIN --> DONE
 *     |                 |        ^ |      |          |                        ^
 *     +------ here -----|--------+ |      +----------+-- failed, signal ------+
 *                       +----------+--failed, signal--> DONE               --keep: RUN --exited--> DRAIN
 *                                                                          --detach: RUN --it runs--> DRAIN
 *
 * Waits on: the call of the state. In RUN this is ContainerStatus, repeated after 20 ms; the interval doubles up to 250
 * ms and is 20 ms again when the log grows. The log is copied beside it from START on; DRAIN waits for its end.
 * Signals: the first makes RUN call StopContainer with 10 s of grace, the second with 0; the third gives up. A signal
 * in LOOK or PULL ends the command at once. In POD, CREATE and START the call is awaited, because the daemon completes
 * it even when the client leaves, and then STOP follows. When the daemon has answered before and a call fails with
 * UNAVAILABLE, the call is repeated for 30 s: the daemon may be restarting while containers run. All calls but
 * PullImage may be repeated. */
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "api.pb-c.h"
#include "handlers/cli/command.h"
#include "handlers/cli/log_copy.h"
#include "handlers/cli/pull.h"
#include "handlers/cli/remote_end.h"
#include "handlers/cli/run_attach.h"
#include "handlers/cli/run_config.h"
#include "handlers/cli/run_times.h"
#include "reactor/list.h"
#include "reactor/loop.h"
#include "reactor/own.h"
#include "reactor/sm.h"

enum { POLL_LEAST_MS = 20, POLL_MOST_MS = 250, RETRY_MS = 100, GRACE_S = 10, SIGNALS_END = 3 };
static const int64_t PATIENCE_NS = 30ll * 1000000000;

enum state { LOOK, PULL, POD, CREATE, START, RUN, STOP, REMOVE, DRAIN, DONE };

static const struct sm_state states[] = {
	[LOOK]   = { "LOOK",   TO(PULL) | TO(POD) | TO(DONE) },
	[PULL]   = { "PULL",   TO(POD) | TO(DONE) },
	[POD]    = { "POD",    TO(CREATE) | TO(STOP) | TO(DONE) },
	[CREATE] = { "CREATE", TO(START) | TO(STOP) },
	[START]  = { "START",  TO(RUN) | TO(STOP) },
	[RUN]    = { "RUN",    TO(STOP) | TO(DRAIN) | TO(DONE) },
	[STOP]   = { "STOP",   TO(REMOVE) | TO(DONE) },
	[REMOVE] = { "REMOVE", TO(DRAIN) | TO(DONE) },
	[DRAIN]  = { "DRAIN",  TO(DONE) },
	[DONE]   = { "DONE",   0 },
};

struct run {
	struct sm sm;
	struct cli *cli;
	struct cli_run_config config;
	struct cli_run_times times;
	const char *image_ref, *pod_id, *container_id;
	struct cli_call *call;  /* of the state */
	struct cli_call *stop;  /* StopContainer, while RUN polls */
	struct cli_pull *pull;
	struct cli_log_copy *log; /* from START on, but not with --detach */
	struct cli_run_attach *attach; /* -i: from RUN on */
	struct timer timer;     /* RUN: the next poll; other states: the next try of the call */
	struct timer stop_timer;
	struct signal_watch on_int, on_term, on_hup;
	int64_t answered_ns;    /* when the daemon last answered; 0: never */
	int64_t polled_ns;
	int poll_ms;
	bool unsure;            /* StartContainer was repeated: the first try may have succeeded */
	struct err start_err;   /* of the repeated try */
	int signals, signum;
	bool deaf;              /* the reader of stdout or stderr is gone: the container is killed */
	bool kept;              /* --keep was given, and the container has run */
	int exit_code;
};

static void run_step(struct run *r, enum state next);

/* ---- ends ---- */

static void run_end(struct run *r)
{
	sm_move(&r->sm, DONE);
	timer_clear(&r->timer);
	timer_clear(&r->stop_timer);
	loop_stop();
}

/* RUN is over. */
static void run_leave(struct run *r)
{
	r->kept = r->config.keep;
	run_step(r, r->kept ? DRAIN : STOP);
}

/* Prints the error, and goes to the state that undoes what was made. */
static void run_fail(struct run *r, const char *what, const struct err *e)
{
	cli_fail(r->cli, e, "%s %s", what, r->config.image);
	r->exit_code = r->sm.now == CREATE || r->sm.now == START || r->unsure ? cli_refused_code(e) : r->cli->failure;
	switch (r->sm.now) {
	case CREATE:
	case START: return run_step(r, STOP);
	case RUN: return run_leave(r);
	case STOP: return run_step(r, REMOVE);
	case REMOVE: return run_step(r, DRAIN);
	default: return run_end(r);
	}
}

static void on_run_retry(struct timer *t)
{
	struct run *r = container_of(t, struct run, timer);

	run_step(r, (enum state)r->sm.now);
}

/* true: the daemon did not answer, and the state's call will be repeated. */
static bool run_repeat(struct run *r, const struct err *e)
{
	int64_t now = loop_mono_ns();

	r->call = NULL;
	if (!e || e->code != ERR_UNAVAILABLE) {
		r->answered_ns = now;
		return false;
	}
	if (!r->answered_ns || now - r->answered_ns > PATIENCE_NS)
		return false;
	timer_set(&r->timer, RETRY_MS, on_run_retry);
	return true;
}

/* A call before RUN has succeeded. After a signal the next state is not entered. */
static void run_go_on(struct run *r, enum state next)
{
	if (!r->signals)
		return run_step(r, next);
	r->exit_code = 128 + r->signum;
	if (r->pod_id)
		run_step(r, STOP);
	else
		run_end(r);
}

/* ---- LOOK, PULL ---- */

static void on_run_looked(void *arg, const struct err *e, const void *response)
{
	const Runtime__V1__ImageStatusResponse *status = response;
	struct run *r = arg;
	struct err missing;

	if (run_repeat(r, e))
		return;
	if (e)
		return run_fail(r, "find", e);
	if (!status->image && r->config.pull == CLI_PULL_NEVER) {
		err_set(&missing, ERR_NOT_FOUND, "the image is not on this node and --pull never was given");
		return run_fail(r, "find", &missing);
	}
	if (!status->image)
		return run_go_on(r, PULL);
	r->image_ref = arena_strdup(r->cli->arena, status->image->id);
	cli_run_times_end_of(&r->times, CLI_RUN_PULL);
	run_go_on(r, POD);
}

static void run_look(struct run *r)
{
	Runtime__V1__ImageStatusRequest request = RUNTIME__V1__IMAGE_STATUS_REQUEST__INIT;
	Runtime__V1__ImageSpec spec = RUNTIME__V1__IMAGE_SPEC__INIT;

	spec.image = (char *)r->config.image;
	request.image = &spec;
	r->call = cli_call_start(r->cli, "ImageStatus", &request, on_run_looked, r);
}

static void on_run_pulled(void *arg, const struct err *e, const char *image_ref)
{
	struct run *r = arg;

	r->pull = NULL;
	if (e) /* not repeated: UNAVAILABLE may mean that the registry does not answer */
		return run_fail(r, "pull", e);
	r->image_ref = image_ref;
	cli_run_times_end_of(&r->times, CLI_RUN_PULL);
	run_go_on(r, POD);
}

/* ---- POD, CREATE, START ---- */

static void on_run_pod(void *arg, const struct err *e, const void *response)
{
	const Runtime__V1__RunPodSandboxResponse *answer = response;
	struct run *r = arg;

	if (run_repeat(r, e))
		return;
	if (e)
		return run_fail(r, "run a pod for", e);
	r->pod_id = arena_strdup(r->cli->arena, answer->pod_sandbox_id);
	cli_run_times_end_of(&r->times, CLI_RUN_POD);
	run_go_on(r, CREATE);
}

static void run_make_pod(struct run *r)
{
	Runtime__V1__RunPodSandboxRequest request = RUNTIME__V1__RUN_POD_SANDBOX_REQUEST__INIT;

	request.config = cli_run_config_pod(&r->config, r->cli->arena);
	request.runtime_handler = (char *)r->config.runtime;
	r->call = cli_call_start(r->cli, "RunPodSandbox", &request, on_run_pod, r);
}

static void on_run_created(void *arg, const struct err *e, const void *response)
{
	const Runtime__V1__CreateContainerResponse *answer = response;
	struct run *r = arg;

	if (run_repeat(r, e))
		return;
	if (e)
		return run_fail(r, "create", e);
	r->container_id = arena_strdup(r->cli->arena, answer->container_id);
	cli_run_times_end_of(&r->times, CLI_RUN_CREATE);
	run_go_on(r, START);
}

static void run_create(struct run *r)
{
	Runtime__V1__CreateContainerRequest request = RUNTIME__V1__CREATE_CONTAINER_REQUEST__INIT;

	request.pod_sandbox_id = (char *)r->pod_id;
	request.config = cli_run_config_container(&r->config, r->image_ref, r->cli->arena);
	request.sandbox_config = cli_run_config_pod(&r->config, r->cli->arena);
	r->call = cli_call_start(r->cli, "CreateContainer", &request, on_run_created, r);
}

static void run_send_stop(struct run *r);

static void on_run_started(void *arg, const struct err *e, const void *response)
{
	struct run *r = arg;

	(void)response;
	if (run_repeat(r, e)) {
		r->unsure = true;
		return;
	}
	if (e && !r->unsure)
		return run_fail(r, "start", e);
	if (e) /* the first try may have succeeded: ContainerStatus in RUN decides */
		r->start_err = *e;
	cli_run_times_end_of(&r->times, CLI_RUN_START);
	run_step(r, RUN);
	if (r->config.input && !r->config.detach)
		r->attach = cli_run_attach_start(r->cli, r->container_id, r->config.tty);
	if (r->signals || r->deaf)
		run_send_stop(r);
}

static void on_run_log_grew(void *arg);
static void on_run_log_deaf(void *arg);

static void run_start(struct run *r)
{
	Runtime__V1__StartContainerRequest request = RUNTIME__V1__START_CONTAINER_REQUEST__INIT;
	struct cli_log_copy_events events = { on_run_log_grew, on_run_log_deaf, r };
	struct err e;

	if (!r->log && !r->config.detach)
		r->log = cli_log_copy_start(arena_printf(r->cli->arena, "%s/%s.log", r->config.log_dir, r->config.name),
				       &events, &e);
	if (!r->log && !r->config.detach)
		return run_fail(r, "follow the log of", &e);
	cli_run_times_starting(&r->times);
	request.container_id = (char *)r->container_id;
	r->call = cli_call_start(r->cli, "StartContainer", &request, on_run_started, r);
}

/* ---- RUN ---- */

static void on_run_poll(struct timer *t)
{
	struct run *r = container_of(t, struct run, timer);

	run_step(r, RUN);
}

/* A container often writes its last lines just before it exits, so ContainerStatus is called soon. */
static void on_run_log_grew(void *arg)
{
	struct run *r = arg;
	int64_t since_ms = (loop_mono_ns() - r->polled_ns) / 1000000;

	cli_run_times_first_byte(&r->times);
	r->poll_ms = POLL_LEAST_MS;
	if (r->sm.now == RUN && !r->call)
		timer_set(&r->timer, since_ms >= POLL_LEAST_MS ? 0 : POLL_LEAST_MS - since_ms, on_run_poll);
}

static void run_exited(struct run *r, const Runtime__V1__ContainerStatus *s)
{
	r->exit_code = s->state == RUNTIME__V1__CONTAINER_STATE__CONTAINER_EXITED ? s->exit_code & 255 : 255;
	cli_run_times_end_of(&r->times, CLI_RUN_RUN);
	if (*s->reason && strcmp(s->reason, "Completed") != 0 && strcmp(s->reason, "Error") != 0)
		fprintf(stderr, "crisp: %s: %s%s%s\n", r->config.image, s->reason, *s->message ? ": " : "", s->message);
	run_leave(r);
}

static void on_run_status(void *arg, const struct err *e, const void *response)
{
	const Runtime__V1__ContainerStatusResponse *answer = response;
	struct run *r = arg;

	if (run_repeat(r, e))
		return;
	if (e)
		return run_fail(r, "get the status of", e);
	if (answer->status && answer->status->state == RUNTIME__V1__CONTAINER_STATE__CONTAINER_CREATED && r->unsure)
		return run_fail(r, "start", &r->start_err);
	if (r->config.detach)
		return run_leave(r);
	if (answer->status && answer->status->state > RUNTIME__V1__CONTAINER_STATE__CONTAINER_RUNNING)
		return run_exited(r, answer->status);
	r->polled_ns = loop_mono_ns();
	timer_set(&r->timer, r->poll_ms, on_run_poll);
	r->poll_ms = r->poll_ms * 2 < POLL_MOST_MS ? r->poll_ms * 2 : POLL_MOST_MS;
}

static void run_ask_status(struct run *r)
{
	Runtime__V1__ContainerStatusRequest request = RUNTIME__V1__CONTAINER_STATUS_REQUEST__INIT;

	request.container_id = (char *)r->container_id;
	r->call = cli_call_start(r->cli, "ContainerStatus", &request, on_run_status, r);
}

static void on_run_stop_again(struct timer *t)
{
	run_send_stop(container_of(t, struct run, stop_timer));
}

/* Success needs no action: ContainerStatus reports the exit. */
static void on_run_stopped(void *arg, const struct err *e, const void *response)
{
	struct run *r = arg;

	(void)response;
	r->stop = NULL;
	if (!e || r->sm.now != RUN)
		return;
	if (e->code == ERR_UNAVAILABLE)
		return timer_set(&r->stop_timer, RETRY_MS, on_run_stop_again);
	cli_fail(r->cli, e, "stop %s", r->config.image);
}

/* A second signal replaces the running call by one with a shorter grace. */
static void run_send_stop(struct run *r)
{
	Runtime__V1__StopContainerRequest request = RUNTIME__V1__STOP_CONTAINER_REQUEST__INIT;

	if (r->stop)
		cli_call_cancel(r->stop);
	request.container_id = (char *)r->container_id;
	request.timeout = r->signals > 1 || r->deaf ? 0 : GRACE_S;
	r->stop = cli_call_start(r->cli, "StopContainer", &request, on_run_stopped, r);
}

/* A program whose reader is gone dies of SIGPIPE; here the container is killed. */
static void on_run_log_deaf(void *arg)
{
	struct run *r = arg;

	r->deaf = true;
	if (r->sm.now == RUN)
		run_send_stop(r);
}

/* ---- STOP, REMOVE, DRAIN ---- */

static void on_run_pod_stopped(void *arg, const struct err *e, const void *response)
{
	struct run *r = arg;

	(void)response;
	if (run_repeat(r, e))
		return;
	if (e)
		return run_fail(r, "stop the pod of", e);
	run_step(r, REMOVE);
}

static void run_stop_pod(struct run *r)
{
	Runtime__V1__StopPodSandboxRequest request = RUNTIME__V1__STOP_POD_SANDBOX_REQUEST__INIT;

	request.pod_sandbox_id = (char *)r->pod_id;
	r->call = cli_call_start(r->cli, "StopPodSandbox", &request, on_run_pod_stopped, r);
}

static void on_run_removed(void *arg, const struct err *e, const void *response)
{
	struct run *r = arg;

	(void)response;
	if (run_repeat(r, e))
		return;
	if (e)
		return run_fail(r, "remove the pod of", e);
	cli_run_times_end_of(&r->times, CLI_RUN_REMOVE);
	run_step(r, DRAIN);
}

static void run_remove_pod(struct run *r)
{
	Runtime__V1__RemovePodSandboxRequest request = RUNTIME__V1__REMOVE_POD_SANDBOX_REQUEST__INIT;

	request.pod_sandbox_id = (char *)r->pod_id;
	r->call = cli_call_start(r->cli, "RemovePodSandbox", &request, on_run_removed, r);
}

static void on_run_drained(void *arg, const struct err *e)
{
	struct run *r = arg;

	if (e)
		return run_fail(r, "read the log of", e);
	run_end(r);
}

/* Enters a state, or makes the call of the present state again. */
static void run_step(struct run *r, enum state next)
{
	if (next != (enum state)r->sm.now)
		sm_move(&r->sm, (int)next);
	switch (next) {
	case LOOK: return run_look(r);
	case PULL: r->pull = cli_pull_start(r->cli, r->config.image, r->config.creds, on_run_pulled, r); return;
	case POD: return run_make_pod(r);
	case CREATE: return run_create(r);
	case START: return run_start(r);
	case RUN: return run_ask_status(r);
	case STOP: return run_stop_pod(r);
	case REMOVE: return run_remove_pod(r);
	case DRAIN: return r->log ? cli_log_copy_finish(r->log, on_run_drained) : run_end(r);
	case DONE: return;
	}
}

/* ---- signals ---- */

static void run_interrupted(struct run *r, int signum)
{
	r->signum = signum;
	if (++r->signals >= SIGNALS_END) {
		if (r->pod_id && r->sm.now < DRAIN)
			fprintf(stderr, "crisp: gave up; `crisp rm -f %s` removes what is left\n", r->pod_id);
		r->exit_code = 128 + signum;
		return run_end(r);
	}
	if (r->sm.now == RUN)
		return run_send_stop(r);
	if (r->sm.now > PULL && r->sm.now != DRAIN)
		return;
	if (r->sm.now <= PULL)
		r->exit_code = 128 + signum;
	run_end(r);
}

static void on_int(struct signal_watch *w)
{
	run_interrupted(container_of(w, struct run, on_int), SIGINT);
}

static void on_term(struct signal_watch *w)
{
	run_interrupted(container_of(w, struct run, on_term), SIGTERM);
}

static void on_hup(struct signal_watch *w)
{
	run_interrupted(container_of(w, struct run, on_hup), SIGHUP);
}

/* ---- the command ---- */

static void run_begin(struct run *r)
{
	signal_watch_set(&r->on_int, SIGINT, on_int);
	signal_watch_set(&r->on_term, SIGTERM, on_term);
	signal_watch_set(&r->on_hup, SIGHUP, on_hup);
	cli_run_times_begin(&r->times);
	r->sm.now = r->config.pull == CLI_PULL_ALWAYS ? PULL : LOOK;
	run_step(r, (enum state)r->sm.now);
}

static void run_clean(struct run *r)
{
	signal_watch_clear(&r->on_int);
	signal_watch_clear(&r->on_term);
	signal_watch_clear(&r->on_hup);
	if (r->call)
		cli_call_cancel(r->call);
	if (r->stop)
		cli_call_cancel(r->stop);
	if (r->pull)
		cli_pull_cancel(r->pull);
	if (r->log)
		cli_log_copy_free(r->log);
	if (r->attach)
		cli_run_attach_free(r->attach);
	if (!r->kept)
		cli_run_config_free(&r->config);
}

static int run(struct cli *c, const struct cli_args *args)
{
	struct run r = { .sm = { states, "run", "", LOOK }, .cli = c, .poll_ms = POLL_LEAST_MS };
	struct err e;

	if (cli_run_config_read(&r.config, args, c->arena, &e) < 0)
		return e.code == ERR_INVALID_ARGUMENT ? cli_misuse("run", e.msg) : cli_fail(c, &e, "run");
	run_begin(&r);
	loop_run();
	run_clean(&r);
	if (r.kept && r.config.detach)
		puts(r.container_id);
	else if (r.kept)
		fprintf(stderr, "crisp: kept pod %s, container %s, log %s/%s.log\n", r.pod_id, r.container_id,
			r.config.log_dir, r.config.name);
	if (r.config.verbose)
		cli_run_times_print(&r.times, c->json);
	return r.exit_code;
}

const struct cli_command cli_run = {
	.name = "run",
	.operands = "IMAGE [COMMAND [ARGUMENT...]]",
	.summary = "run a container in a pod of its own and follow its output",
	.options = cli_run_options,
	.least = 1,
	.most = -1,
	.tail = true,
	.failure = 125,
	.run = run,
	.more = "Pulls the image if it is not on this node, makes a pod and a container, copies the\n"
		"container's output to stdout and stderr, removes pod, container and log, and exits\n"
		"with the container's exit code. 125 is a failure of crisp itself. Ctrl-C stops the\n"
		"container with 10 seconds of grace; a second Ctrl-C kills the container; a third\n"
		"ends crisp and leaves pod and container as they are. With -it they are keys of the\n"
		"container's terminal. 126 and 127: the command cannot be executed, or is not there.\n\n"
		"Examples:\n"
		"  crisp run busybox echo hello\n"
		"  crisp run -it -v $PWD:/src:ro busybox sh\n"
		"  crisp run -d --name web -p 8080:80 registry.example/web\n"
		"  crisp run --verbose --runtime crun -e GREETING=hi busybox sh -c 'echo $GREETING'\n",
};
