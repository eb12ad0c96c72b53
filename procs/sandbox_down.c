/* sandbox_down.c - see sandbox_down.h.
 *
 *   BEGIN --network of an unknown kind--> FAILED (nothing is deleted)
 *     v
 *   PAUSE --alive--> FAILED     BOX (of a boxed sandbox, or the runtime's) --not deleted--> FAILED
 *   PAUSE --dead--> BOX --forgotten--> NETWORK
 *   PAUSE --dead--> NETWORK --given back---------------------> NAMESPACES --dropped, or not--> REST --> DOWN
 *                      |                                          ^                             +----> FAILED
 *                      +--DEL failed, ADD never ended--> LEASE ---+
 *                      |                                   |
 *                      +--DEL failed----> FAILED <---------+  (the rest stays: a later DEL may need the namespace)
 *
 * REST gives back files and cgroup, at once. A step is skipped when `made` does not name its part, and a part leaves
 * `made` when it is confirmed that it is gone: what failed is tried again by the next stop or removal (ARCHITECTURE
 * K40). Waits on: the pause's death (PAUSE), the runtime (BOX), the network (NETWORK, LEASE), the keeper (NAMESPACES).
 * A CNI plugin that was killed half way can leave a state in which its own DEL fails every time (bridge: an address,
 * but no iptables chain). So where no ADD ever came to its end, LEASE runs DEL again without the namespace, for what is
 * kept outside of it. If that fails too and the sandbox is listed, the error is only logged: otherwise a sandbox that
 * is broken in this way could never be removed. UNAVAILABLE always leads to FAILED: the keeper is away, no plugin ran,
 * and the caller has to try again. (ARCHITECTURE S3) */
#include "procs/sandbox_down.h"

#include <string.h>

#include "procs/box_watch.h"
#include "procs/cgroup.h"
#include "procs/keeper.h"
#include "procs/network.h"
#include "procs/sandbox_box.h"
#include "procs/sandbox_files.h"
#include "procs/sandbox_pause.h"
#include "reactor/arena.h"
#include "reactor/log.h"
#include "reactor/loop.h"
#include "reactor/own.h"
#include "reactor/sm.h"

enum down_state { BEGIN, PAUSE, BOX, NETWORK, LEASE, NAMESPACES, REST, DOWN, FAILED };

static const struct sm_state down_states[] = {
	[BEGIN]      = { "BEGIN",      TO(PAUSE) | TO(FAILED) },
	[PAUSE]      = { "PAUSE",      TO(BOX) | TO(NETWORK) | TO(FAILED) },
	[BOX]        = { "BOX",        TO(NETWORK) | TO(FAILED) },
	[NETWORK]    = { "NETWORK",    TO(NAMESPACES) | TO(LEASE) | TO(FAILED) },
	[LEASE]      = { "LEASE",      TO(NAMESPACES) | TO(FAILED) },
	[NAMESPACES] = { "NAMESPACES", TO(REST) },
	[REST]       = { "REST",       TO(DOWN) | TO(FAILED) },
	[DOWN]       = { "DOWN",       0 },
	[FAILED]     = { "FAILED",     0 },
};

struct sandbox_down {
	struct sm sm;
	struct sandbox *s; /* borrowed: the caller holds its lane */
	struct timer timer; /* the first turn */
	bool changed;       /* there was something to give back */
	struct err err; /* the first failure; code OK: none */
	sandbox_down_done *done;
	void *arg;
};

static void down_report(struct sandbox_down *d)
{
	struct sandbox_down o = *d;

	timer_clear(&d->timer);
	free(d);
	o.done(o.arg, o.sm.now == DOWN ? NULL : &o.err);
}

/* The sandbox is listed from now on, so that the kubelet can see it and stop it again. A remnant has no name by which
 * the kubelet could know it: the next start of crispd tries again. */
static void down_fail(struct sandbox_down *d)
{
	d->s->hidden = d->s->remnant;
	sandbox_must_save(d->s);
	sm_move(&d->sm, FAILED);
	down_report(d);
}

static void down_note(struct sandbox_down *d, const struct err *e, const char *part)
{
	if (d->err.code != ERR_OK)
		return log_warn("sandbox_down sandbox=%.12s error=%s", d->s->id, log_quote(e->msg));
	d->err = *e;
	err_wrap(&d->err, "give back the %s of sandbox %.12s", part, d->s->id);
}

static void down_rest_step(struct sandbox_down *d)
{
	struct sandbox *s = d->s;
	struct err e;

	sm_move(&d->sm, REST);
	if ((s->made & MADE_FILES) && sandbox_files_remove(s, &e) < 0)
		down_note(d, &e, "files");
	else
		s->made &= ~(uint32_t)MADE_FILES;
	/* Below a cgroup_parent only the record tells that the group belongs to crisp, so a busy group stays in it.
	 * (ARCHITECTURE P14) */
	if (!(s->made & MADE_CGROUP) || cgroup_pod_remove(s))
		s->made &= ~(uint32_t)MADE_CGROUP;
	s->ips.n = 0; /* another pod may get the address from now on */
	if (d->err.code != ERR_OK)
		return down_fail(d);
	if (d->changed)
		sandbox_must_save(s);
	sm_move(&d->sm, DOWN);
	down_report(d);
}

static void on_down_dropped(void *arg, const struct err *e)
{
	struct sandbox_down *d = arg;

	if (e)
		down_note(d, e, "namespaces");
	else
		d->s->made &= ~(uint32_t)MADE_NAMESPACES;
	down_rest_step(d);
}

static void down_namespaces_step(struct sandbox_down *d)
{
	sm_move(&d->sm, NAMESPACES);
	if (d->s->made & MADE_NAMESPACES)
		keeper_namespaces_drop(d->s->id, d->s->netns_path, on_down_dropped, d);
	else
		down_rest_step(d);
}

static void down_fail_network(struct sandbox_down *d, const struct err *e)
{
	down_note(d, e, "network");
	down_fail(d);
}

static void on_down_deleted(void *arg, const struct err *e, bool left)
{
	struct sandbox_down *d = arg;
	struct sandbox *s = d->s;
	bool never_up = !network_added(s);

	(void)left;
	if (e)
		log_warn("sandbox_network sandbox=%.12s state=%s error=%s", s->id, d->sm.states[d->sm.now].name,
			 log_quote(e->msg));
	if (e && e->code == ERR_UNAVAILABLE)
		return down_fail_network(d, e);
	if (e && never_up && d->sm.now == NETWORK) {
		sm_move(&d->sm, LEASE);
		return network_del(s, NETWORK_OUTSIDE, on_down_deleted, d);
	}
	if (e && (!never_up || s->hidden))
		return down_fail_network(d, e);
	s->made &= ~(uint32_t)MADE_NETWORK;
	down_namespaces_step(d);
}

static void down_network_step(struct sandbox_down *d)
{
	sm_move(&d->sm, NETWORK);
	if (d->s->made & MADE_NETWORK)
		network_del(d->s, NETWORK_WHOLE, on_down_deleted, d);
	else
		down_namespaces_step(d);
}

static void on_down_boxed(void *arg, const struct err *e)
{
	struct sandbox_down *d = arg;

	if (e) {
		down_note(d, e, d->s->made & MADE_API ? "runtime's sandbox" : "container");
		return down_fail(d);
	}
	d->s->made &= ~(uint32_t)(MADE_BOX | MADE_API);
	down_network_step(d);
}

static void down_box_step(struct sandbox_down *d)
{
	if (!(d->s->made & (MADE_BOX | MADE_API)))
		return down_network_step(d);
	sm_move(&d->sm, BOX);
	sandbox_box_remove(d->s, on_down_boxed, d);
}

static void on_down_pause_dead(void *arg, const struct err *e)
{
	struct sandbox_down *d = arg;

	if (e) {
		down_note(d, e, "pause");
		return down_fail(d);
	}
	d->s->made &= ~(uint32_t)MADE_PAUSE;
	down_box_step(d);
}

static void on_down_turn(struct timer *t)
{
	struct sandbox_down *d = container_of(t, struct sandbox_down, timer);
	struct err e;

	d->changed = d->s->made || d->s->ips.n;
	if ((d->s->made & MADE_NETWORK) && network_known(d->s, &e) < 0)
		return down_fail_network(d, &e);
	sm_move(&d->sm, PAUSE);
	/* Each time: a pause that began as its keeper died may have come into the pod's group after an earlier kill. */
	if ((d->s->made & MADE_PAUSE) && (d->s->made & MADE_BOX))
		box_watch_kill(d->s, on_down_pause_dead, d);
	else if ((d->s->made & MADE_PAUSE) || sandbox_has_pause(d->s))
		sandbox_pause_kill(d->s, on_down_pause_dead, d);
	else
		down_box_step(d);
}

struct sandbox_down *sandbox_down_start(struct sandbox *s, sandbox_down_done *done, void *arg)
{
	struct sandbox_down *d = new_zero(struct sandbox_down);

	d->s = s;
	d->done = done;
	d->arg = arg;
	d->sm = (struct sm){ down_states, "sandbox_down", s->id, BEGIN };
	sandbox_set_state(s, SANDBOX_NOTREADY);
	timer_set(&d->timer, 0, on_down_turn);
	return d;
}

bool sandbox_down_begun(const struct sandbox *s)
{
	return s->state == SANDBOX_NOTREADY && s->made && *s->netns_path && !(s->made & MADE_NETWORK);
}
