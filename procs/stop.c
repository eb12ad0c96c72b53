/* stop.c - see stop.h. One machine (struct stopping) per container; a struct stop is a waiter in its list.
 *
 *   TERM ---grace over, or a later stop says 0---> KILL ---10 s over---> FAILED
 *     |                                              |
 *     +---------------EXITED, and recorded-----------+---> DEAD
 *
 * In KILL the container's whole cgroup is killed, since in a shared PID namespace children outlive the first
 * process. That is repeated every second: a process may have been forked behind a kill.
 * Waits on: container_wait(), one timer. */
#include "procs/stop.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "procs/cgroup.h"
#include "procs/checkpoint.h"
#include "procs/container.h"
#include "procs/life.h"
#include "procs/runtime.h"
#include "reactor/fault.h"
#include "reactor/log.h"
#include "reactor/own.h"
#include "reactor/sm.h"
#include "reactor/work.h"

enum { KILL_PATIENCE_MS = 10000, KILL_AGAIN_MS = 1000 };

enum stop_state { TERM, KILL, DEAD, FAILED };
static const struct sm_state stop_states[] = {
	[TERM]   = { "TERM",   TO(KILL) | TO(DEAD) | TO(FAILED) },
	[KILL]   = { "KILL",   TO(DEAD) | TO(FAILED) },
	[DEAD]   = { "DEAD",   0 },
	[FAILED] = { "FAILED", 0 },
};

struct stopping {
	struct sm sm;
	struct work work;
	char about[32]; /* of work */
	struct container *container;
	struct container_wait exited;
	struct runtime_op *kill; /* of RUNTIME_KILLS, under way */
	struct timer timer;
	int64_t kill_at_ns; /* loop_mono_ns(): when TERM ends; in KILL: when the stop fails */
	struct link waiters; /* of struct stop.link */
	struct err err; /* meaningful in FAILED */
};

struct stop {
	struct link link; /* in stopping->waiters */
	struct timer timer; /* calls `done` when there was nothing to stop */
	stop_done *done;
	void *arg;
};

static void stop_free(struct stop *s)
{
	if (list_linked(&s->link))
		list_drop(&s->link);
	timer_clear(&s->timer);
	free(s);
}

static void stop_tell(struct stop *s, const struct err *e)
{
	stop_done *done = s->done;
	void *arg = s->arg;

	stop_free(s);
	done(arg, e);
}

/* A waiter's `done` may cancel other waiters. So each stays on a list until its turn. */
static void stop_finish(struct stopping *m, enum stop_state to)
{
	struct err e = m->err;
	struct link ready, *l;

	sm_move(&m->sm, to);
	m->work.fault = to == FAILED ? e.msg : NULL;
	work_end(&m->work);
	m->container->stopping = NULL;
	m->container->killing = false;
	container_unwait(&m->exited);
	timer_clear(&m->timer);
	if (m->kill)
		runtime_cancel(m->kill);
	list_init(&ready);
	while ((l = list_first(&m->waiters))) {
		list_drop(l);
		list_append(&ready, l);
	}
	free(m);
	while ((l = list_first(&ready)))
		stop_tell(container_of(l, struct stop, link), to == DEAD ? NULL : &e);
}

static void on_stop_exited(struct container_wait *w)
{
	stop_finish(container_of(w, struct stopping, exited), DEAD);
}

/* A signal that failed is no failure of the stop: SIGKILL comes when the grace is over, and again each second. */
static void on_stop_told(void *arg, const struct err *e, struct child_result *r)
{
	struct stopping *m = arg;

	(void)r;
	m->kill = NULL;
	if (e)
		log_info("runtime_kill container=%.12s error=%s", m->container->id, log_quote(e->msg));
}

/* True: the signals of this container go through its runtime. */
static bool stop_by_runtime(struct stopping *m, int sig)
{
	const struct runtime_handler *h = container_handler(m->container);

	if (!h || !(runtime_traits(h) & RUNTIME_KILLS))
		return false;
	if (m->kill && sig == SIGKILL)
		runtime_cancel(take_ptr(&m->kill));
	if (!m->kill)
		m->kill = runtime_kill(h, m->container->id, sig, sig == SIGKILL, on_stop_told, m);
	return true;
}

/* A process that has ended is no failure: its exit record is on the way. */
static int stop_signal_send(struct stopping *m, int sig)
{
	const struct container *c = m->container;
	int pidfd;

	if (stop_by_runtime(m, sig))
		return 0;
	pidfd = life_pidfd(c);

	if (pidfd < 0 && c->life)
		return 0;
	if (pidfd < 0)
		return err_set(&m->err, ERR_UNAVAILABLE, "stop container %.12s: the keeper that holds it is away",
			       c->id);
	if (EFFECT(syscall(SYS_pidfd_send_signal, pidfd, sig, NULL, 0)) < 0 && errno != ESRCH)
		return err_os(&m->err, ERR_INTERNAL, "stop container %.12s: signal %d", c->id, sig);
	return 0;
}

static void on_stop_failed(struct timer *t)
{
	stop_finish(container_of(t, struct stopping, timer), FAILED);
}

static void on_stop_kill_again(struct timer *t)
{
	struct stopping *m = container_of(t, struct stopping, timer);

	if (loop_mono_ns() >= m->kill_at_ns) {
		err_set(&m->err, ERR_DEADLINE_EXCEEDED, "stop container %.12s: alive 10 s after SIGKILL%s",
			m->container->id,
			cgroup_frozen_above(m->container->cgroup) ? ": a cgroup above that of its pod is frozen" : "");
		return stop_finish(m, FAILED);
	}
	stop_by_runtime(m, SIGKILL);
	cgroup_kill(m->container->cgroup);
	timer_set(&m->timer, KILL_AGAIN_MS, on_stop_kill_again);
}

static void stop_kill(struct stopping *m)
{
	sm_move(&m->sm, KILL);
	m->container->killing = true;
	m->work.stage = "stop_kill";
	m->kill_at_ns = loop_mono_ns() + (int64_t)KILL_PATIENCE_MS * 1000000;
	if (stop_signal_send(m, SIGKILL) < 0) {
		timer_set(&m->timer, 0, on_stop_failed);
		return;
	}
	cgroup_kill(m->container->cgroup);
	timer_set(&m->timer, KILL_AGAIN_MS, on_stop_kill_again);
}

static void on_stop_grace_over(struct timer *t)
{
	struct stopping *m = container_of(t, struct stopping, timer);

	log_info("stop container=%.12s signal=9", m->container->id);
	stop_kill(m);
}

static void stop_term(struct stopping *m, int64_t grace_ms)
{
	int sig = m->container->stop_signal ? m->container->stop_signal : SIGTERM;

	log_info("stop container=%.12s signal=%d grace_ms=%lld", m->container->id, sig, (long long)grace_ms);
	m->kill_at_ns = loop_mono_ns() + grace_ms * 1000000;
	if (stop_signal_send(m, sig) < 0)
		timer_set(&m->timer, 0, on_stop_failed);
	else
		timer_set(&m->timer, grace_ms, on_stop_grace_over);
}

static void stop_begin(struct container *c, int64_t grace_ms)
{
	struct stopping *m = new_zero(struct stopping);

	m->sm = (struct sm){ stop_states, "stop", c->id, TERM };
	snprintf(m->about, sizeof(m->about), " container=%.12s", c->id);
	m->work = (struct work){ .kind = "stop", .stage = "stop_grace", .about = m->about, .patient = true };
	work_begin(&m->work);
	m->container = c;
	list_init(&m->waiters);
	c->stopping = m;
	container_wait(c, &m->exited, on_stop_exited);
	if (grace_ms > 0)
		stop_term(m, grace_ms);
	else
		stop_kill(m);
}

static void stop_shorten(struct stopping *m, int64_t grace_ms)
{
	int64_t at_ns = loop_mono_ns() + grace_ms * 1000000;

	if (m->sm.now != TERM || m->err.code != ERR_OK || at_ns >= m->kill_at_ns)
		return;
	if (grace_ms == 0)
		return stop_kill(m);
	m->kill_at_ns = at_ns;
	timer_set(&m->timer, grace_ms, on_stop_grace_over);
}

static void on_nothing_to_stop(struct timer *t)
{
	stop_tell(container_of(t, struct stop, timer), NULL);
}

struct stop *stop_start(struct container *c, int64_t grace_ms, stop_done *done, void *arg)
{
	struct stop *s = new_zero(struct stop);

	s->done = done;
	s->arg = arg;
	if (c->state != CONTAINER_RUNNING) {
		timer_set(&s->timer, 0, on_nothing_to_stop);
		return s;
	}
	checkpoint_yield(c);
	if (c->stopping)
		stop_shorten(c->stopping, grace_ms);
	else
		stop_begin(c, grace_ms);
	list_append(&c->stopping->waiters, &s->link);
	return s;
}

void stop_cancel(struct stop *s)
{
	stop_free(s);
}
