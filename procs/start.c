/* start.c - see start.h.
 *
 *   LOOK ---the paths of log and volumes are looked up---> LABEL
 *   LABEL ---volumes are labelled, or none needs it---> PREPARE
 *   PREPARE ---log, stdio, console---> RUN ---pid---> STARTED (life.c has it from here)
 *      |                                |
 *      |                                +---error---> UNDO ---deleted by the runtime, or not---> FAILED
 *      +---error, also of LOOK, LABEL---+---no usable program, no keeper: nothing to undo----------^
 *   RUN ---pid, of a checkpoint---> COMPARE ---has no more than the request---> STARTED, else UNDO
 *   LOOK ---an earlier start was cut off, and the runtime knows the container---> UNDO
 *
 *   FAILED records EXITED 128 StartError. Where no keeper was there to run a program, the container stays CREATED and
 *   can be started again. `starting` and `in_runtime` are on disk before RUN: after a crash start_adopt() asks the
 *   keeper whether the process runs, and the runtime whether `run` had begun. (ARCHITECTURE P28)
 * Waits on: lookup.h (LOOK), a child (LABEL), the runtime (RUN, UNDO), restored.h (COMPARE), one turn of the loop
 * (FAILED from LOOK, LABEL, PREPARE). */
#include "procs/start.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "procs/cgroup.h"
#include "procs/checkpoint.h"
#include "procs/console.h"
#include "procs/criu.h"
#include "procs/join.h"
#include "procs/keeper.h"
#include "procs/life.h"
#include "procs/log_pump.h"
#include "procs/logfile.h"
#include "procs/lookup.h"
#include "procs/mount_host.h"
#include "procs/oom.h"
#include "procs/restored.h"
#include "procs/runtime.h"
#include "procs/selinux.h"
#include "reactor/child.h"
#include "reactor/log.h"
#include "reactor/metric.h"
#include "reactor/own.h"
#include "reactor/sm.h"

enum { EXIT_CODE_START_ERROR = 128 };

enum start_state { LOOK, LABEL, PREPARE, RUN, COMPARE, UNDO, STARTED, FAILED };
static const struct sm_state start_states[] = {
	[LOOK]    = { "LOOK",    TO(LABEL) | TO(UNDO) | TO(FAILED) },
	[LABEL]   = { "LABEL",   TO(PREPARE) | TO(FAILED) },
	[PREPARE] = { "PREPARE", TO(RUN) | TO(FAILED) },
	[RUN]     = { "RUN",     TO(STARTED) | TO(COMPARE) | TO(UNDO) | TO(FAILED) },
	[COMPARE] = { "COMPARE", TO(STARTED) | TO(UNDO) },
	[UNDO]    = { "UNDO",    TO(FAILED) },
	[STARTED] = { "STARTED", 0 },
	[FAILED]  = { "FAILED",  0 },
};

static start_label *label_trees;

void start_open(start_label *label)
{
	label_trees = label;
}

struct start {
	struct sm sm;
	struct container *container;
	struct lookup *lookup;
	struct console_socket *console;
	int joined; /* a namespace that the runtime opens as /proc/<this daemon>/fd/<joined>; -1: none */
	struct timer timer;
	pid_t pid;
	bool refused; /* by start_refuse() or join_again(): the container's state stays */
	bool postponed; /* there was no keeper, or no room for a look-up, so the container is CREATED again */
	struct err err;
	start_done *done;
	void *arg;
};

static void start_report(struct start *s)
{
	start_done *done = s->done;
	void *arg = s->arg;
	struct err e = s->err;

	timer_clear(&s->timer);
	console_unlisten(s->console);
	if (s->joined >= 0)
		close(s->joined);
	lookup_free(s->lookup);
	free(s);
	done(arg, e.code == ERR_OK ? NULL : &e);
}

/* ---- failure ---- */

static void start_give_back(struct container *c)
{
	struct arena *a = arena_new();

	if (c->log)
		log_pump_close(c->log);
	c->log = NULL;
	keeper_ask_release_all(arena_printf(a, "container/%s/", c->id));
	keeper_ask_forget(c->id);
	cgroup_remove(c->cgroup);
	arena_free(a);
}

/* The container is CREATED as before the start, and can be started again. in_runtime stays as it is: while it is true,
 * the next start asks the runtime first. */
static void start_put_back(struct container *c)
{
	struct err e;

	start_give_back(c);
	c->starting = false;
	if (container_save(c, &e) < 0)
		log_warn("container_record container=%.12s error=%s", c->id, log_quote(e.msg));
}

/* Can the runtime have made anything of the container, as far as its state tells? */
static bool start_may_have_begun(const struct container *c)
{
	const struct runtime_handler *h = runtime_find(c->runtime);

	return c->in_runtime && (!h || runtime_knows(h, c->id));
}

static void on_start_failed(struct timer *t)
{
	struct start *s = container_of(t, struct start, timer);
	struct container *c = s->container;

	if (s->postponed) {
		start_put_back(c);
	} else if (!s->refused) {
		start_give_back(c);
		container_set_exited(c, EXIT_CODE_START_ERROR, "StartError", s->err.msg, loop_real_ns());
	}
	err_wrap(&s->err, "start container %.12s", c->id);
	start_report(s);
}

static void start_fail(struct start *s)
{
	sm_move(&s->sm, FAILED);
	timer_set(&s->timer, 0, on_start_failed);
}

static void on_start_undone(void *arg, const struct err *e, struct child_result *r)
{
	struct start *s = arg;

	(void)r;
	if (e)
		log_warn("runtime_delete container=%.12s error=%s", s->container->id, log_quote(e->msg));
	else
		s->container->in_runtime = false;
	start_fail(s);
}

/* ---- the way up ---- */

static void start_undo(struct start *s)
{
	struct container *c = s->container;

	sm_move(&s->sm, UNDO);
	runtime_delete(runtime_find(c->runtime), c->id, true, on_start_undone, s);
}

static int take_console(struct start *s)
{
	auto_fd int master = console_take(s->console, &s->err);

	if (master < 0)
		return -1;
	console_hold(s->container->id, master);
	return 0;
}

static void start_running(struct start *s)
{
	struct container *c = s->container;

	sm_move(&s->sm, STARTED);
	container_set_running(c, s->pid);
	life_begin(c);
	start_report(s);
}

/* The runtime's `delete` kills the first process; in a shared PID namespace the others would live on. */
static void on_start_compared(void *arg, const struct err *e)
{
	struct start *s = arg;

	if (!e)
		return start_running(s);
	s->err = *e;
	cgroup_kill(s->container->cgroup);
	start_undo(s);
}

static void on_start_ran(void *arg, const struct err *e, struct child_result *r)
{
	struct start *s = arg;
	struct container *c = s->container;

	if (e) {
		s->err = *e;
		s->postponed = e->code == ERR_UNAVAILABLE;
		if (e->code != ERR_FAILED_PRECONDITION && !s->postponed)
			return start_undo(s);
		c->in_runtime = s->postponed;
		return start_fail(s);
	}
	if (s->console && take_console(s) < 0)
		return start_undo(s);
	s->pid = r->pid;
	if (!*c->restore)
		return start_running(s);
	sm_move(&s->sm, COMPARE);
	restored_start(c, s->pid, on_start_compared, s);
}

/* A pipe whose write end the keeper holds: when the keeper releases it, the container reads end of file. The
 * container's read end does not depend on this daemon. */
static int start_open_stdin(const struct container *c, int *out, struct err *e)
{
	struct arena *a;
	int ends[2];

	if (pipe2(ends, O_CLOEXEC) < 0)
		return err_os(e, ERR_INTERNAL, "stdin pipe");
	/* Only the write end is non-blocking: the two ends of a pipe are two open file descriptions. */
	fcntl(ends[1], F_SETFL, O_NONBLOCK);
	a = arena_new();
	keeper_ask_hold(arena_printf(a, "container/%s/stdin", c->id), ends[1]);
	arena_free(a);
	close(ends[1]);
	*out = ends[0];
	return 0;
}

/* -1 with an error, or without a log. */
static int start_log(struct start *s)
{
	const char *path = s->container->log_path;
	struct looked *f = *path ? lookup_get(s->lookup, LOOKUP_LOG, path, &s->err) : NULL;

	if (!f || !f->error)
		return f ? f->fd : -1;
	errno = f->error;
	return logfile_error(path, &s->err);
}

static int start_open_streams(struct start *s, struct runtime_stdio *io)
{
	struct container *c = s->container;
	int log = start_log(s);

	if (log < 0 && *c->log_path)
		return -1;
	c->log = log_pump_open(c->id, c->bundle, c->log_path, log, &s->err);
	if (!c->log)
		return -1;
	if (c->config.tty) {
		s->console = console_listen(&s->err);
		if (!s->console)
			return -1;
		io->console_socket = console_socket_path(s->console);
		return 0;
	}
	io->out = log_pump_writer(c->log, false, &s->err);
	io->err = io->out < 0 ? -1 : log_pump_writer(c->log, true, &s->err);
	if (io->err < 0)
		return -1;
	return c->config.stdin_ ? start_open_stdin(c, &io->in, &s->err) : 0;
}

static uint32_t start_outside(const struct id_mappings *m, int64_t id)
{
	return m->at[0].host_id + (id < m->at[0].length ? (uint32_t)id : 0);
}

static int dup_cloexec(int fd)
{
	return fcntl(fd, F_DUPFD_CLOEXEC, 3);
}

/* A process in a user namespace opens /dev/stdout again, which needs FIFOs that its own uid owns. And its stdio must
 * not be /dev/null, with or without a terminal: crun 1.8.1 changes the owner of its stdio to the container's root,
 * which would change the host's /dev/null. */
static int own_streams(const struct container *c, struct runtime_stdio *io, struct err *e)
{
	const struct ns_options *ns = &c->sandbox->config.security.ns;
	int ends[2];

	if (!ns_has_user(ns))
		return 0;
	if (io->in < 0) {
		if (pipe2(ends, O_CLOEXEC) < 0)
			return err_os(e, ERR_INTERNAL, "stdin pipe");
		close(ends[1]);
		io->in = ends[0];
	}
	if (io->console_socket && ((io->out = dup_cloexec(io->in)) < 0 || (io->err = dup_cloexec(io->in)) < 0))
		return err_os(e, ERR_INTERNAL, "stdin pipe");
	for (const int *fd = (const int[]){ io->in, io->out, io->err, -2 }; *fd != -2; fd++)
		if (*fd >= 0 && fchown(*fd, start_outside(&ns->uids, c->uid), start_outside(&ns->gids, c->gid)) < 0)
			return err_os(e, ERR_INTERNAL, "give the stdio to the container");
	return 0;
}

/* The policy must let the container write the stdio that it inherits, and open it again as /dev/stdout. */
static int label_streams(const struct container *c, const struct runtime_stdio *io, struct err *e)
{
	const int fds[] = { io->in, io->out, io->err };

	for (size_t i = 0; i < 3; i++)
		if (fds[i] >= 0 && selinux_label_fd(fds[i], c->mount_label) < 0)
			return err_os(e, ERR_INTERNAL, "label the stdio");
	return 0;
}

static void close_streams(const struct runtime_stdio *io)
{
	const int fds[] = { io->in, io->out, io->err };

	for (size_t i = 0; i < 3; i++)
		if (fds[i] >= 0)
			close(fds[i]);
}

/* Reasons for which the container is not started and its state stays as it is. */
static int start_refuse(const struct container *c, struct err *e)
{
	static const char *const names[] = { "created", "running", "exited", "unknown" };

	if (c->state != CONTAINER_CREATED || c->starting)
		return err_set(e, ERR_FAILED_PRECONDITION, "it is %s, not created",
			       c->starting ? "starting" : names[c->state & 3]);
	if (c->removing)
		return err_set(e, ERR_FAILED_PRECONDITION, "it is being removed");
	if (c->sandbox->state != SANDBOX_READY)
		return err_set(e, ERR_FAILED_PRECONDITION, "its sandbox %.12s is not ready", c->sandbox->id);
	return 0;
}

static void on_start_restored(void *arg, const struct err *e, struct child_result *r)
{
	struct start *s = arg;
	struct container *c = s->container;
	struct arena *a = arena_new();
	const char *words = e ? criu_words(arena_printf(a, "%s/restore.log", c->bundle), a) : "";
	struct err why;

	if (*words && e->code == ERR_INTERNAL) {
		err_set(&why, ERR_INTERNAL, "CRIU could not restore it: %s", words);
		e = &why;
	}
	on_start_ran(s, e, r);
	arena_free(a);
}

/* Starts the processes of the checkpoint instead of the image's command. */
static void start_restore(struct start *s, const struct runtime_handler *h, const struct runtime_stdio *io)
{
	struct container *c = s->container;
	struct arena *a = arena_new();
	struct runtime_images images = {
		.dir = arena_printf(a, "%s/checkpoint", c->restore),
		.work = c->bundle,
		.criu_config = criu_config_path(c, a),
	};

	runtime_restore(h, c->id, c->bundle, c->cgroup, &images, io, on_start_restored, s);
	arena_free(a);
}

static void prepare_and_run(struct start *s)
{
	struct runtime_stdio io = { -1, -1, -1, NULL };
	struct container *c = s->container;
	const struct runtime_handler *h = runtime_find(c->runtime);
	int64_t begin_ns = loop_mono_ns();

	sm_move(&s->sm, PREPARE);
	if (!h) {
		err_set(&s->err, ERR_FAILED_PRECONDITION, "runtime handler %s is not configured any more", c->runtime);
		return start_fail(s);
	}
	oom_begin(c);
	c->starting = c->in_runtime = true;
	if (container_save(c, &s->err) < 0 || start_open_streams(s, &io) < 0 || own_streams(c, &io, &s->err) < 0 ||
	    label_streams(c, &io, &s->err) < 0) {
		c->in_runtime = false;
		close_streams(&io);
		return start_fail(s);
	}
	sm_move(&s->sm, RUN);
	metric_observe_ns(METRIC_stage_seconds, "prepare", loop_mono_ns() - begin_ns);
	if (*c->restore)
		start_restore(s, h, &io);
	else
		runtime_run(h, c->id, c->bundle, c->cgroup, &io, on_start_ran, s);
	close_streams(&io);
}

static void on_start_labelled(void *arg, const struct err *e)
{
	struct start *s = arg;

	if (!e)
		return prepare_and_run(s);
	s->err = *e;
	s->postponed = e->code == ERR_UNAVAILABLE;
	start_fail(s);
}

static bool start_relabels(const struct container *c, const struct mount_config *m)
{
	return *c->mount_label && m->selinux_relabel && !m->image[0];
}

/* The real paths of the mounts with selinux_relabel, NULL-terminated and in the arena. NULL with an error: a path
 * cannot be made, or it is one of the node's own that must not be relabelled. */
static const char *const *start_trees(struct start *s, struct arena *a, struct err *e)
{
	const struct container *c = s->container;
	const char **paths = arena_zalloc(a, (c->config.mounts.n + 1) * sizeof(*paths));
	size_t n = 0;

	for (size_t i = 0; i < c->config.mounts.n; i++) {
		const struct mount_config *m = &c->config.mounts.at[i];
		const struct looked *f;

		if (!start_relabels(c, m))
			continue;
		f = mount_host_path(s->lookup, LOOKUP_PLACE, m->host_path, e);
		if (!f || selinux_check_relabel(m->container_path, f->real, e) < 0)
			return NULL;
		paths[n++] = f->real;
	}
	return paths;
}

/* At StartContainer, because CreateContainer waits for nothing; the container looks at the files from now on. */
static void label_volumes(struct start *s)
{
	struct container *c = s->container;
	struct arena *a = arena_new();
	const char *const *paths = start_trees(s, a, &s->err);

	sm_move(&s->sm, LABEL);
	if (!paths)
		start_fail(s);
	else if (!paths[0])
		prepare_and_run(s);
	else
		label_trees(c->mount_label, paths, on_start_labelled, s);
	arena_free(a);
}

static void on_start_looked(void *arg, const struct err *e)
{
	struct start *s = arg;

	if (!e)
		return label_volumes(s);
	s->err = *e;
	s->postponed = e->code == ERR_UNAVAILABLE || e->code == ERR_RESOURCE_EXHAUSTED;
	start_fail(s);
}

static void start_look(struct start *s)
{
	struct container *c = s->container;

	c->starting = true; /* saved in PREPARE only: after a crash before it the container is CREATED again */
	s->lookup = lookup_new(c->sandbox->config.uid);
	if (*c->log_path)
		lookup_add(s->lookup, LOOKUP_LOG, c->log_path);
	for (size_t i = 0; i < c->config.mounts.n; i++)
		if (start_relabels(c, &c->config.mounts.at[i]) && c->config.mounts.at[i].host_path[0] == '/')
			lookup_add(s->lookup, LOOKUP_PLACE, c->config.mounts.at[i].host_path);
	if (lookup_try(s->lookup))
		label_volumes(s);
	else
		lookup_start(s->lookup, on_start_looked, s);
}

struct start *start_start(struct container *c, start_done *done, void *arg)
{
	struct start *s = new_zero(struct start);

	s->sm = (struct sm){ start_states, "start", c->id, LOOK };
	s->container = c;
	s->done = done;
	s->arg = arg;
	s->joined = -1;
	s->refused = start_refuse(c, &s->err) < 0 || join_again(c, &s->joined, &s->err) < 0;
	if (s->refused) {
		start_fail(s);
	} else if (start_may_have_begun(c)) {
		err_set(&s->err, ERR_INTERNAL, "the keeper died while it was starting");
		start_undo(s);
	} else {
		c->in_runtime = false;
		start_look(s);
	}
	return s;
}

/* ---- recovery ---- */

static void adopt_running(struct container *c)
{
	struct err e;

	c->log = log_pump_open(c->id, c->bundle, c->log_path, -1, &e);
	if (!c->log)
		log_error("container_log container=%.12s error=%s", c->id, log_quote(e.msg));
	life_begin(c);
	checkpoint_adopt(c);
}

void start_adopt(struct container *c)
{
	const struct kept_report *k = keeper_report(c->id);

	if (c->state == CONTAINER_RUNNING)
		return adopt_running(c);
	if (c->state == CONTAINER_CREATED && c->starting && k && *c->restore) {
		/* Its processes may be stopped, and nobody has compared them: they do not run. */
		cgroup_kill(c->cgroup);
	} else if (c->state == CONTAINER_CREATED && c->starting && k) {
		/* The keeper let the runtime finish after the crash: the container was started. */
		container_set_running(c, k->pid);
		return adopt_running(c);
	}
	if (c->state == CONTAINER_CREATED && c->starting && !start_may_have_begun(c)) {
		/* The keeper lets a runtime that it started end before it answers, so none runs. */
		c->in_runtime = false;
		start_put_back(c);
		log_info("start_cut_off container=%.12s effect=\"it is created again\"", c->id);
	}
	if (c->state == CONTAINER_CREATED && c->starting) {
		start_give_back(c);
		container_set_exited(c, EXIT_CODE_START_ERROR, "StartError", "the daemon died while it was starting",
				     loop_real_ns());
	}
	if (c->state == CONTAINER_EXITED && k)
		keeper_ask_forget(c->id);
	if (c->state == CONTAINER_EXITED && c->in_runtime)
		life_finish(c);
}
