/* sandbox_down.c - see sandbox_down.h.
 *
 *   BEGIN --network of an unknown kind--> FAILED (nothing is deleted)
 *     v
 *   PAUSE --dead--> NETWORK --given back----------------------> REST (namespaces, files, cgroup: at once) --> DOWN
 *                      |                                          ^
 *                      +--DEL failed, ADD never ended--> LEASE ---+
 *                      |                                   |
 *                      +--DEL failed----> FAILED <---------+  (the rest stays: a later DEL may need the namespace)
 *
 * A step is skipped when `made` does not name its part. Waits on: the pause's death (PAUSE), the network (NETWORK,
 * LEASE). A CNI plugin that was killed half way can leave a state in which its own DEL fails every time (bridge: an
 * address, but no iptables chain). So where no ADD ever came to its end, LEASE runs DEL again without the namespace,
 * for what is kept outside of it. If that fails too and the sandbox is listed, the error is only logged: otherwise a
 * sandbox that is broken in this way could never be removed. UNAVAILABLE always leads to FAILED: the keeper is away, so
 * no plugin ran, and the caller has to try again. (ARCHITECTURE S3) */
#include "procs/sandbox_down.h"

#include <string.h>

#include "procs/cgroup.h"
#include "procs/keeper.h"
#include "procs/network.h"
#include "procs/sandbox_files.h"
#include "procs/sandbox_pause.h"
#include "reactor/arena.h"
#include "reactor/log.h"
#include "reactor/loop.h"
#include "reactor/own.h"
#include "reactor/sm.h"

enum down_state { BEGIN, PAUSE, NETWORK, LEASE, REST, DOWN, FAILED };

static const struct sm_state down_states[] = {
	[BEGIN]   = { "BEGIN",   TO(PAUSE) | TO(FAILED) },
	[PAUSE]   = { "PAUSE",   TO(NETWORK) },
	[NETWORK] = { "NETWORK", TO(REST) | TO(LEASE) | TO(FAILED) },
	[LEASE]   = { "LEASE",   TO(REST) | TO(FAILED) },
	[REST]    = { "REST",    TO(DOWN) },
	[DOWN]    = { "DOWN",    0 },
	[FAILED]  = { "FAILED",  0 },
};

struct sandbox_down {
	struct sm sm;
	struct sandbox *s; /* borrowed: the caller holds its lane */
	struct timer timer; /* the first turn */
	struct err err;
	sandbox_down_done *done;
	void *arg;
};

static void down_save(const struct sandbox *s)
{
	struct err e;

	if (sandbox_save(s, &e) < 0)
		log_error("sandbox_record sandbox=%.12s error=%s", s->id, log_quote(e.msg));
}

static void down_report(struct sandbox_down *d)
{
	struct sandbox_down o = *d;

	timer_clear(&d->timer);
	free(d);
	o.done(o.arg, o.sm.now == DOWN ? NULL : &o.err);
}

static void down_rest_step(struct sandbox_down *d)
{
	struct sandbox *s = d->s;
	uint32_t left = 0;

	sm_move(&d->sm, REST);
	if (s->made & MADE_NAMESPACES)
		keeper_namespaces_drop(s->id, s->netns_path);
	if (s->made & MADE_FILES)
		sandbox_files_remove(s);
	/* Below a cgroup_parent only the record tells that the group belongs to crisp, so a busy group stays in it.
	 * (ARCHITECTURE P14) */
	if ((s->made & MADE_CGROUP) && !cgroup_pod_remove(s))
		left = MADE_CGROUP;
	if (s->made || s->ips.n) {
		s->made = left;
		s->ips.n = 0; /* another pod may get the address from now on */
		down_save(s);
	}
	sm_move(&d->sm, DOWN);
	down_report(d);
}

/* The sandbox is listed from now on, so that the kubelet can see it and stop it again. */
static void down_fail(struct sandbox_down *d, const struct err *e)
{
	d->err = *e;
	err_wrap(&d->err, "give back the network of sandbox %.12s", d->s->id);
	d->s->hidden = false;
	down_save(d->s);
	sm_move(&d->sm, FAILED);
	down_report(d);
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
		return down_fail(d, e);
	if (e && never_up && d->sm.now == NETWORK) {
		sm_move(&d->sm, LEASE);
		return network_del(s, NETWORK_OUTSIDE, on_down_deleted, d);
	}
	if (e && (!never_up || s->hidden))
		return down_fail(d, e);
	s->made &= ~(uint32_t)MADE_NETWORK;
	down_rest_step(d);
}

static void down_network_step(struct sandbox_down *d)
{
	sm_move(&d->sm, NETWORK);
	if (d->s->made & MADE_NETWORK)
		network_del(d->s, NETWORK_WHOLE, on_down_deleted, d);
	else
		down_rest_step(d);
}

static void on_down_pause_dead(void *arg)
{
	struct sandbox_down *d = arg;

	d->s->made &= ~(uint32_t)MADE_PAUSE;
	down_network_step(d);
}

static void on_down_turn(struct timer *t)
{
	struct sandbox_down *d = container_of(t, struct sandbox_down, timer);

	struct err e;

	if ((d->s->made & MADE_NETWORK) && network_known(d->s, &e) < 0)
		return down_fail(d, &e);
	sm_move(&d->sm, PAUSE);
	if (d->s->made & MADE_PAUSE)
		sandbox_pause_kill(d->s, on_down_pause_dead, d);
	else
		down_network_step(d);
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
