/* run_flow.c - see sandbox_flow.h: RunPodSandbox.
 *
 *   LANE ---turn---> UP ---done---> PLUGINS ---heard---> READY, all waiters get the id
 *                     |                |
 *                     |                +---one refused---> the sandbox is removed; all waiters get the error
 *                     |
 *                     +---failed---> undone; all waiters get the error; the sandbox is freed, or it stays NOTREADY
 *                                    when its network could not be undone. A stop that caused the failure frees it.
 *
 * Waits on: the sandbox's lane; procs/sandbox_up.c; plugins (handlers/nri.h), while it holds the lane. */
#include <stdlib.h>

#include "handlers/convert.h"
#include "handlers/nri.h"
#include "handlers/sandbox_flow.h"
#include "procs/runtime.h"
#include "procs/sandbox_up.h"
#include "procs/spec.h"
#include "reactor/log.h"
#include "reactor/loop.h"
#include "reactor/own.h"

struct run {
	struct link of_all;
	struct link waiters; /* of rpc_link() */
	struct sandbox *sandbox;
	struct lane_pass pass;
	int64_t begun_ns;
	struct err refused; /* PLUGINS */
};

static struct link runs = { &runs, &runs };

static struct run *run_of(const struct sandbox *s)
{
	list_each(l, &runs) {
		struct run *run = container_of(l, struct run, of_all);

		if (run->sandbox == s)
			return run;
	}
	return NULL;
}

static void run_reply_id(struct link *waiters, const struct sandbox *s)
{
	Runtime__V1__RunPodSandboxResponse out = RUNTIME__V1__RUN_POD_SANDBOX_RESPONSE__INIT;

	out.pod_sandbox_id = (char *)s->id;
	rpc_reply_all(waiters, &out);
}

/* Its group is still busy: it is listed, so that its owner can remove it. */
static void run_show(struct sandbox *s)
{
	s->hidden = false;
	sandbox_must_save(s);
}

static void run_end(struct run *run, const struct err *e)
{
	struct sandbox *s = run->sandbox;

	list_drop(&run->of_all);
	lane_leave(&run->pass);
	if (!e) {
		log_info("sandbox_ready sandbox=%.12s attempt=%u ip=%s took_ms=%.1f", s->id, s->config.attempt,
			 s->ips.n ? s->ips.at[0] : "", (double)(loop_mono_ns() - run->begun_ns) / 1e6);
		run_reply_id(&run->waiters, s);
	} else {
		rpc_fail_all(&run->waiters, e);
		if (s->hidden && !s->leaving && s->made)
			run_show(s);
		else if (s->hidden && !s->leaving) /* else the stop or the removal frees it */
			sandbox_free(s);
	}
	free(run);
}

static void on_run_discarded(void *arg)
{
	struct run *run = arg;

	list_drop(&run->of_all);
	rpc_fail_all(&run->waiters, &run->refused);
	free(run);
}

/* The lane is held, so the sandbox is still there. */
static void on_run_heard(void *arg, const struct err *e)
{
	struct run *run = arg;
	struct sandbox *s = run->sandbox;

	if (!e)
		return run_end(run, NULL);
	run->refused = *e;
	err_wrap(&run->refused, "run sandbox %.12s", s->id);
	run->sandbox = NULL;
	lane_leave(&run->pass);
	sandbox_flow_discard(s, on_run_discarded, run);
}

static void on_run_up(void *arg, const struct err *e)
{
	struct run *run = arg;

	if (e || !nri_tell_pod(NRI_RUN_POD, run->sandbox, on_run_heard, run))
		run_end(run, e);
}

static void on_run_turn(struct lane_pass *p)
{
	struct run *run = container_of(p, struct run, pass);

	sandbox_up_start(run->sandbox, on_run_up, run);
}

static int run_join(struct rpc *r, const struct sandbox_config *config, struct sandbox *s, struct err *e)
{
	struct run *run = run_of(s);
	bool equal = fields_equal(sandbox_config_fields, &s->config, config);

	rpc_made(r, "sandbox", s->id);
	if (run && equal) {
		list_append(&run->waiters, rpc_link(r));
		return 0;
	}
	if (!run && equal && !s->hidden && s->state == SANDBOX_READY) {
		struct link one;

		list_init(&one);
		list_append(&one, rpc_link(r));
		run_reply_id(&one, s);
		return 0;
	}
	return err_set(e, ERR_ALREADY_EXISTS, "sandbox %.100s/%.100s attempt %u exists as %.12s %s", config->namespace_,
		       config->name, config->attempt, s->id,
		       equal ? "and is not ready: remove it first" : "with another config: remove it first");
}

/* For a runtime that makes the sandbox. An annotation that the handler does not allow does not come to it this way
 * either. */
static void run_keep_config(struct sandbox *s, const struct runtime_handler *handler,
			    const Runtime__V1__PodSandboxConfig *sent)
{
	struct pairs allowed = spec_pod_annotations(handler, &s->config.annotations, s->arena);
	Runtime__V1__PodSandboxConfig config = *sent;
	uint8_t *bytes;

	config.n_annotations = allowed.n;
	config.annotations = convert_map(&allowed, &runtime__v1__pod_sandbox_config__annotations_entry__descriptor,
					 s->arena);
	s->cri_config_len = protobuf_c_message_get_packed_size(&config.base);
	bytes = arena_zalloc(s->arena, s->cri_config_len + 1);
	protobuf_c_message_pack(&config.base, bytes);
	s->cri_config = bytes;
}

void sandbox_flow_run(struct rpc *r, const struct sandbox_config *config, const Runtime__V1__PodSandboxConfig *sent)
{
	struct sandbox *s = sandbox_named(config->name, config->namespace_, config->uid, config->attempt);
	const struct runtime_handler *handler = runtime_find(config->runtime_handler);
	struct run *run;
	struct err e;

	if (s) {
		if (run_join(r, config, s, &e) < 0)
			rpc_fail(r, &e);
		return;
	}
	if (!handler) {
		err_set(&e, ERR_INVALID_ARGUMENT, "runtime handler \"%.100s\" is not configured",
			config->runtime_handler);
		return rpc_fail(r, &e);
	}
	/* A pod whose handler has no program is refused: its containers could never start, and it would hold an
	 * address. (ARCHITECTURE P9) */
	if (sandbox_check(config, &e) < 0 || runtime_usable(handler, &e) < 0)
		return rpc_fail(r, &e);
	s = sandbox_new(config);
	if (runtime_traits(handler) & RUNTIME_SANDBOX_API)
		run_keep_config(s, handler, sent);
	rpc_made(r, "sandbox", s->id);
	run = new_zero(struct run);
	run->sandbox = s;
	run->begun_ns = loop_mono_ns();
	list_init(&run->waiters);
	list_append(&run->waiters, rpc_link(r));
	list_append(&runs, &run->of_all);
	lane_enter(&s->lane, &run->pass, on_run_turn);
}
