/* start.c - see start.h.
 *
 *   LOOK ---the paths of log and volumes are looked up---> LABEL
 *   LABEL ---volumes are labelled, or none needs it---> PREPARE
 *   PREPARE ---log, stdio, console---> RUN ---pid---> STARTED (life.c has it from here)
 *      |                                |
 *      |                                +---error---> UNDO ---deleted by the runtime, or not---> FAILED
 *      +---error, also of LOOK, LABEL---+---no usable program, no keeper: nothing to undo----------^
 *   RUN ---pid, of a checkpoint---> COMPARE ---has no more than the request---> STARTED, else UNDO
 *   LOOK ---the runtime still has what an earlier start left---> UNDO ---deleted---> LOOK
 *
 *   FAILED records EXITED 128 StartError. Where there was no keeper, no room on the disk or no descriptor, the
 *   container stays CREATED and can be started again. `starting` and `in_runtime` are on disk before RUN: after a crash
 *   start_adopt() asks the keeper whether the process runs, and the runtime whether `run` had begun. (ARCHITECTURE P28)
 * Waits on: lookup.h (LOOK), a child (LABEL), the runtime (RUN, UNDO), restored.h (COMPARE), one turn of the loop
 * (FAILED from LOOK, LABEL, PREPARE). */
#include "procs/start.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "procs/cgroup.h"
#include "procs/checkpoint.h"
#include "procs/console.h"
#include "procs/criu.h"
#include "procs/exec_inside.h"
#include "procs/join.h"
#include "procs/keeper.h"
#include "procs/life.h"
#include "procs/log_late.h"
#include "procs/log_pump.h"
#include "procs/log_undo.h"
#include "procs/mount_host.h"
#include "procs/oom.h"
#include "procs/restored.h"
#include "procs/runtime.h"
#include "procs/selinux.h"
#include "procs/start_stdio.h"
#include "procs/volume.h"
#include "reactor/child.h"
#include "reactor/log.h"
#include "reactor/logfile.h"
#include "reactor/lookup.h"
#include "reactor/own.h"
#include "reactor/sm.h"
#include "reactor/work.h"

enum { EXIT_CODE_START_ERROR = 128 };

enum start_state { LOOK, LABEL, PREPARE, RUN, COMPARE, UNDO, STARTED, FAILED };
static const struct sm_state start_states[] = {
	[LOOK]    = { "LOOK",    TO(LABEL) | TO(UNDO) | TO(FAILED) },
	[LABEL]   = { "LABEL",   TO(PREPARE) | TO(FAILED) },
	[PREPARE] = { "PREPARE", TO(RUN) | TO(FAILED) },
	[RUN]     = { "RUN",     TO(STARTED) | TO(COMPARE) | TO(UNDO) | TO(FAILED) },
	[COMPARE] = { "COMPARE", TO(STARTED) | TO(UNDO) },
	[UNDO]    = { "UNDO",    TO(LOOK) | TO(FAILED) },
	[STARTED] = { "STARTED", 0 },
	[FAILED]  = { "FAILED",  0 },
};

static start_label *label_trees;
static start_mount *mount_rootfs;

void start_open(start_label *label, start_mount *mount)
{
	label_trees = label;
	mount_rootfs = mount;
}

struct start {
	struct sm sm;
	struct container *container;
	struct lookup *lookup;
	struct console_socket *console;
	int joined; /* a namespace that the runtime opens as /proc/<this daemon>/fd/<joined>; -1: none */
	struct timer timer;
	pid_t pid;
	unsigned deaths; /* keeper_deaths() when the paths in config.json were made */
	bool refused; /* by start_refuse() or join_again(): the container's state stays */
	bool postponed; /* start_can_wait(): the container is CREATED again */
	bool afresh; /* UNDO is of an earlier start */
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
	log_late_give_up(c);
	cgroup_kill(c->cgroup); /* no keeper may know a process that began as the keeper died */
	cgroup_remove(c->cgroup);
}

/* The container is CREATED as before the start, and can be started again. in_runtime stays as it is: while it is true,
 * the next start asks the runtime first. */
static void start_put_back(struct container *c)
{
	auto_fd int log = log_late_copy(c);

	start_give_back(c);
	c->log_owed = log_undo(c->id, log, c->log_mark) < 0;
	keeper_ask_forget(c->id);
	c->starting = false;
	container_must_save(c);
}

/* There is no keeper, no room on the disk, no descriptor, or no room for a look-up. Nothing ran, and that says nothing
 * about the container: it can be started later. */
static bool start_can_wait(const struct err *e)
{
	return e->code == ERR_UNAVAILABLE || e->code == ERR_RESOURCE_EXHAUSTED;
}

/* config.json has paths of the anchor's or the keeper's fds (join.h), and what is under way may be killed with the
 * keeper: where one of them is dead, the failure of a runtime says nothing about the container. */
static void start_blame_keeper(struct start *s)
{
	bool keeper_died = keeper_deaths() != s->deaths;

	if (s->err.code != ERR_INTERNAL || (!keeper_died && !join_is_gone(s->container)))
		return;
	s->err.code = ERR_UNAVAILABLE;
	err_wrap(&s->err, "%s died meanwhile", keeper_died ? "the keeper" : "crisp-anchor");
}

/* Can the runtime have made anything of the container, as far as its state tells? */
static bool start_may_have_begun(const struct container *c)
{
	return c->in_runtime && (!container_handler(c) || runtime_knows(container_handler(c), c->id));
}

/* The same of the container's own program. */
static bool start_may_have_run(const struct container *c)
{
	return c->in_runtime && (!container_handler(c) || runtime_may_have_run(container_handler(c), c->id));
}

/* Does the runtime finish the start that was cut off? */
static bool start_is_taken_up(const struct container *c, pid_t *pid)
{
	return c->in_runtime && container_handler(c) && runtime_take_up(container_handler(c), c->id, pid);
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

static void start_look(struct start *s);

/* A shim, and its program, unmount the container's root file system when they give up what was made in a start that was
 * cut off. Without it nothing may run: a runtime would make its mount points in the bundle. (ARCHITECTURE K53) */
static bool start_rootfs_is_gone(const struct container *c)
{
	const struct runtime_handler *h = container_handler(c);
	char path[PATH_MAX];
	struct statx st;

	if (!h || !(runtime_traits(h) & RUNTIME_STREAMS))
		return false;
	snprintf(path, sizeof(path), "%s/rootfs", c->bundle);
	return statx(AT_FDCWD, path, AT_SYMLINK_NOFOLLOW, STATX_TYPE, &st) < 0 ||
	       !(st.stx_attributes & STATX_ATTR_MOUNT_ROOT);
}

static void on_start_undone(void *arg, const struct err *e, struct child_result *r)
{
	struct start *s = arg;

	(void)r;
	if (e)
		log_warn("runtime_delete container=%.12s error=%s", s->container->id, log_quote(e->msg));
	else
		s->container->in_runtime = false;
	if (!s->afresh)
		return start_fail(s);
	s->afresh = false;
	if (e) {
		s->err = *e;
		start_blame_keeper(s);
		s->postponed = start_can_wait(&s->err);
		return start_fail(s);
	}
	sm_move(&s->sm, LOOK);
	start_look(s);
}

/* ---- the way up ---- */

static void start_undo(struct start *s)
{
	struct container *c = s->container;

	sm_move(&s->sm, UNDO);
	runtime_delete(container_handler(c), c->id, true, on_start_undone, s);
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
		start_blame_keeper(s);
		s->postponed = start_can_wait(&s->err);
		/* No runtime runs. It may have left its state, until on_start_undone(). */
		c->in_runtime = start_may_have_begun(c);
		if (c->in_runtime || (e->code != ERR_FAILED_PRECONDITION && !s->postponed))
			return start_undo(s);
		return start_fail(s);
	}
	if (s->console && console_keep(c->id, s->console, &s->err) < 0) {
		s->postponed = start_can_wait(&s->err);
		return start_undo(s);
	}
	s->pid = sandbox_inside(c->sandbox) ? c->sandbox->pause_pid : r->pid;
	if (!*c->restore)
		return start_running(s);
	sm_move(&s->sm, COMPARE);
	restored_start(c, s->pid, on_start_compared, s);
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

/* Where an earlier start was put back and its words could not be cut off, they go now, or with the next start. */
static void start_mark_log(struct container *c, int log)
{
	c->log_owed = c->log_owed && log_undo(c->id, log, c->log_mark) < 0;
	if (!c->log_owed)
		c->log_mark = log_undo_mark(log);
}

static int start_open_streams(struct start *s, struct runtime_stdio *io)
{
	struct container *c = s->container;
	bool streams = runtime_traits(container_handler(c)) & RUNTIME_STREAMS;
	int log = start_log(s);

	if (log < 0 && *c->log_path)
		return -1;
	log_pump_forget(c->id);
	c->log = log_pump_open(c->id, c->bundle, c->log_path, log, &s->err);
	if (!c->log)
		return -1;
	io->terminal = c->config.tty;
	if (c->config.tty && !streams) {
		s->console = console_listen(&s->err);
		if (!s->console || console_hold_socket(c->id, s->console, &s->err) < 0)
			return -1;
		io->console_socket = console_socket_path(s->console);
		return 0;
	}
	io->out = log_pump_writer(c->log, false, &s->err);
	io->err = io->out < 0 || c->config.tty ? -1 : log_pump_writer(c->log, true, &s->err);
	if (io->out < 0 || (io->err < 0 && !c->config.tty))
		return -1;
	return c->config.stdin_ ? start_stdio_pipe(c, streams, &io->in, &s->err) : 0;
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
	struct runtime_stdio io = { .in = -1, .out = -1, .err = -1 };
	struct container *c = s->container;
	const struct runtime_handler *h = container_handler(c);
	int64_t since_ns = loop_mono_ns();
	char about[32];

	sm_move(&s->sm, PREPARE);
	if (!h) {
		err_set(&s->err, ERR_FAILED_PRECONDITION, "runtime handler %s is not configured any more", c->runtime);
		return start_fail(s);
	}
	if (start_rootfs_is_gone(c) && mount_rootfs(c, &s->err) < 0) {
		s->postponed = start_can_wait(&s->err);
		return start_fail(s);
	}
	oom_begin(c);
	c->starting = c->in_runtime = true;
	start_mark_log(c, *c->log_path ? start_log(s) : -1);
	if (container_save(c, &s->err) < 0 || start_open_streams(s, &io) < 0 ||
	    start_stdio_own(c, &io, &s->err) < 0 || start_stdio_label(c, &io, &s->err) < 0) {
		c->in_runtime = false;
		s->postponed = start_can_wait(&s->err);
		start_stdio_close(&io);
		return start_fail(s);
	}
	sm_move(&s->sm, RUN);
	snprintf(about, sizeof(about), " container=%.12s", c->id);
	work_step("prepare", about, &since_ns);
	if (*c->restore)
		start_restore(s, h, &io);
	else
		runtime_run(h, c->id, c->bundle, c->cgroup, &io, on_start_ran, s);
	start_stdio_close(&io);
}

static void on_start_labelled(void *arg, const struct err *e)
{
	struct start *s = arg;

	if (!e)
		return prepare_and_run(s);
	s->err = *e;
	s->postponed = start_can_wait(e);
	start_fail(s);
}

static bool start_relabels(const struct container *c, const struct mount_config *m)
{
	return *c->mount_label && m->selinux_relabel && !m->image[0];
}

/* The real paths of the mounts with selinux_relabel, and of the VOLUMEs, NULL-terminated and in the arena. NULL with an
 * error: a path cannot be made, or it is one of the node's own that must not be relabelled. */
static const char *const *start_trees(struct start *s, struct arena *a, struct err *e)
{
	struct container *c = s->container;
	const char **paths = arena_zalloc(a, (c->config.mounts.n + c->volumes.n + 1) * sizeof(*paths));
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
	for (size_t i = 0; *c->mount_label && i < c->volumes.n; i++)
		paths[n++] = volume_path(c, volume_of_image(c, i));
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
	s->postponed = start_can_wait(e);
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
	s->deaths = keeper_deaths();
	s->refused = start_refuse(c, &s->err) < 0 || join_again(c, &s->joined, &s->err) < 0;
	if (s->refused) {
		start_fail(s);
	} else if (container_handler(c) && start_may_have_begun(c)) {
		s->afresh = true;
		start_undo(s);
	} else {
		start_look(s);
	}
	return s;
}

/* ---- recovery ---- */

/* A container with a terminal that has none now was hung up. */
static bool adopt_has_terminal(const struct container *c, struct err *e)
{
	const struct runtime_handler *h = container_handler(c);

	return !c->config.tty || (h && runtime_traits(h) & RUNTIME_STREAMS) || console_regain(c->id, e) == 0;
}

static void adopt_running(struct container *c)
{
	struct err e;

	c->log = log_pump_open(c->id, c->bundle, c->log_path, -1, &e);
	if (!c->log)
		log_error("container_log container=%.12s error=%s", c->id, log_quote(e.msg));
	if (!adopt_has_terminal(c, &e))
		log_error("terminal container=%.12s error=%s", c->id, log_quote(e.msg));
	life_begin(c);
	exec_inside_sweep(c);
	checkpoint_adopt(c);
}

/* The terminal was lost between the runtime and the keeper. Its program has had none, and runs again: in_runtime stays,
 * so the next start deletes first what the runtime has. (ARCHITECTURE K50) */
static bool adopt_hung_up(struct container *c)
{
	struct err e;

	if (adopt_has_terminal(c, &e))
		return false;
	log_warn("start_cut_off container=%.12s error=%s effect=\"it is created again\"", c->id, log_quote(e.msg));
	start_put_back(c);
	return true;
}

void start_adopt(struct container *c)
{
	const struct kept_report *k = keeper_report(c->id);
	pid_t pid;

	if (c->state == CONTAINER_RUNNING)
		return adopt_running(c);
	if (c->state == CONTAINER_CREATED && c->starting && k && *c->restore) {
		/* Its processes may be stopped, and nobody has compared them: they do not run. */
		cgroup_kill(c->cgroup);
	} else if (c->state == CONTAINER_CREATED && c->starting && k && !adopt_hung_up(c)) {
		/* The runtime ended after the crash, of crispd or of both: the container was started. */
		container_set_running(c, k->pid);
		return adopt_running(c);
	}
	if (c->state == CONTAINER_CREATED && c->starting && start_is_taken_up(c, &pid)) {
		container_set_running(c, pid);
		return adopt_running(c);
	}
	if (c->state == CONTAINER_CREATED && c->starting && !start_may_have_run(c)) {
		/* The keeper lets a runtime that it started end before it answers, so none runs. */
		c->in_runtime = start_may_have_begun(c);
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
	if (c->state == CONTAINER_EXITED)
		log_late_adopt(c);
	if (c->state == CONTAINER_EXITED && c->in_runtime)
		life_finish(c);
}
