/* sandbox_pause.c - see sandbox_pause.h. One watch per running pause; a kill is another short wait for the same death.
 *
 * A pause that outlived both daemons is no child of the keeper's and unknown to it: it is found again by its pid and
 * the time it began, and its death is told by a pidfd of our own. */
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
#include "reactor/log.h"
#include "reactor/loop.h"
#include "reactor/map.h"
#include "reactor/own.h"

enum { DEATH_MS = 2000, LAUNCH_MS = 10000, KINDS = 4 };

struct pause {
	struct exit_watch exit;
	struct fd_watch own;     /* of pidfd */
	int pidfd;               /* of one that the keeper does not know; -1 */
	struct sandbox *sandbox; /* outlives it: sandbox_down kills the pause first */
};

struct starting {
	struct arena *arena;
	struct sandbox *sandbox;
	sandbox_pause_done *done;
	void *arg;
	struct err err;
	struct timer timer; /* a failure before there was a child */
};

struct killing {
	struct exit_watch exit;
	struct fd_watch own; /* of pidfd */
	int pidfd;           /* of one that the keeper does not know; -1 */
	struct timer timer;
	char id[ID_SIZE];
	void (*done)(void *arg);
	void *arg;
};

static struct map watched; /* by sandbox id, of struct pause */

static const char *keep_id(const struct sandbox *s, char out[72])
{
	snprintf(out, 72, "pause/%s", s->id);
	return out;
}

static void unwatch(struct sandbox *s)
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

static void died(struct sandbox *s, int status)
{
	char id[72];

	log_warn("sandbox_pause_died sandbox=%.12s pid=%d status=%s", s->id, (int)s->pause_pid,
		 log_quote(status < 0 ? "unknown" : child_status_text(status)));
	s->pause_pid = 0;
	unwatch(s);
	sandbox_set_state(s, SANDBOX_NOTREADY);
	keeper_ask_forget(keep_id(s, id));
}

static void on_death(struct exit_watch *w, const struct exit_record *r)
{
	died(container_of(w, struct pause, exit)->sandbox, r->status);
}

static void on_own_death(struct fd_watch *w, int events)
{
	(void)events;
	died(container_of(w, struct pause, own)->sandbox, -1);
}

/* pidfd -1: the keeper knows it. Else it is taken. */
static void watch(struct sandbox *s, int pidfd)
{
	struct pause *p = new_zero(struct pause);
	char id[72];

	unwatch(s);
	p->sandbox = s;
	p->pidfd = pidfd;
	map_put(&watched, s->id, p);
	if (pidfd < 0)
		keeper_watch_exit(&p->exit, keep_id(s, id), on_death);
	else
		fd_watch_set(&p->own, pidfd, FD_READ, on_own_death);
}

bool sandbox_pause_adopt(struct sandbox *s)
{
	char id[72];
	const struct kept_report *k = keeper_report(keep_id(s, id));
	int pidfd = k ? -1 : pidstat_open(s->pause_pid, s->pause_start_ticks);

	if (k ? k->ended || k->pid != s->pause_pid : pidfd < 0)
		return false;
	if (!k)
		log_info("sandbox_pause_regained sandbox=%.12s pid=%d", s->id, (int)s->pause_pid);
	watch(s, pidfd);
	return true;
}

static void report(struct starting *st, const struct err *e)
{
	sandbox_pause_done *done = st->done;
	void *arg = st->arg;

	timer_clear(&st->timer);
	arena_free(st->arena);
	free(st);
	done(arg, e);
}

static void on_not_started(struct timer *t)
{
	struct starting *st = container_of(t, struct starting, timer);
	struct err e = st->err;

	report(st, &e);
}

/* Should it fail, the pause is the sandbox's already and goes with it. */
static void on_adopted(void *arg, const struct err *e)
{
	struct starting *st = arg;
	struct err died;

	if (!e && !st->sandbox->pause_pid) {
		err_set(&died, ERR_INTERNAL, "the pause of sandbox %.12s died at once", st->sandbox->id);
		e = &died;
	}
	report(st, e);
}

static void on_started(void *arg, const struct err *e, struct child_result *r)
{
	struct starting *st = arg;
	struct pidstat begun = { 0 };
	struct err mine;

	if (e || r->status != 0) {
		if (e)
			mine = *e;
		else
			err_set(&mine, ERR_INTERNAL, "%s", child_status_text(r->status));
		err_wrap(&mine, "start the pause");
		return report(st, &mine);
	}
	st->sandbox->pause_pid = r->pid;
	pidstat_read(r->pid, &begun); /* of one that is dead already the watch tells */
	st->sandbox->pause_start_ticks = begun.start_ticks;
	watch(st->sandbox, -1);
	cgroup_pod_adopt(st->sandbox, r->pid, on_adopted, st);
}

static int join(struct starting *st, struct child_spec *spec, struct err *e)
{
	const char *leaf = cgroup_pause_path(st->arena, st->sandbox->cgroup, st->sandbox->id);

	if (cgroup_unit(leaf))
		return 0; /* a scope is put around a process that runs */
	if (cgroup_make_leaf(leaf, e) < 0)
		return -1;
	spec->join_tasks = cgroup_tasks(st->arena, leaf);
	if (!cgroup_is_v2())
		return 0;
	spec->join_cgroup_fd = cgroup_dirfd(leaf, e);
	return spec->join_cgroup_fd < 0 ? -1 : 0;
}

static int enter(struct starting *st, int fds[KINDS], size_t *n, struct err *e)
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

/* The pod's user namespace has to own the PID namespace, or nobody in the pod could mount proc: so the pause makes both
 * inside, and tells the pid that it has outside. */
static int launch(struct starting *st, const char *argv[4], struct child_spec *spec, struct err *e)
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

/* As containerd has it the pause of a privileged pod bears no label of the pod's. */
static const char *const *environment(struct starting *st)
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
	spec.envp = environment(st);
	spec.keep_id = keep_id(s, id);
	if (join(st, &spec, &st->err) < 0 || enter(st, fds, &spec.nenter, &st->err) < 0 ||
	    launch(st, argv, &spec, &st->err) < 0)
		timer_set(&st->timer, 0, on_not_started);
	else
		child_start(&spec, on_started, st);
	if (spec.join_cgroup_fd > 0)
		close(spec.join_cgroup_fd);
}

static void dead(struct killing *k)
{
	void (*done)(void *arg) = k->done;
	void *arg = k->arg;
	char id[72];

	snprintf(id, sizeof(id), "pause/%s", k->id);
	keeper_unwatch_exit(&k->exit);
	keeper_ask_forget(id);
	fd_watch_clear(&k->own);
	if (k->pidfd >= 0)
		close(k->pidfd);
	timer_clear(&k->timer);
	free(k);
	done(arg);
}

static void on_killed(struct exit_watch *w, const struct exit_record *r)
{
	(void)r;
	dead(container_of(w, struct killing, exit));
}

static void on_own_killed(struct fd_watch *w, int events)
{
	(void)events;
	dead(container_of(w, struct killing, own));
}

static void on_patience(struct timer *t)
{
	struct killing *k = container_of(t, struct killing, timer);

	log_warn("sandbox_pause_lives sandbox=%.12s waited_ms=%d", k->id, DEATH_MS);
	dead(k);
}

static void on_none(struct timer *t)
{
	dead(container_of(t, struct killing, timer));
}

void sandbox_pause_kill(struct sandbox *s, void (*done)(void *arg), void *arg)
{
	struct killing *k = new_zero(struct killing);
	char id[72];
	const struct kept_report *kept = keeper_report(keep_id(s, id));
	int pidfd = kept && !kept->ended ? kept->pidfd : -1;

	unwatch(s);
	k->pidfd = kept ? -1 : pidstat_open(s->pause_pid, s->pause_start_ticks);
	s->pause_pid = 0;
	snprintf(k->id, sizeof(k->id), "%s", s->id);
	k->done = done;
	k->arg = arg;
	if (pidfd < 0 && k->pidfd < 0)
		return timer_set(&k->timer, 0, on_none);
	syscall(SYS_pidfd_send_signal, kept ? pidfd : k->pidfd, SIGKILL, NULL, 0);
	if (kept)
		keeper_watch_exit(&k->exit, id, on_killed);
	else
		fd_watch_set(&k->own, k->pidfd, FD_READ, on_own_killed);
	timer_set(&k->timer, DEATH_MS, on_patience);
}
