/* sandbox_up.c - see sandbox_up.h.
 *
 *   BEGIN --looked, saved-> NAMESPACES --made--> NETWORK --address--> RUNTIME --made--> PAUSE --runs--> UP
 *     |                         |                   |                   |                 |             |
 *     |                         +-------------------+----- failed ------+-----------------+-- not saved-+
 *     v                                             v
 *   FAILED <--------------------------------------UNDO (sandbox_down, in reverse)
 *
 * Groups and files are made while the keeper makes the namespaces. NETWORK is skipped for a pod on the node's network,
 * RUNTIME where the runtime has no sandbox of its own, PAUSE where each container has a PID namespace of its own. A
 * network that takes more than SLOW_MS (a plugin may run for 60 s) makes the sandbox listed, and a stop gives it up.
 * (ARCHITECTURE S11)
 * Waits on: lookup.h, for files of the node (BEGIN), the keeper (NAMESPACES, PAUSE), cgroup_pod_make() (NAMESPACES),
 * the network (NETWORK), the runtime (RUNTIME; PAUSE of a box), sandbox_down (UNDO).
 *
 * One record, written before anything is made, names everything that will be made: after a crash at any moment recovery
 * undoes all of it. In memory `made` names only what was begun, so that an undo without a crash does no needless work.
 * (ARCHITECTURE S1) */
#include "procs/sandbox_up.h"

#include <string.h>

#include "procs/cgroup.h"
#include "procs/events.h"
#include "procs/keeper.h"
#include "procs/labels.h"
#include "procs/network.h"
#include "procs/sandbox_box.h"
#include "procs/sandbox_down.h"
#include "procs/sandbox_files.h"
#include "procs/sandbox_pause.h"
#include "procs/sandbox_sysctl.h"
#include "reactor/log.h"
#include "reactor/loop.h"
#include "reactor/own.h"
#include "reactor/sm.h"
#include "reactor/work.h"

enum { SLOW_MS = 1000 };

enum up_state { BEGIN, NAMESPACES, NETWORK, RUNTIME, PAUSE, UP, UNDO, FAILED };

static const struct sm_state up_states[] = {
	[BEGIN]      = { "BEGIN",      TO(NAMESPACES) | TO(FAILED) },
	[NAMESPACES] = { "NAMESPACES", TO(NETWORK) | TO(UNDO) },
	[NETWORK]    = { "NETWORK",    TO(RUNTIME) | TO(PAUSE) | TO(UNDO) },
	[RUNTIME]    = { "RUNTIME",    TO(PAUSE) | TO(UNDO) },
	[PAUSE]      = { "PAUSE",      TO(UP) | TO(UNDO) },
	[UP]         = { "UP",         TO(UNDO) },
	[UNDO]       = { "UNDO",       TO(FAILED) },
	[FAILED]     = { "FAILED",     0 },
};

struct sandbox_up {
	struct sm sm;
	struct sandbox *s; /* borrowed: the caller holds its lane */
	struct arena *arena;
	struct lookup *lookup; /* of the node's files */
	struct network_op *network; /* under way */
	int making; /* in NAMESPACES: how many of namespaces and groups are under way */
	struct timer timer; /* a failure at the beginning is reported in the next turn; NETWORK: SLOW_MS */
	int64_t since_ns; /* start of the current step */
	struct err err; /* the first failure; code OK: none */
	sandbox_up_done *done;
	void *arg;
};

static struct sandbox_up_config cfg;

void sandbox_up_open(const struct sandbox_up_config *c)
{
	cfg = *c;
}

static void up_report(struct sandbox_up *up)
{
	struct sandbox_up u = *up;

	u.s->up = NULL;
	timer_clear(&up->timer);
	lookup_free(up->lookup);
	arena_free(up->arena);
	free(up);
	u.done(u.arg, u.sm.now == UP ? NULL : &u.err);
}

static void on_up_undone(void *arg, const struct err *e)
{
	struct sandbox_up *up = arg;

	sm_move(&up->sm, FAILED);
	if (e)
		log_error("sandbox_undo sandbox=%.12s error=%s", up->s->id, log_quote(e->msg));
	up_report(up);
}

static void up_undo(struct sandbox_up *up)
{
	sm_move(&up->sm, UNDO);
	sandbox_down_start(up->s, on_up_undone, up);
}

static void up_fail(struct sandbox_up *up, const struct err *e)
{
	up->err = *e;
	up_undo(up);
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

static void up_finish(struct sandbox_up *up)
{
	struct sandbox *s = up->s;

	sm_move(&up->sm, UP);
	s->state = SANDBOX_READY;
	s->hidden = s->shown = false;
	if (sandbox_save(s, &up->err) < 0) {
		s->hidden = true;
		return up_undo(up);
	}
	events_tell(EVENT_CREATED, s, NULL);
	events_tell(EVENT_STARTED, s, NULL);
	up_report(up);
}

static void on_up_pause(void *arg, const struct err *e)
{
	struct sandbox_up *up = arg;

	if (e)
		return up_fail(up, e);
	up_finish(up);
}

static void up_pause_step(struct sandbox_up *up)
{
	sm_move(&up->sm, PAUSE);
	if (sandbox_boxed(up->s)) {
		up->s->made |= MADE_PAUSE | MADE_BOX;
		return sandbox_box_start(up->s, cfg.pause_path, on_up_pause, up);
	}
	if (!sandbox_has_pause(up->s))
		return up_finish(up);
	up->s->made |= MADE_PAUSE;
	sandbox_pause_start(up->s, cfg.pause_path, on_up_pause, up);
}

static void on_up_in_runtime(void *arg, const struct err *e)
{
	struct sandbox_up *up = arg;

	if (e)
		return up_fail(up, e);
	up_pause_step(up);
}

static void up_runtime_step(struct sandbox_up *up)
{
	if (!sandbox_in_runtime(up->s))
		return up_pause_step(up);
	sm_move(&up->sm, RUNTIME);
	up->s->made |= MADE_API;
	sandbox_box_start(up->s, cfg.pause_path, on_up_in_runtime, up);
}

static void on_up_added(void *arg, const struct err *e, bool left)
{
	struct sandbox_up *up = arg;
	struct sandbox *s = up->s;

	up->network = NULL;
	timer_clear(&up->timer);
	if (e) {
		if (!left)
			s->made &= ~(uint32_t)MADE_NETWORK;
		return up_fail(up, e);
	}
	if (sandbox_sysctls_late(&s->config, s->netns_path, &up->err) < 0)
		return up_undo(up);
	up_runtime_step(up);
}

static void on_up_slow(struct timer *t)
{
	struct sandbox *s = container_of(t, struct sandbox_up, timer)->s;

	log_warn("sandbox_slow sandbox=%.12s pod=%s/%s reason=\"its network is not there yet\"", s->id,
		 s->config.namespace_, s->config.name);
	s->state = SANDBOX_NOTREADY;
	s->shown = true;
}

void sandbox_up_cancel(struct sandbox_up *up)
{
	if (!up->network)
		return;
	network_cancel(take_ptr(&up->network));
	timer_clear(&up->timer);
	err_set(&up->err, ERR_ABORTED, "sandbox %.12s was stopped while its network was being made", up->s->id);
	up_undo(up);
}

static void up_step(struct sandbox_up *up, const char *stage)
{
	work_step(stage, arena_printf(up->arena, " sandbox=%.12s", up->s->id), &up->since_ns);
}

static void up_network_step(struct sandbox_up *up)
{
	struct sandbox *s = up->s;

	sm_move(&up->sm, NETWORK);
	if (!own_net(s))
		return up_runtime_step(up);
	s->made |= MADE_NETWORK;
	timer_set(&up->timer, SLOW_MS, on_up_slow);
	up->network = network_add(s, on_up_added, up);
}

/* Namespaces or groups are made, or failed. A failure waits for the other one: what is still being made cannot be
 * undone. */
static void up_one_made(struct sandbox_up *up, const struct err *e)
{
	if (e && up->err.code == ERR_OK)
		up->err = *e;
	if (--up->making)
		return;
	if (up->err.code != ERR_OK)
		return up_undo(up);
	up_step(up, "namespaces");
	up_network_step(up);
}

static void on_up_namespaces(void *arg, const struct err *e, bool left)
{
	struct sandbox_up *up = arg;

	if (e && !left)
		up->s->made &= ~(uint32_t)MADE_NAMESPACES;
	up_one_made(up, e);
}

static void on_up_groups(void *arg, const struct err *e)
{
	up_one_made(arg, e);
}

static void on_up_no_files(struct timer *t)
{
	up_undo(container_of(t, struct sandbox_up, timer));
}

static void up_namespaces_step(struct sandbox_up *up)
{
	struct sandbox *s = up->s;
	const struct ns_options *ns = &s->config.security.ns;
	bool user = ns_has_user(ns);
	struct ns_request r = { .id = s->id,
				.net = own_net(s),
				.ipc = own_ipc(s),
				.uts = own_net(s),
				.uids = user ? &ns->uids : NULL,
				.gids = user ? &ns->gids : NULL,
				.netns_path = s->netns_path,
				.hostname = own_net(s) ? hostname_of(s) : "",
				.sysctls = sandbox_sysctls(&s->config, up->arena) };

	sm_move(&up->sm, NAMESPACES);
	s->made |= MADE_FILES;
	if (sandbox_files_begin(s, &up->err) < 0)
		return timer_set(&up->timer, 0, on_up_no_files);
	up->making = 1 + own_any(s);
	if (own_any(s)) {
		s->made |= MADE_NAMESPACES;
		keeper_namespaces(&r, on_up_namespaces, up);
	}
	s->made |= MADE_CGROUP;
	cgroup_pod_make(s, on_up_groups, up);
	sandbox_files_make(s, &(struct sandbox_files){ .hostname = hostname_of(s), .hosts = cfg.hosts,
			       .resolv_conf = cfg.resolv_conf, .lookup = up->lookup }, &up->err);
}

/* The record of the intent: all that may be made, and what the end of the network will need. */
static int up_intend(struct sandbox_up *up)
{
	struct sandbox *s = up->s;
	int ret;

	if (labels_of_sandbox(s, &up->err) < 0 || (own_net(s) && network_intend(s, &up->err) < 0))
		return -1;
	if (own_net(s))
		s->netns_path = arena_printf(s->arena, "%s/crisp-%s", sandboxes_config()->netns_dir, s->id);
	s->cgroup = arena_strdup(s->arena, cgroup_pod_path(up->arena, s->config.cgroup_parent, s->id));
	s->made = MADE_CGROUP | MADE_FILES | (own_any(s) ? MADE_NAMESPACES : 0) | (own_net(s) ? MADE_NETWORK : 0) |
		  (sandbox_has_pause(s) ? MADE_PAUSE : 0) | (sandbox_boxed(s) ? MADE_PAUSE | MADE_BOX : 0) |
		  (sandbox_in_runtime(s) ? MADE_API : 0);
	ret = sandbox_save(s, &up->err);
	s->made = 0;
	return ret;
}

static void on_up_failed(struct timer *t)
{
	up_report(container_of(t, struct sandbox_up, timer));
}

static void up_begin(struct sandbox_up *up)
{
	if (up_intend(up) == 0) {
		up_step(up, "intent");
		up_namespaces_step(up);
	} else {
		sm_move(&up->sm, FAILED);
		timer_set(&up->timer, 0, on_up_failed);
	}
}

static void on_up_looked(void *arg, const struct err *e)
{
	struct sandbox_up *up = arg;

	if (!e)
		return up_begin(up);
	up->err = *e;
	sm_move(&up->sm, FAILED);
	up_report(up);
}

struct sandbox_up *sandbox_up_start(struct sandbox *s, sandbox_up_done *done, void *arg)
{
	struct sandbox_up *up = new_zero(struct sandbox_up);

	up->s = s;
	s->up = up;
	up->arena = arena_new();
	up->done = done;
	up->arg = arg;
	up->sm = (struct sm){ up_states, "sandbox_up", s->id, BEGIN };
	up->since_ns = loop_mono_ns();
	up->lookup = lookup_new(s->config.uid);
	sandbox_files_look(up->lookup, s, cfg.hosts, cfg.resolv_conf);
	if (lookup_try(up->lookup))
		up_begin(up);
	else
		lookup_start(up->lookup, on_up_looked, up);
	return up;
}
