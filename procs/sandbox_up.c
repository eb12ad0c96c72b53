/* sandbox_up.c - see sandbox_up.h.
 *
 *   BEGIN --intent saved--> NAMESPACES --made--> NETWORK --address--> PAUSE --runs--> UP
 *     |                         |                   |                   |             |
 *     |                         +-------------------+----- failed ------+-- not saved-+
 *     v                                             v
 *   FAILED <--------------------------------------UNDO (sandbox_down, in reverse)
 *
 * Cgroup and files are made while the keeper makes the namespaces: they need no one else. NETWORK is passed over with
 * the node's network, PAUSE where each container has a PID namespace of its own, NAMESPACES where all of them are the
 * node's.
 * Waits on: the keeper (NAMESPACES, PAUSE), CNI (NETWORK), sandbox_down (UNDO).
 *
 * The first record names everything that will be made, once, so that a crash at any point undoes it all; in memory
 * `made` follows what was begun, so that an undo without a crash does no more than it must. */
#include "procs/sandbox_up.h"

#include <string.h>

#include "procs/cgroup.h"
#include "procs/cni.h"
#include "procs/events.h"
#include "procs/keeper.h"
#include "procs/sandbox_down.h"
#include "procs/sandbox_files.h"
#include "procs/sandbox_pause.h"
#include "procs/sandbox_sysctl.h"
#include "reactor/log.h"
#include "reactor/loop.h"
#include "reactor/metric.h"
#include "reactor/own.h"
#include "reactor/sm.h"

enum up_state { BEGIN, NAMESPACES, NETWORK, PAUSE, UP, UNDO, FAILED };

static const struct sm_state up_states[] = {
	[BEGIN]      = { "BEGIN",      TO(NAMESPACES) | TO(FAILED) },
	[NAMESPACES] = { "NAMESPACES", TO(NETWORK) | TO(UNDO) },
	[NETWORK]    = { "NETWORK",    TO(PAUSE) | TO(UNDO) },
	[PAUSE]      = { "PAUSE",      TO(UP) | TO(UNDO) },
	[UP]         = { "UP",         TO(UNDO) },
	[UNDO]       = { "UNDO",       TO(FAILED) },
	[FAILED]     = { "FAILED",     0 },
};

struct sandbox_up {
	struct sm sm;
	struct sandbox *s; /* borrowed: the caller holds its lane */
	struct arena *arena;
	struct timer timer; /* the next turn: what needs nobody, and failures at the beginning */
	int64_t since_ns; /* the step at hand runs */
	struct err err;
	sandbox_up_done *done;
	void *arg;
};

static struct sandbox_up_config cfg;

void sandbox_up_open(const struct sandbox_up_config *c)
{
	cfg = *c;
}

/* How long the step took that ends now; the next one begins. */
static void clock_step(struct sandbox_up *up, const char *stage)
{
	int64_t now_ns = loop_mono_ns();

	metric_observe_ns(METRIC_stage_seconds, stage, now_ns - up->since_ns);
	up->since_ns = now_ns;
}

static void report(struct sandbox_up *up)
{
	struct sandbox_up u = *up;

	timer_clear(&up->timer);
	arena_free(up->arena);
	free(up);
	u.done(u.arg, u.sm.now == UP ? NULL : &u.err);
}

static void on_undone(void *arg, const struct err *e)
{
	struct sandbox_up *up = arg;

	sm_move(&up->sm, FAILED);
	if (e)
		log_error("sandbox_undo sandbox=%.12s error=%s", up->s->id, log_quote(e->msg));
	report(up);
}

static void undo(struct sandbox_up *up)
{
	sm_move(&up->sm, UNDO);
	sandbox_down_start(up->s, on_undone, up);
}

static void fail(struct sandbox_up *up, const struct err *e)
{
	up->err = *e;
	undo(up);
}

static bool own_net(const struct sandbox *s)
{
	return s->config.security.ns.network != NS_NODE;
}

static bool own_ipc(const struct sandbox *s)
{
	return s->config.security.ns.ipc != NS_NODE;
}

static bool own_any(const struct sandbox *s)
{
	return own_net(s) || own_ipc(s) || ns_has_user(&s->config.security.ns);
}

static const char *hostname_of(const struct sandbox *s)
{
	return s->config.hostname[0] ? s->config.hostname : cfg.node_name;
}

static void finish(struct sandbox_up *up)
{
	struct sandbox *s = up->s;

	sm_move(&up->sm, UP);
	s->state = SANDBOX_READY;
	s->hidden = false;
	if (sandbox_save(s, &up->err) < 0) {
		s->hidden = true;
		return undo(up);
	}
	events_tell(EVENT_CREATED, s, NULL);
	events_tell(EVENT_STARTED, s, NULL);
	report(up);
}

static void on_pause(void *arg, const struct err *e)
{
	struct sandbox_up *up = arg;

	if (e)
		return fail(up, e);
	finish(up);
}

static void pause_step(struct sandbox_up *up)
{
	sm_move(&up->sm, PAUSE);
	if (!sandbox_has_pause(up->s))
		return finish(up);
	up->s->made |= MADE_PAUSE;
	sandbox_pause_start(up->s, cfg.pause_path, on_pause, up);
}

static void on_added(void *arg, const struct err *e, const struct cni_result *r)
{
	struct sandbox_up *up = arg;
	struct sandbox *s = up->s;

	if (e) {
		if (!r->left)
			s->made &= ~(uint32_t)MADE_NETWORK;
		return fail(up, e);
	}
	s->ips = (struct strings){ arena_zalloc(s->arena, r->ips.n * sizeof(*s->ips.at)), r->ips.n };
	for (size_t i = 0; i < r->ips.n; i++)
		s->ips.at[i] = arena_strdup(s->arena, r->ips.at[i]);
	sandbox_set_str(s, &s->cni_result, r->text);
	if (sandbox_sysctls_late(&s->config, s->netns_path, &up->err) < 0)
		return undo(up);
	pause_step(up);
}

static void network_step(struct sandbox_up *up)
{
	struct sandbox *s = up->s;

	sm_move(&up->sm, NETWORK);
	if (!own_net(s))
		return pause_step(up);
	s->made |= MADE_NETWORK;
	cni_add(&(struct cni_sandbox){ .id = s->id,
	                               .name = s->config.name,
	                               .namespace_ = s->config.namespace_,
	                               .uid = s->config.uid,
	                               .netns_path = s->netns_path,
	                               .ports = s->config.ports.at,
	                               .nports = s->config.ports.n,
	                               .annotations = &s->config.annotations,
	                               .cgroup = s->config.cgroup_parent,
	                               .dns = &s->config.dns,
	                               .conf = s->cni_conf,
	                               .result = "" },
	        on_added, up);
}

static void on_namespaces(void *arg, const struct err *e)
{
	struct sandbox_up *up = arg;

	if (e) {
		up->s->made &= ~(uint32_t)MADE_NAMESPACES;
		return fail(up, e);
	}
	clock_step(up, "namespaces");
	network_step(up);
}

static void on_no_namespaces(struct timer *t)
{
	network_step(container_of(t, struct sandbox_up, timer));
}

static void on_local_failure(struct timer *t)
{
	undo(container_of(t, struct sandbox_up, timer));
}

/* A parent of the caller's choice is made and limited by the caller, and changed when it likes; our own group in it
 * comes with its first process: sandbox_task.h. */
static int make_cgroup(struct sandbox_up *up)
{
	struct sandbox *s = up->s;

	s->made |= MADE_CGROUP;
	if (*s->config.cgroup_parent)
		return 0;
	if (cgroup_make(s->cgroup, &up->err) < 0)
		return -1;
	return s->config.resources.set ? cgroup_limit(s->cgroup, &s->config.resources, &up->err) : 0;
}

static int make_local(struct sandbox_up *up)
{
	struct sandbox *s = up->s;

	if (make_cgroup(up) < 0)
		return -1;
	s->made |= MADE_FILES;
	return sandbox_files_make(s, &(struct sandbox_files){ .hostname = hostname_of(s), .hosts = "/etc/hosts",
		.resolv_conf = cfg.resolv_conf }, &up->err);
}

static void namespaces_step(struct sandbox_up *up)
{
	struct sandbox *s = up->s;
	const struct ns_options *ns = &s->config.security.ns;
	bool user = ns_has_user(ns);
	struct ns_op *op = NULL;

	sm_move(&up->sm, NAMESPACES);
	if (own_any(s)) {
		s->made |= MADE_NAMESPACES;
		op = keeper_namespaces(&(struct ns_request){ .id = s->id,
		                                             .net = own_net(s),
		                                             .ipc = own_ipc(s),
		                                             .uts = own_net(s),
		                                             .uids = user ? &ns->uids : NULL,
		                                             .gids = user ? &ns->gids : NULL,
		                                             .netns_path = s->netns_path,
		                                             .hostname = own_net(s) ? hostname_of(s) : "",
		                                             .sysctls = sandbox_sysctls(&s->config, up->arena) },
		                       on_namespaces, up);
	}
	if (make_local(up) < 0) {
		if (op)
			keeper_namespaces_cancel(op);
		s->made &= ~(uint32_t)MADE_NAMESPACES;
		timer_set(&up->timer, 0, on_local_failure);
	} else if (!op) {
		timer_set(&up->timer, 0, on_no_namespaces);
	}
}

/* The record of the intent: all that may be made, and with which conflist. */
static int intend(struct sandbox_up *up)
{
	struct sandbox *s = up->s;
	const char *conf = "";
	int ret;

	if (own_net(s) && !(conf = cni_conf_now(&up->err)))
		return -1;
	sandbox_set_str(s, &s->cni_conf, conf);
	if (own_net(s))
		s->netns_path = arena_printf(s->arena, "%s/crisp-%s", sandboxes_config()->netns_dir, s->id);
	s->cgroup = arena_strdup(s->arena, cgroup_pod_path(up->arena, s->config.cgroup_parent, s->id));
	s->made = MADE_CGROUP | MADE_FILES | (own_any(s) ? MADE_NAMESPACES : 0) | (own_net(s) ? MADE_NETWORK : 0) |
		  (sandbox_has_pause(s) ? MADE_PAUSE : 0);
	ret = sandbox_save(s, &up->err);
	s->made = 0;
	return ret;
}

static void on_failed(struct timer *t)
{
	report(container_of(t, struct sandbox_up, timer));
}

struct sandbox_up *sandbox_up_start(struct sandbox *s, sandbox_up_done *done, void *arg)
{
	struct sandbox_up *up = new_zero(struct sandbox_up);

	up->s = s;
	up->arena = arena_new();
	up->done = done;
	up->arg = arg;
	up->sm = (struct sm){ up_states, "sandbox_up", s->id, BEGIN };
	up->since_ns = loop_mono_ns();
	if (intend(up) == 0) {
		clock_step(up, "intent");
		namespaces_step(up);
	} else {
		sm_move(&up->sm, FAILED);
		timer_set(&up->timer, 0, on_failed);
	}
	return up;
}
