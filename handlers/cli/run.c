/* run.c - crisp run: from an image's name to the exit code of its container, with nothing left behind.
 *
 *   LOOK --not here--> PULL --> POD --> CREATE --> START --> RUN --exited--> STOP --> REMOVE --> DRAIN --> DONE
 *     |                 |        ^ |      |          |                        ^
 *     +------ here -----|--------+ |      +----------+-- failed, signal ------+
 *                       +----------+--failed, signal--> DONE               --keep: RUN --exited--> DRAIN
 *
 * Waits on: the state's one call; in RUN that is ContainerStatus, asked 20 ms after the last time and then ever more
 * seldom down to 4 a second, and anew from 20 ms when the log grows. The log is copied on the side from START on;
 * DRAIN waits for the rest.
 * Signals: the first makes RUN call StopContainer with 10 s of grace, the second with 0, the third gives up. LOOK and
 * PULL end at once; POD, CREATE and START end their call, which the daemon would do anyway, and then go to STOP.
 * A daemon that was there and is not (UNAVAILABLE) is waited for: it may be restarted while containers run. All calls
 * but PULL may be repeated. */
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "api.pb-c.h"
#include "handlers/cli/command.h"
#include "handlers/cli/log.h"
#include "handlers/cli/pull.h"
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
	struct cli_call *call;  /* the state's */
	struct cli_call *stop;  /* StopContainer, beside RUN */
	struct cli_pull *pull;
	struct cli_log *log;    /* from START on */
	struct timer timer;     /* RUN: the next poll; else: the next try */
	struct timer stop_timer;
	struct signal_watch on_int, on_term, on_hup;
	int64_t answered_ns;    /* when the daemon was there last; 0: never */
	int64_t polled_ns;
	int poll_ms;
	bool unsure;            /* START was repeated: the first try may have worked */
	struct err start_err;   /* of the second */
	int signals, signum;
	bool deaf;              /* our output is closed: the container is killed */
	bool kept;            /* --keep, and there was something */
	int exit_code;
};

static void step(struct run *r, enum state next);

/* ---- ends ---- */

static void end(struct run *r)
{
	sm_move(&r->sm, DONE);
	timer_clear(&r->timer);
	timer_clear(&r->stop_timer);
	loop_stop();
}

/* From RUN. */
static void leave(struct run *r)
{
	r->kept = r->config.keep;
	step(r, r->kept ? DRAIN : STOP);
}

/* Prints, and goes the way that leaves nothing behind. */
static void fail(struct run *r, const char *what, const struct err *e)
{
	cli_fail(r->cli, e, "%s %s", what, r->config.image);
	r->exit_code = r->cli->failure;
	switch (r->sm.now) {
	case CREATE:
	case START: return step(r, STOP);
	case RUN: return leave(r);
	case STOP: return step(r, REMOVE);
	case REMOVE: return step(r, DRAIN);
	default: return end(r);
	}
}

static void on_retry(struct timer *t)
{
	struct run *r = container_of(t, struct run, timer);

	step(r, (enum state)r->sm.now);
}

/* true: the daemon is away, and the state's call will be repeated. */
static bool repeat(struct run *r, const struct err *e)
{
	int64_t now = loop_mono_ns();

	r->call = NULL;
	if (!e || e->code != ERR_UNAVAILABLE) {
		r->answered_ns = now;
		return false;
	}
	if (!r->answered_ns || now - r->answered_ns > PATIENCE_NS)
		return false;
	timer_set(&r->timer, RETRY_MS, on_retry);
	return true;
}

/* Where to go when a call before RUN has answered. */
static void go_on(struct run *r, enum state next)
{
	if (!r->signals)
		return step(r, next);
	r->exit_code = 128 + r->signum;
	if (r->pod_id)
		step(r, STOP);
	else
		end(r);
}

/* ---- LOOK, PULL ---- */

static void on_looked(void *arg, const struct err *e, const void *response)
{
	const Runtime__V1__ImageStatusResponse *status = response;
	struct run *r = arg;
	struct err missing;

	if (repeat(r, e))
		return;
	if (e)
		return fail(r, "look for", e);
	if (!status->image && r->config.pull == CLI_PULL_NEVER) {
		err_set(&missing, ERR_NOT_FOUND, "the image is not here and --pull never was given");
		return fail(r, "look for", &missing);
	}
	if (!status->image)
		return go_on(r, PULL);
	r->image_ref = arena_strdup(r->cli->arena, status->image->id);
	cli_run_times_end_of(&r->times, CLI_RUN_PULL);
	go_on(r, POD);
}

static void look(struct run *r)
{
	Runtime__V1__ImageStatusRequest request = RUNTIME__V1__IMAGE_STATUS_REQUEST__INIT;
	Runtime__V1__ImageSpec spec = RUNTIME__V1__IMAGE_SPEC__INIT;

	spec.image = (char *)r->config.image;
	request.image = &spec;
	r->call = cli_call_start(r->cli, "ImageStatus", &request, on_looked, r);
}

static void on_pulled(void *arg, const struct err *e, const char *image_ref)
{
	struct run *r = arg;

	r->pull = NULL;
	if (e) /* not repeated: UNAVAILABLE is a registry's trouble, too */
		return fail(r, "pull", e);
	r->image_ref = image_ref;
	cli_run_times_end_of(&r->times, CLI_RUN_PULL);
	go_on(r, POD);
}

/* ---- POD, CREATE, START ---- */

static void on_pod(void *arg, const struct err *e, const void *response)
{
	const Runtime__V1__RunPodSandboxResponse *answer = response;
	struct run *r = arg;

	if (repeat(r, e))
		return;
	if (e)
		return fail(r, "make a pod for", e);
	r->pod_id = arena_strdup(r->cli->arena, answer->pod_sandbox_id);
	cli_run_times_end_of(&r->times, CLI_RUN_POD);
	go_on(r, CREATE);
}

static void make_pod(struct run *r)
{
	Runtime__V1__RunPodSandboxRequest request = RUNTIME__V1__RUN_POD_SANDBOX_REQUEST__INIT;

	request.config = cli_run_config_pod(&r->config, r->cli->arena);
	request.runtime_handler = (char *)r->config.runtime;
	r->call = cli_call_start(r->cli, "RunPodSandbox", &request, on_pod, r);
}

static void on_created(void *arg, const struct err *e, const void *response)
{
	const Runtime__V1__CreateContainerResponse *answer = response;
	struct run *r = arg;

	if (repeat(r, e))
		return;
	if (e)
		return fail(r, "create", e);
	r->container_id = arena_strdup(r->cli->arena, answer->container_id);
	cli_run_times_end_of(&r->times, CLI_RUN_CREATE);
	go_on(r, START);
}

static void create(struct run *r)
{
	Runtime__V1__CreateContainerRequest request = RUNTIME__V1__CREATE_CONTAINER_REQUEST__INIT;

	request.pod_sandbox_id = (char *)r->pod_id;
	request.config = cli_run_config_container(&r->config, r->image_ref, r->cli->arena);
	request.sandbox_config = cli_run_config_pod(&r->config, r->cli->arena);
	r->call = cli_call_start(r->cli, "CreateContainer", &request, on_created, r);
}

static void send_stop(struct run *r);

static void on_started(void *arg, const struct err *e, const void *response)
{
	struct run *r = arg;

	(void)response;
	if (repeat(r, e)) {
		r->unsure = true;
		return;
	}
	if (e && !r->unsure)
		return fail(r, "start", e);
	if (e) /* the first try may have worked: its container knows */
		r->start_err = *e;
	cli_run_times_end_of(&r->times, CLI_RUN_START);
	step(r, RUN);
	if (r->signals || r->deaf)
		send_stop(r);
}

static void on_log_grew(void *arg);
static void on_log_deaf(void *arg);

static void start(struct run *r)
{
	Runtime__V1__StartContainerRequest request = RUNTIME__V1__START_CONTAINER_REQUEST__INIT;
	struct cli_log_events events = { on_log_grew, on_log_deaf, r };
	struct err e;

	if (!r->log)
		r->log = cli_log_start(arena_printf(r->cli->arena, "%s/%s.log", r->config.log_dir, r->config.name),
				       &events, &e);
	if (!r->log)
		return fail(r, "follow the log of", &e);
	cli_run_times_starting(&r->times);
	request.container_id = (char *)r->container_id;
	r->call = cli_call_start(r->cli, "StartContainer", &request, on_started, r);
}

/* ---- RUN ---- */

static void on_poll(struct timer *t)
{
	struct run *r = container_of(t, struct run, timer);

	step(r, RUN);
}

/* The log grew: what ends often says something before. */
static void on_log_grew(void *arg)
{
	struct run *r = arg;
	int64_t since_ms = (loop_mono_ns() - r->polled_ns) / 1000000;

	cli_run_times_first_byte(&r->times);
	r->poll_ms = POLL_LEAST_MS;
	if (r->sm.now == RUN && !r->call)
		timer_set(&r->timer, since_ms >= POLL_LEAST_MS ? 0 : POLL_LEAST_MS - since_ms, on_poll);
}

static void exited(struct run *r, const Runtime__V1__ContainerStatus *s)
{
	r->exit_code = s->state == RUNTIME__V1__CONTAINER_STATE__CONTAINER_EXITED ? s->exit_code & 255 : 255;
	cli_run_times_end_of(&r->times, CLI_RUN_RUN);
	if (*s->reason && strcmp(s->reason, "Completed") != 0 && strcmp(s->reason, "Error") != 0)
		fprintf(stderr, "crisp: %s: %s%s%s\n", r->config.image, s->reason, *s->message ? ": " : "", s->message);
	leave(r);
}

static void on_status(void *arg, const struct err *e, const void *response)
{
	const Runtime__V1__ContainerStatusResponse *answer = response;
	struct run *r = arg;

	if (repeat(r, e))
		return;
	if (e)
		return fail(r, "ask for the state of", e);
	if (answer->status && answer->status->state == RUNTIME__V1__CONTAINER_STATE__CONTAINER_CREATED && r->unsure)
		return fail(r, "start", &r->start_err);
	if (answer->status && answer->status->state > RUNTIME__V1__CONTAINER_STATE__CONTAINER_RUNNING)
		return exited(r, answer->status);
	r->polled_ns = loop_mono_ns();
	timer_set(&r->timer, r->poll_ms, on_poll);
	r->poll_ms = r->poll_ms * 2 < POLL_MOST_MS ? r->poll_ms * 2 : POLL_MOST_MS;
}

static void ask(struct run *r)
{
	Runtime__V1__ContainerStatusRequest request = RUNTIME__V1__CONTAINER_STATUS_REQUEST__INIT;

	request.container_id = (char *)r->container_id;
	r->call = cli_call_start(r->cli, "ContainerStatus", &request, on_status, r);
}

static void on_stop_again(struct timer *t)
{
	send_stop(container_of(t, struct run, stop_timer));
}

/* Its success is seen by ContainerStatus. */
static void on_stopped(void *arg, const struct err *e, const void *response)
{
	struct run *r = arg;

	(void)response;
	r->stop = NULL;
	if (!e || r->sm.now != RUN)
		return;
	if (e->code == ERR_UNAVAILABLE)
		return timer_set(&r->stop_timer, RETRY_MS, on_stop_again);
	cli_fail(r->cli, e, "stop %s", r->config.image);
}

/* A later one with less grace takes the place of one under way. */
static void send_stop(struct run *r)
{
	Runtime__V1__StopContainerRequest request = RUNTIME__V1__STOP_CONTAINER_REQUEST__INIT;

	if (r->stop)
		cli_call_cancel(r->stop);
	request.container_id = (char *)r->container_id;
	request.timeout = r->signals > 1 || r->deaf ? 0 : GRACE_S;
	r->stop = cli_call_start(r->cli, "StopContainer", &request, on_stopped, r);
}

/* As with any other program whose reader went away. */
static void on_log_deaf(void *arg)
{
	struct run *r = arg;

	r->deaf = true;
	if (r->sm.now == RUN)
		send_stop(r);
}

/* ---- STOP, REMOVE, DRAIN ---- */

static void on_pod_stopped(void *arg, const struct err *e, const void *response)
{
	struct run *r = arg;

	(void)response;
	if (repeat(r, e))
		return;
	if (e)
		return fail(r, "stop the pod of", e);
	step(r, REMOVE);
}

static void stop_pod(struct run *r)
{
	Runtime__V1__StopPodSandboxRequest request = RUNTIME__V1__STOP_POD_SANDBOX_REQUEST__INIT;

	request.pod_sandbox_id = (char *)r->pod_id;
	r->call = cli_call_start(r->cli, "StopPodSandbox", &request, on_pod_stopped, r);
}

static void on_removed(void *arg, const struct err *e, const void *response)
{
	struct run *r = arg;

	(void)response;
	if (repeat(r, e))
		return;
	if (e)
		return fail(r, "remove the pod of", e);
	cli_run_times_end_of(&r->times, CLI_RUN_REMOVE);
	step(r, DRAIN);
}

static void remove_pod(struct run *r)
{
	Runtime__V1__RemovePodSandboxRequest request = RUNTIME__V1__REMOVE_POD_SANDBOX_REQUEST__INIT;

	request.pod_sandbox_id = (char *)r->pod_id;
	r->call = cli_call_start(r->cli, "RemovePodSandbox", &request, on_removed, r);
}

static void on_drained(void *arg, const struct err *e)
{
	struct run *r = arg;

	if (e)
		return fail(r, "read the log of", e);
	end(r);
}

/* Enters a state, or does its call again. */
static void step(struct run *r, enum state next)
{
	if (next != (enum state)r->sm.now)
		sm_move(&r->sm, (int)next);
	switch (next) {
	case LOOK: return look(r);
	case PULL: r->pull = cli_pull_start(r->cli, r->config.image, r->config.creds, on_pulled, r); return;
	case POD: return make_pod(r);
	case CREATE: return create(r);
	case START: return start(r);
	case RUN: return ask(r);
	case STOP: return stop_pod(r);
	case REMOVE: return remove_pod(r);
	case DRAIN: return r->log ? cli_log_finish(r->log, on_drained) : end(r);
	case DONE: return;
	}
}

/* ---- signals ---- */

static void interrupted(struct run *r, int signum)
{
	r->signum = signum;
	if (++r->signals >= SIGNALS_END) {
		if (r->pod_id && r->sm.now < DRAIN)
			fprintf(stderr, "crisp: gave up; `crisp rm -f %s` removes what is left\n", r->pod_id);
		r->exit_code = 128 + signum;
		return end(r);
	}
	if (r->sm.now == RUN)
		return send_stop(r);
	if (r->sm.now > PULL && r->sm.now != DRAIN)
		return;
	if (r->sm.now <= PULL)
		r->exit_code = 128 + signum;
	end(r);
}

static void on_int(struct signal_watch *w)
{
	interrupted(container_of(w, struct run, on_int), SIGINT);
}

static void on_term(struct signal_watch *w)
{
	interrupted(container_of(w, struct run, on_term), SIGTERM);
}

static void on_hup(struct signal_watch *w)
{
	interrupted(container_of(w, struct run, on_hup), SIGHUP);
}

/* ---- the command ---- */

static void begin(struct run *r)
{
	signal_watch_set(&r->on_int, SIGINT, on_int);
	signal_watch_set(&r->on_term, SIGTERM, on_term);
	signal_watch_set(&r->on_hup, SIGHUP, on_hup);
	cli_run_times_begin(&r->times);
	r->sm.now = r->config.pull == CLI_PULL_ALWAYS ? PULL : LOOK;
	step(r, (enum state)r->sm.now);
}

static void clean(struct run *r)
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
		cli_log_free(r->log);
	if (!r->kept)
		cli_run_config_free(&r->config);
}

static int run(struct cli *c, const struct cli_args *args)
{
	struct run r = { .sm = { states, "run", "", LOOK }, .cli = c, .poll_ms = POLL_LEAST_MS };
	struct err e;

	if (cli_run_config_read(&r.config, args, c->arena, &e) < 0)
		return cli_fail(c, &e, "run");
	begin(&r);
	loop_run();
	clean(&r);
	if (r.kept)
		fprintf(stderr, "crisp: kept pod %s, container %s, log %s/%s.log\n", r.pod_id, r.container_id,
			r.config.log_dir, r.config.name);
	if (r.config.verbose)
		cli_run_times_print(&r.times, c->json);
	return r.exit_code;
}

const struct cli_command cli_run = {
	.name = "run",
	.operands = "IMAGE [COMMAND [ARGUMENT...]]",
	.summary = "run a container of its own pod and follow its output",
	.options = cli_run_options,
	.least = 1,
	.most = -1,
	.tail = true,
	.failure = 125,
	.run = run,
	.more = "Pulls the image when it is not here, makes a pod and a container, copies its\n"
		"output to ours, and ends with its exit code; pod, container and log are removed.\n"
		"125 is a failure of crisp itself. Ctrl-C stops the container with 10 seconds of\n"
		"grace, a second one kills it, a third one leaves everything as it is.\n\n"
		"Examples:\n"
		"  crisp run busybox echo hello\n"
		"  crisp run -v --runtime crun -e GREETING=hi busybox sh -c 'echo $GREETING'\n",
};
