/* life.c - see life.h.
 *
 *   ALIVE ---exit record---> DRAIN ---log at its end---> DELETE ---all killed, runtime done---> OVER
 *
 *   ALIVE of a handler with RUNTIME_WAITS: the runtime's `wait` tells the end. A wait that fails is asked again after
 *   AGAIN_MS: while the keeper is away without an end, else TRIES times. When the sandbox is dead, its containers were
 *   killed with it. One that fails while a stop is at SIGKILL is the end: DELETE is the next step.
 *   EXITED is recorded, and the waiters are told, between DRAIN and DELETE. A `delete` that fails leaves
 *   c->in_runtime set, so RemoveContainer deletes again.
 * Waits on: the keeper's exit record, or the runtime (ALIVE); the log pump (DRAIN); the kill of a large group, and the
 * runtime, which cannot remove the group before (DELETE). */
#include "procs/life.h"

#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "procs/cgroup.h"
#include "procs/console.h"
#include "procs/keeper.h"
#include "procs/log_late.h"
#include "procs/log_pump.h"
#include "procs/oom.h"
#include "procs/runtime.h"
#include "procs/stats_inside.h"
#include "reactor/child.h"
#include "reactor/log.h"
#include "reactor/metric.h"
#include "reactor/own.h"
#include "reactor/sm.h"

enum { STATUS_LOST = -1, EXIT_CODE_LOST = 255, AGAIN_MS = 500, TRIES = 10 };

enum life_state { ALIVE, DRAIN, DELETE, OVER };
static const struct sm_state life_states[] = {
	[ALIVE]  = { "ALIVE",  TO(DRAIN) },
	[DRAIN]  = { "DRAIN",  TO(DELETE) },
	[DELETE] = { "DELETE", TO(OVER) },
	[OVER]   = { "OVER",   0 },
};

struct life {
	struct sm sm;
	struct container *container;
	struct exit_watch watch;
	struct runtime_op *wait; /* under way */
	int tries;               /* waits that failed */
	struct timer timer;
	struct cgroup_wait killed;
	struct console *console; /* NULL: no tty */
	int status;
	int64_t at_ns;
	bool oom;
	struct link waiters; /* of struct container_wait.link */
};

static void life_free(struct life *l)
{
	l->container->life = NULL;
	stats_inside_end(l->container);
	timer_clear(&l->timer);
	keeper_unwatch_exit(&l->watch);
	if (l->wait)
		runtime_cancel(l->wait);
	if (list_linked(&l->killed.link))
		list_drop(&l->killed.link);
	free(l);
}

static struct life *life_new(struct container *c, enum life_state state)
{
	struct life *l = new_zero(struct life);

	assert(!c->life);
	l->sm = (struct sm){ life_states, "life", c->id, state };
	l->container = c;
	list_init(&l->waiters);
	c->life = l;
	return l;
}

/* ---- DELETE ---- */

/* A waiter may free the container, so neither it nor its life is used once the first waiter is called. */
static void life_over(struct life *l)
{
	struct link ready, *w;

	sm_move(&l->sm, OVER);
	list_init(&ready);
	while ((w = list_first(&l->waiters))) {
		list_drop(w);
		list_append(&ready, w);
	}
	life_free(l);
	while ((w = list_first(&ready))) {
		list_drop(w);
		container_of(w, struct container_wait, link)->fn(container_of(w, struct container_wait, link));
	}
}

static void on_life_deleted(void *arg, const struct err *e, struct child_result *r)
{
	struct life *l = arg;

	(void)r;
	if (e) {
		log_warn("runtime_delete container=%.12s error=%s", l->container->id, log_quote(e->msg));
	} else {
		l->container->in_runtime = false;
		cgroup_remove(l->container->cgroup);
	}
	life_over(l);
}

static void on_nothing_to_delete(struct timer *t)
{
	life_over(container_of(t, struct life, timer));
}

static void life_delete(struct life *l, bool force)
{
	struct container *c = l->container;
	const struct runtime_handler *h = container_handler(c);

	if (h) {
		runtime_delete(h, c->id, force, on_life_deleted, l);
		return;
	}
	log_warn("runtime_delete container=%.12s error=\"runtime handler %s is not configured any more\"", c->id,
		 c->runtime);
	timer_set(&l->timer, 0, on_nothing_to_delete);
}

/* ---- the end ---- */

static void record_exit(const struct life *l)
{
	struct container *c = l->container;
	int32_t code = WIFSIGNALED(l->status) ? 128 + WTERMSIG(l->status) : WEXITSTATUS(l->status);

	if (l->status == STATUS_LOST)
		return container_set_exited(c, EXIT_CODE_LOST, "Unknown",
					    l->tries ? "its exit status is lost: the runtime cannot tell it"
						   : "its exit status is lost: the keeper had died", l->at_ns);
	/* The OOM killer may have taken a child while the first process went on and ended by itself: that is no
	 * OOMKilled. (ARCHITECTURE P2) */
	c->oom_killed = l->oom && code == 128 + 9;
	container_set_exited(c, code, c->oom_killed ? "OOMKilled" : code ? "Error" : "Completed", "", l->at_ns);
}

static void on_life_killed(struct cgroup_wait *w)
{
	life_delete(container_of(w, struct life, killed), false);
}

static void on_life_log_over(struct timer *t)
{
	struct life *l = container_of(t, struct life, timer);
	struct container *c = l->container;

	log_late_close(c);
	record_exit(l); /* once that is on disk, the keeper forgets its own record */
	sm_move(&l->sm, DELETE);
	if (!cgroup_kill_wait(c->cgroup, &l->killed, on_life_killed))
		life_delete(l, false);
}

/* The pump must not be closed inside its own callback. */
static void on_life_drained(void *arg)
{
	struct life *l = arg;

	timer_set(&l->timer, 0, on_life_log_over);
}

static void life_drain_log(void *arg)
{
	struct life *l = arg;

	l->console = NULL;
	if (l->container->log)
		log_pump_drain(l->container->log, on_life_drained, l);
	else
		on_life_drained(l);
}

static void life_ended(struct life *l, int status, int64_t at_ns)
{
	struct container *c = l->container;

	sm_move(&l->sm, DRAIN);
	l->status = status;
	l->at_ns = at_ns;
	l->oom = oom_happened(c);
	if (l->oom) {
		metric_add(METRIC_container_oom_total, NULL, 1);
		log_warn("container_oom container=%.12s sandbox=%.12s limit_bytes=%lld "
			 "effect=\"the kernel has killed a process of it for want of memory\"",
			 c->id, c->sandbox->id, (long long)c->config.resources.memory_limit);
	}
	/* In a shared PID namespace its children live on, and so may a process of an exec. */
	cgroup_kill(c->cgroup);
	if (l->console)
		console_drain(l->console, life_drain_log, l);
	else
		life_drain_log(l);
}

static void on_life_exit(struct exit_watch *w, const struct exit_record *r)
{
	life_ended(container_of(w, struct life, watch), r->status, r->at_ns ? r->at_ns : loop_real_ns());
}

/* ---- a process that the keeper does not know: the anchor had been killed with both daemons ---- */

static void on_life_lost(struct timer *t)
{
	life_ended(container_of(t, struct life, timer), STATUS_LOST, loop_real_ns());
}

/* A pidfd of the recorded pid, if that process is in the container's cgroup; else the pid is another process's now. */
static int open_recorded_pid(const struct container *c)
{
	auto_fd int fd = c->pid > 0 ? (int)syscall(SYS_pidfd_open, c->pid, 0) : -1;

	return fd >= 0 && cgroup_has(c->cgroup, c->pid) ? take_fd(&fd) : -1;
}

/* The keeper watches it as any other; it is not its parent, so it may not learn how it ends (procs/keeper/kept.c). */
static void watch_unkept(struct life *l)
{
	auto_fd int pidfd = open_recorded_pid(l->container);

	log_warn("container_unkept container=%.12s alive=%d", l->container->id, pidfd >= 0);
	if (pidfd < 0)
		return timer_set(&l->timer, 0, on_life_lost);
	keeper_ask_keep(l->container->id, l->container->pid, pidfd);
	keeper_watch_exit(&l->watch, l->container->id, on_life_exit);
}

/* ---- a container whose end the runtime tells ---- */

static void life_ask(struct life *l);

/* What has no process, and no sandbox of its runtime, cannot die. (ARCHITECTURE H90) */
static bool life_sandbox_is_dead(const struct life *l)
{
	const struct sandbox *s = l->container->sandbox;

	if (sandbox_in_runtime(s))
		return s->state != SANDBOX_READY;
	return !s->pause_pid && (sandbox_boxed(s) || sandbox_has_pause(s));
}

static void on_life_ask_again(struct timer *t)
{
	struct life *l = container_of(t, struct life, timer);

	if (life_sandbox_is_dead(l))
		return life_ended(l, SIGKILL, loop_real_ns());
	life_ask(l);
}

static void on_life_waited(void *arg, const struct err *e, struct child_result *r)
{
	struct life *l = arg;

	l->wait = NULL;
	if (!e)
		return life_ended(l, r->status, loop_real_ns());
	if (e->code != ERR_UNAVAILABLE) {
		l->tries++;
		log_warn("runtime_wait container=%.12s try=%d error=%s", l->container->id, l->tries,
			 log_quote(e->msg));
	}
	/* It may live, but its runtime can neither kill it nor tell: what deletes it is next. (ARCHITECTURE H90) */
	if (e->code != ERR_UNAVAILABLE && l->container->killing)
		return life_ended(l, SIGKILL, loop_real_ns());
	if (l->tries >= TRIES && !life_sandbox_is_dead(l))
		return life_ended(l, STATUS_LOST, loop_real_ns());
	timer_set(&l->timer, AGAIN_MS, on_life_ask_again);
}

static void life_ask(struct life *l)
{
	const struct runtime_handler *h = container_handler(l->container);

	if (h)
		l->wait = runtime_wait(h, l->container->id, on_life_waited, l);
	else
		timer_set(&l->timer, 0, on_life_lost);
}

static bool life_is_waited_for(const struct container *c)
{
	const struct runtime_handler *h = container_handler(c);

	return h ? runtime_traits(h) & RUNTIME_WAITS : sandbox_boxed(c->sandbox);
}

void life_begin(struct container *c)
{
	struct life *l = life_new(c, ALIVE);

	if (c->config.tty && c->log)
		l->console = console_pump(c->id, c->log);
	if (stats_inside(c))
		stats_inside_begin(c);
	if (life_is_waited_for(c))
		life_ask(l);
	else if (keeper_report(c->id))
		keeper_watch_exit(&l->watch, c->id, on_life_exit);
	else
		watch_unkept(l);
}

void life_finish(struct container *c)
{
	life_delete(life_new(c, DELETE), true);
}

void life_wait(struct container *c, struct container_wait *w, void (*fn)(struct container_wait *w))
{
	assert(c->life && !list_linked(&w->link));
	w->fn = fn;
	list_append(&c->life->waiters, &w->link);
}

int life_pidfd(const struct container *c)
{
	const struct kept_report *k = keeper_report(c->id);

	return k && !k->ended ? k->pidfd : -1;
}

/* What no keeper keeps is known by its group. */
bool life_has_pid(const struct container *c)
{
	struct pollfd end = { .fd = life_pidfd(c), .events = POLLIN };

	return end.fd >= 0 ? poll(&end, 1, 0) == 0 : life_is_waited_for(c) && cgroup_has(c->cgroup, c->pid);
}
