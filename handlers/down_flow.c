/* down_flow.c - see sandbox_flow.h: StopPodSandbox and RemovePodSandbox, one machine.
 *
 *                        +---a removal joined meanwhile--------+
 *                        v                                     |
 *   LANE ---turn---> CONTAINERS ---all stopped or removed---> DOWN ---done---> DONE (removal: the sandbox is freed)
 *                        |                                     |                 ^
 *                        |                                     +---busy group--> GROUP (removal) ---gone---+
 *                        |                                     |                 |
 *                        +---one failed---> FAILED <---failed--+-----------------+ late
 *
 * DONE and FAILED: all calls that joined are answered.
 *
 * The sandbox is NOTREADY as soon as the call comes, so that no container is created or started in it any more. A
 * sandbox that is still being made (hidden) is given up, and freed by a stop too: its RunPodSandbox never succeeds.
 * Waits on: the sandbox's lane; each container's lane and stop, or its removal; procs/sandbox_down.c; the sandbox's
 * group, for GROUP_MS. */
#include <stdlib.h>
#include <string.h>

#include "api.pb-c.h"
#include "handlers/nri.h"
#include "handlers/remove_flow.h"
#include "handlers/sandbox_flow.h"
#include "procs/cgroup.h"
#include "procs/checkpoint.h"
#include "procs/sandbox_down.h"
#include "procs/sandbox_up.h"
#include "procs/stop.h"
#include "reactor/log.h"
#include "reactor/own.h"
#include "reactor/sm.h"

enum { LANE, CONTAINERS, DOWN, GROUP, DONE, FAILED };
enum { GROUP_MS = 10000 };

static const struct sm_state down_states[] = {
	[LANE] = { "LANE", TO(CONTAINERS) },
	[CONTAINERS] = { "CONTAINERS", TO(CONTAINERS) | TO(DOWN) | TO(FAILED) },
	[DOWN] = { "DOWN", TO(CONTAINERS) | TO(GROUP) | TO(DONE) | TO(FAILED) },
	[GROUP] = { "GROUP", TO(DONE) | TO(FAILED) },
	[DONE] = { "DONE", 0 },
	[FAILED] = { "FAILED", 0 },
};

struct down {
	struct sm sm;
	struct link of_all;
	struct link stop_waiters, remove_waiters; /* of rpc_link() */
	struct sandbox *sandbox;
	char id[ID_SIZE];
	bool remove, was_ready;
	struct lane_pass pass;
	struct cgroup_wait group;
	struct timer timer; /* GROUP */
	size_t pending; /* containers that are not stopped or removed yet */
	struct err err; /* first failure; code OK: none */
	void (*done)(void *arg); /* of sandbox_flow_discard() */
	void *arg;
};

/* One container that is being stopped or removed. */
struct leaver {
	struct down *down;
	struct container *container;
	struct lane_pass pass;
	struct removal_wait removal;
};

static struct link downs = { &downs, &downs };

static void on_down(void *arg, const struct err *e);

static void down_answer(struct down *d)
{
	Runtime__V1__StopPodSandboxResponse stopped = RUNTIME__V1__STOP_POD_SANDBOX_RESPONSE__INIT;
	Runtime__V1__RemovePodSandboxResponse removed = RUNTIME__V1__REMOVE_POD_SANDBOX_RESPONSE__INIT;

	if (d->err.code == ERR_OK) {
		rpc_reply_all(&d->stop_waiters, &stopped);
		rpc_reply_all(&d->remove_waiters, &removed);
	} else {
		rpc_fail_all(&d->stop_waiters, &d->err);
		rpc_fail_all(&d->remove_waiters, &d->err);
	}
	if (d->done)
		d->done(d->arg);
}

/* What could not be given back is listed, so that its owner can try again. */
static void down_show(struct sandbox *s)
{
	if (!s->hidden || s->remnant)
		return;
	s->hidden = false;
	sandbox_must_save(s);
}

static void down_tell(const struct down *d)
{
	if (d->was_ready && !d->sandbox->hidden)
		nri_tell_pod(NRI_STOP_POD, d->sandbox, NULL, NULL);
	if (d->remove && !d->sandbox->hidden)
		nri_tell_pod(NRI_REMOVE_POD, d->sandbox, NULL, NULL);
}

static void down_finish(struct down *d)
{
	list_drop(&d->of_all);
	lane_leave(&d->pass);
	timer_clear(&d->timer);
	if (d->err.code == ERR_OK) {
		sm_move(&d->sm, DONE);
		log_info("sandbox_%s sandbox=%.12s", d->remove ? "removed" : "stopped", d->id);
		d->sandbox->leaving = false;
		down_tell(d);
		if (d->remove || d->sandbox->hidden)
			sandbox_free(d->sandbox);
	} else {
		d->sandbox->leaving = false;
		sm_move(&d->sm, FAILED);
		down_show(d->sandbox);
		if (d->done)
			log_warn("sandbox_discard sandbox=%.12s error=%s", d->id, log_quote(d->err.msg));
	}
	down_answer(d);
	free(d);
}

static void containers_out(struct down *d);

static void down_one_ended(struct down *d, const struct err *e)
{
	if (e && d->err.code == ERR_OK)
		d->err = *e;
	if (--d->pending)
		return;
	if (d->err.code != ERR_OK)
		return down_finish(d);
	if (d->remove && !list_empty(&d->sandbox->containers)) {
		sm_move(&d->sm, CONTAINERS); /* a removal joined while the containers were stopped */
		return containers_out(d);
	}
	sm_move(&d->sm, DOWN);
	sandbox_down_start(d->sandbox, on_down, d);
}

static void on_leaver_removed(struct removal_wait *w, const struct err *e)
{
	struct leaver *l = container_of(w, struct leaver, removal);
	struct down *d = l->down;

	free(l);
	down_one_ended(d, e);
}

static void on_leaver_stopped(void *arg, const struct err *e)
{
	struct leaver *l = arg;
	struct down *d = l->down;

	lane_leave(&l->pass);
	free(l);
	down_one_ended(d, e);
}

static void on_leaver_turn(struct lane_pass *p)
{
	struct leaver *l = container_of(p, struct leaver, pass);

	stop_start(l->container, 0, on_leaver_stopped, l);
}

static void containers_out(struct down *d)
{
	d->pending = 1; /* this function: no container may be the last one while the list is walked */
	list_each(link, &d->sandbox->containers) {
		struct leaver *l = new_zero(struct leaver);

		l->down = d;
		l->container = container_of(link, struct container, of_sandbox);
		d->pending++;
		if (d->remove || l->container->removing) {
			l->removal.fn = on_leaver_removed;
			remove_flow(l->container, &l->removal);
		} else {
			checkpoint_yield(l->container);
			lane_enter(&l->container->lane, &l->pass, on_leaver_turn);
		}
	}
	down_one_ended(d, NULL);
}

static void on_down_group(struct cgroup_wait *w)
{
	struct down *d = container_of(w, struct down, group);

	d->sandbox->made &= ~(uint32_t)MADE_CGROUP;
	down_finish(d);
}

static void on_down_group_late(struct timer *t)
{
	struct down *d = container_of(t, struct down, timer);

	list_drop(&d->group.link);
	err_set(&d->err, ERR_DEADLINE_EXCEEDED,
		"the cgroup of sandbox %.12s is busy: a process is in it that does not end", d->id);
	down_finish(d);
}

/* The record goes once the group is gone: nothing else tells that a group below a cgroup_parent belongs to crisp.
 * (ARCHITECTURE P14) */
static bool down_waits_for_group(struct down *d)
{
	struct sandbox *s = d->sandbox;

	if (!(s->made & MADE_CGROUP) || !(d->remove || s->hidden) ||
	    !cgroup_pod_remove_wait(s, &d->group, on_down_group))
		return false;
	sm_move(&d->sm, GROUP);
	timer_set(&d->timer, GROUP_MS, on_down_group_late);
	return true;
}

static void on_down(void *arg, const struct err *e)
{
	struct down *d = arg;

	if (e)
		d->err = *e;
	else if (d->remove && !list_empty(&d->sandbox->containers)) {
		sm_move(&d->sm, CONTAINERS); /* a removal joined while the network was given back */
		return containers_out(d);
	} else if (down_waits_for_group(d)) {
		return;
	}
	down_finish(d);
}

static void on_down_turn(struct lane_pass *p)
{
	struct down *d = container_of(p, struct down, pass);

	sm_move(&d->sm, CONTAINERS);
	containers_out(d);
}

static struct down *down_of(struct sandbox *s)
{
	list_each(l, &downs) {
		struct down *d = container_of(l, struct down, of_all);

		if (d->sandbox == s)
			return d;
	}
	return NULL;
}

static struct down *down_start(struct sandbox *s, bool remove)
{
	struct down *d = down_of(s);

	if (!d) {
		d = new_zero(struct down);
		memcpy(d->id, s->id, sizeof(d->id));
		d->sm = (struct sm){ down_states, "down", d->id, LANE };
		d->sandbox = s;
		list_init(&d->stop_waiters);
		list_init(&d->remove_waiters);
		list_append(&downs, &d->of_all);
		d->was_ready = s->state == SANDBOX_READY;
		if (d->was_ready)
			sandbox_set_state(s, SANDBOX_NOTREADY);
		s->leaving = true;
		if (s->up)
			sandbox_up_cancel(s->up);
		lane_enter(&s->lane, &d->pass, on_down_turn);
	}
	d->remove |= remove;
	return d;
}

void sandbox_flow_stop(struct rpc *r, struct sandbox *s)
{
	list_append(&down_start(s, false)->stop_waiters, rpc_link(r));
}

void sandbox_flow_remove(struct rpc *r, struct sandbox *s)
{
	list_append(&down_start(s, true)->remove_waiters, rpc_link(r));
}

void sandbox_flow_discard(struct sandbox *s, void (*done)(void *arg), void *arg)
{
	struct down *d = down_start(s, true);

	d->done = done;
	d->arg = arg;
}
