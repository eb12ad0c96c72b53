/* sandbox_pause.c - see sandbox_pause.h. Each running pause has one watch; a kill drops the watch and waits for the
 * death itself.
 *
 * A pause that outlived both daemons is not a child of the new keeper, which does not know it. crispd finds it again by
 * pid and start time, and learns of its death by a pidfd of its own. (ARCHITECTURE K10) */
#include "procs/sandbox_pause.h"

#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "procs/cgroup.h"
#include "procs/keeper.h"
#include "procs/pidstat.h"
#include "procs/sandbox_files.h"
#include "reactor/child.h"
#include "reactor/fault.h"
#include "reactor/log.h"
#include "reactor/loop.h"
#include "reactor/map.h"
#include "reactor/own.h"

enum { DEATH_MS = 10000, LAUNCH_MS = 10000, KINDS = 4 };

struct pause {
	struct exit_watch exit;
	struct fd_watch own;     /* of pidfd */
	int pidfd;               /* of a pause that the keeper does not know; else -1 */
	struct sandbox *sandbox; /* outlives this: sandbox_down kills the pause first */
};

struct starting {
	struct arena *arena;
	struct sandbox *sandbox;
	sandbox_pause_done *done;
	void *arg;
	struct err err;
	struct timer timer; /* reports a failure before there was a child */
};

struct killing {
	struct exit_watch exit;
	struct fd_watch own; /* of pidfd */
	int pidfd;           /* of a pause that the keeper does not know; else -1 */
	struct timer timer;
	struct sandbox *sandbox; /* borrowed: the caller holds its lane */
	sandbox_pause_done *done;
	void *arg;
};

static struct map watched; /* by sandbox id, of struct pause */

const char *sandbox_pause_keep_id(const struct sandbox *s, char out[72])
{
	snprintf(out, 72, "pause/%s", s->id);
	return out;
}

static void pause_unwatch(struct sandbox *s)
{
	struct pause *p = map_drop(&watched, s->id);

	if (!p)
		return;
	keeper_unwatch_exit(&p->exit);
	fd_watch_clear(&p->own);
	if (p->pidfd >= 0)
		close(p->pidfd);
	free(p);
}

static void pause_died(struct sandbox *s, int status)
{
	char id[72];

	log_warn("sandbox_pause_died sandbox=%.12s pid=%d status=%s", s->id, (int)s->pause_pid,
		 log_quote(status < 0 ? "unknown" : child_status_text(status)));
	s->pause_pid = 0;
	pause_unwatch(s);
	sandbox_set_state(s, SANDBOX_NOTREADY);
	keeper_ask_forget(sandbox_pause_keep_id(s, id));
}

static void on_pause_death(struct exit_watch *w, const struct exit_record *r)
{
	pause_died(container_of(w, struct pause, exit)->sandbox, r->status);
}

static void on_pause_own_death(struct fd_watch *w, int events)
{
	(void)events;
	pause_died(container_of(w, struct pause, own)->sandbox, -1);
}

/* pidfd -1: the keeper knows the pause. Else takes pidfd. */
static void pause_watch(struct sandbox *s, int pidfd)
{
	struct pause *p = new_zero(struct pause);
	char id[72];

	pause_unwatch(s);
	p->sandbox = s;
	p->pidfd = pidfd;
	map_put(&watched, s->id, p);
	if (pidfd < 0)
		keeper_watch_exit(&p->exit, sandbox_pause_keep_id(s, id), on_pause_death);
	else
		fd_watch_set(&p->own, pidfd, FD_READ, on_pause_own_death);
}

bool sandbox_pause_adopt(struct sandbox *s)
{
	char id[72];
	const struct kept_report *k = keeper_report(sandbox_pause_keep_id(s, id));
	int pidfd = k ? -1 : pidstat_open(s->pause_pid, s->pause_start_ticks);

	if (k ? k->ended || k->pid != s->pause_pid : pidfd < 0)
		return false;
	if (!k)
		log_info("sandbox_pause_regained sandbox=%.12s pid=%d", s->id, (int)s->pause_pid);
	pause_watch(s, pidfd);
	return true;
}

void sandbox_pause_began(struct sandbox *s, pid_t pid)
{
	struct pidstat begun = { 0 };

	s->pause_pid = pid;
	pidstat_read(pid, &begun); /* fails if the pause is dead already: then the watch reports the death */
	s->pause_start_ticks = begun.start_ticks;
	pause_watch(s, -1);
}

static void pause_report(struct starting *st, const struct err *e)
{
	sandbox_pause_done *done = st->done;
	void *arg = st->arg;

	timer_clear(&st->timer);
	arena_free(st->arena);
	free(st);
	done(arg, e);
}

static void on_pause_not_started(struct timer *t)
{
	struct starting *st = container_of(t, struct starting, timer);
	struct err e = st->err;

	pause_report(st, &e);
}

/* After a failure the pause runs and is in the sandbox; sandbox_down kills it with the rest. */
static void on_pause_adopted(void *arg, const struct err *e)
{
	struct starting *st = arg;
	struct err died;

	if (!e && !st->sandbox->pause_pid) {
		err_set(&died, ERR_INTERNAL, "the pause of sandbox %.12s died at once", st->sandbox->id);
		e = &died;
	}
	pause_report(st, e);
}

static void on_pause_started(void *arg, const struct err *e, struct child_result *r)
{
	struct starting *st = arg;
	struct err mine;

	if (e || r->status != 0) {
		if (e)
			mine = *e;
		else
			err_set(&mine, ERR_INTERNAL, "%s", child_status_text(r->status));
		err_wrap(&mine, "start the pause");
		return pause_report(st, &mine);
	}
	sandbox_pause_began(st->sandbox, r->pid);
	cgroup_pod_adopt(st->sandbox, r->pid, on_pause_adopted, st);
}

static int pause_join_group(struct starting *st, struct child_spec *spec, struct err *e)
{
	const char *leaf = cgroup_pause_path(st->arena, st->sandbox->cgroup, st->sandbox->id);

	if (cgroup_unit(leaf))
		return 0; /* systemd makes the scope around the running process: on_pause_started() */
	if (cgroup_make_leaf(leaf, e) < 0)
		return -1;
	spec->join_tasks = cgroup_tasks(st->arena, leaf);
	if (!cgroup_is_v2())
		return 0;
	spec->join_cgroup_fd = cgroup_dirfd(leaf, e);
	return spec->join_cgroup_fd < 0 ? -1 : 0;
}

static int pause_enter(struct starting *st, int fds[KINDS], size_t *n, struct err *e)
{
	const struct ns_options *ns = &st->sandbox->config.security.ns;
	const bool own[KINDS] = { ns->network != NS_NODE, ns->ipc != NS_NODE, ns->network != NS_NODE, ns_has_user(ns) };
	static const char *const kinds[KINDS] = { "net", "ipc", "uts", "user" };

	for (int i = 0; i < KINDS; i++) {
		int fd = own[i] ? keeper_copy(arena_printf(st->arena, "sandbox/%s/%s", st->sandbox->id, kinds[i])) : -1;

		if (own[i] && fd < 0)
			return err_set(e, ERR_INTERNAL, "start the pause: the %s namespace is not held", kinds[i]);
		if (fd >= 0)
			fds[(*n)++] = fd;
	}
	return 0;
}

/* The pod's user namespace has to own the PID namespace; else no process of the pod could mount proc. So the pause
 * itself makes the PID and the mount namespace inside the user namespace, and writes the pid that it has outside into a
 * file. */
static int pause_launch(struct starting *st, const char *argv[4], struct child_spec *spec, struct err *e)
{
	if (!ns_has_user(&st->sandbox->config.security.ns))
		return 0;
	spec->pidfile = sandbox_files_pidfile(st->sandbox, st->arena, e);
	spec->unshare = 0;
	spec->timeout_ms = LAUNCH_MS;
	argv[1] = "launch";
	argv[2] = spec->pidfile;
	return spec->pidfile ? 0 : -1;
}

/* As in containerd, the pause of a privileged pod does not get the pod's label. */
static const char *const *pause_environment(struct starting *st)
{
	const struct sandbox *s = st->sandbox;
	const char **env = arena_zalloc(st->arena, 3 * sizeof(*env));
	size_t n = 0;

	if (*s->mount_label)
		env[n++] = arena_printf(st->arena, "options=mode=0555,context=\"%s\"", s->mount_label);
	if (*s->process_label && !s->config.security.privileged)
		env[n++] = arena_printf(st->arena, "label=%s", s->process_label);
	return n ? env : NULL;
}

void sandbox_pause_start(struct sandbox *s, const char *program, sandbox_pause_done *done, void *arg)
{
	struct starting *st = new_zero(struct starting);
	const char *argv[4] = { program };
	struct child_spec spec = { .argv = argv, .unshare = CLONE_NEWPID | CLONE_NEWNS, .oom_score_adj = -998 };
	int fds[KINDS];
	char id[72];

	st->arena = arena_new();
	st->sandbox = s;
	st->done = done;
	st->arg = arg;
	spec.enter = fds;
	spec.envp = pause_environment(st);
	spec.keep_id = sandbox_pause_keep_id(s, id);
	spec.stage = "pause_start";
	spec.about = arena_printf(st->arena, " sandbox=%.12s", s->id);
	if (pause_join_group(st, &spec, &st->err) < 0 || pause_enter(st, fds, &spec.nenter, &st->err) < 0 ||
	    pause_launch(st, argv, &spec, &st->err) < 0)
		timer_set(&st->timer, 0, on_pause_not_started);
	else
		child_start(&spec, on_pause_started, st);
	if (spec.join_cgroup_fd > 0)
		close(spec.join_cgroup_fd);
}

/* e NULL: it is dead. Until then the sandbox and the keeper know it. */
static void pause_kill_done(struct killing *k, const struct err *e)
{
	sandbox_pause_done *done = k->done;
	void *arg = k->arg;
	char id[72];

	keeper_unwatch_exit(&k->exit);
	if (!e) {
		keeper_ask_forget(sandbox_pause_keep_id(k->sandbox, id));
		k->sandbox->pause_pid = 0;
	}
	fd_watch_clear(&k->own);
	if (k->pidfd >= 0)
		close(k->pidfd);
	timer_clear(&k->timer);
	free(k);
	done(arg, e);
}

static void on_pause_killed(struct exit_watch *w, const struct exit_record *r)
{
	(void)r;
	pause_kill_done(container_of(w, struct killing, exit), NULL);
}

static void on_pause_own_killed(struct fd_watch *w, int events)
{
	(void)events;
	pause_kill_done(container_of(w, struct killing, own), NULL);
}

static void on_pause_kill_late(struct timer *t)
{
	struct killing *k = container_of(t, struct killing, timer);
	struct err e;

	err_set(&e, ERR_DEADLINE_EXCEEDED, "process %d is alive %d s after SIGKILL", (int)k->sandbox->pause_pid,
		DEATH_MS / 1000);
	pause_kill_done(k, &e);
}

static void on_pause_none(struct timer *t)
{
	pause_kill_done(container_of(t, struct killing, timer), NULL);
}

/* On v1 a frozen process dies of SIGKILL once it is thawed, which is part of the kill of its group. */
static void pause_kill_group(const struct sandbox *s)
{
	struct arena *a = arena_new();

	cgroup_kill(cgroup_pause_path(a, s->cgroup, s->id));
	arena_free(a);
}

void sandbox_pause_kill(struct sandbox *s, sandbox_pause_done *done, void *arg)
{
	struct killing *k = new_zero(struct killing);
	char id[72];
	const struct kept_report *kept = keeper_report(sandbox_pause_keep_id(s, id));
	int pidfd = kept && !kept->ended ? kept->pidfd : -1;

	pause_unwatch(s);
	k->pidfd = kept ? -1 : pidstat_open(s->pause_pid, s->pause_start_ticks);
	k->sandbox = s;
	k->done = done;
	k->arg = arg;
	pause_kill_group(s); /* also a pause that began as its keeper died, of which no keeper knows */
	if (pidfd < 0 && k->pidfd < 0)
		return timer_set(&k->timer, 0, on_pause_none);
	EFFECT(syscall(SYS_pidfd_send_signal, kept ? pidfd : k->pidfd, SIGKILL, NULL, 0));
	if (kept)
		keeper_watch_exit(&k->exit, id, on_pause_killed);
	else
		fd_watch_set(&k->own, k->pidfd, FD_READ, on_pause_own_killed);
	timer_set(&k->timer, DEATH_MS, on_pause_kill_late);
}
