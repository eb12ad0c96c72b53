/* start.c - see start.h.
 *
 *   LABEL ---volumes have its label, or none is to---> PREPARE
 *   PREPARE ---log, stdio, console---> RUN ---pid---> STARTED (life.c has it from here)
 *      |                                |
 *      |                                +---error---> UNDO ---runtime deleted it, or could not---> FAILED
 *      +---error, LABEL's too-----------+---no usable program, so nothing to undo------------------^
 *
 *   FAILED records EXITED 128 StartError. `starting` is on disk before RUN: after a crash the keeper's word decides
 *   (start_adopt).
 * Waits on: a child (LABEL), the runtime (RUN, UNDO), one turn of the loop (FAILED from LABEL, PREPARE). */
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
#include "procs/mount_host.h"
#include "procs/oom.h"
#include "procs/runtime.h"
#include "procs/selinux.h"
#include "reactor/child.h"
#include "reactor/log.h"
#include "reactor/metric.h"
#include "reactor/own.h"
#include "reactor/sm.h"

enum { EXIT_CODE_START_ERROR = 128 };

enum start_state { LABEL, PREPARE, RUN, UNDO, STARTED, FAILED };
static const struct sm_state start_states[] = {
	[LABEL]   = { "LABEL",   TO(PREPARE) | TO(FAILED) },
	[PREPARE] = { "PREPARE", TO(RUN) | TO(FAILED) },
	[RUN]     = { "RUN",     TO(STARTED) | TO(UNDO) | TO(FAILED) },
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
	struct console_socket *console;
	int joined; /* fd of a namespace that the runtime opens through us; -1 */
	struct timer timer;
	bool refused; /* it could not be started at all: its state stays */
	struct err err;
	start_done *done;
	void *arg;
};

static void report(struct start *s)
{
	start_done *done = s->done;
	void *arg = s->arg;
	struct err e = s->err;

	timer_clear(&s->timer);
	console_unlisten(s->console);
	if (s->joined >= 0)
		close(s->joined);
	free(s);
	done(arg, e.code == ERR_OK ? NULL : &e);
}

/* ---- failure ---- */

static void give_back(struct container *c)
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

static void on_failed(struct timer *t)
{
	struct start *s = container_of(t, struct start, timer);
	struct container *c = s->container;

	if (!s->refused) {
		give_back(c);
		container_set_exited(c, EXIT_CODE_START_ERROR, "StartError", s->err.msg, loop_real_ns());
	}
	err_wrap(&s->err, "start container %.12s", c->id);
	report(s);
}

static void fail(struct start *s)
{
	sm_move(&s->sm, FAILED);
	timer_set(&s->timer, 0, on_failed);
}

static void on_undone(void *arg, const struct err *e, struct child_result *r)
{
	struct start *s = arg;

	(void)r;
	if (e)
		log_warn("runtime_delete container=%.12s error=%s", s->container->id, log_quote(e->msg));
	else
		s->container->in_runtime = false;
	fail(s);
}

/* ---- the way up ---- */

static void undo(struct start *s)
{
	struct container *c = s->container;

	sm_move(&s->sm, UNDO);
	runtime_delete(runtime_find(c->runtime), c->id, true, on_undone, s);
}

static int take_console(struct start *s)
{
	auto_fd int master = console_take(s->console, &s->err);

	if (master < 0)
		return -1;
	console_hold(s->container->id, master);
	return 0;
}

static void on_ran(void *arg, const struct err *e, struct child_result *r)
{
	struct start *s = arg;
	struct container *c = s->container;

	if (e) {
		s->err = *e;
		if (e->code != ERR_FAILED_PRECONDITION)
			return undo(s);
		c->in_runtime = false;
		return fail(s);
	}
	if (s->console && take_console(s) < 0)
		return undo(s);
	sm_move(&s->sm, STARTED);
	container_set_running(c, r->pid);
	life_begin(c);
	report(s);
}

/* A pipe, whose write end we and the keeper hold: its end is EOF for the container. The read end outlives both of
 * us. */
static int open_stdin(const struct container *c, int *out, struct err *e)
{
	struct arena *a;
	int ends[2];

	if (pipe2(ends, O_CLOEXEC) < 0)
		return err_os(e, ERR_INTERNAL, "stdin pipe");
	/* Only the writer's end is non-blocking: ends of a pipe are two open files. */
	fcntl(ends[1], F_SETFL, O_NONBLOCK);
	a = arena_new();
	keeper_ask_hold(arena_printf(a, "container/%s/stdin", c->id), ends[1]);
	arena_free(a);
	close(ends[1]);
	*out = ends[0];
	return 0;
}

static int open_streams(struct start *s, struct runtime_stdio *io)
{
	struct container *c = s->container;

	c->log = log_pump_open(c->id, c->bundle, c->log_path, &s->err);
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
	return c->config.stdin_ ? open_stdin(c, &io->in, &s->err) : 0;
}

static uint32_t outside(const struct id_mappings *m, int64_t id)
{
	return m->at[0].host_id + (id < m->at[0].length ? (uint32_t)id : 0);
}

static int dup_cloexec(int fd)
{
	return fcntl(fd, F_DUPFD_CLOEXEC, 3);
}

/* In a user namespace the process could not open /dev/stdout again while the FIFOs are ours. And /dev/null must not be
 * what it is started with, terminal or not: crun 1.8.1 gives the host's node, which the container has too, to the
 * container's root. */
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
		if (*fd >= 0 && fchown(*fd, outside(&ns->uids, c->uid), outside(&ns->gids, c->gid)) < 0)
			return err_os(e, ERR_INTERNAL, "give the stdio to the container");
	return 0;
}

/* What the container inherits it must be allowed to write, and to open again as /dev/stdout. */
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

/* What speaks against starting it at all. */
static int refuse(const struct container *c, struct err *e)
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

static void on_restored(void *arg, const struct err *e, struct child_result *r)
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
	on_ran(s, e, r);
	arena_free(a);
}

/* The processes of a checkpoint in place of the first one of the image. */
static void restore(struct start *s, const struct runtime_handler *h, const struct runtime_stdio *io)
{
	struct container *c = s->container;
	struct arena *a = arena_new();
	struct runtime_images images = {
		.dir = arena_printf(a, "%s/checkpoint", c->restore),
		.work = c->bundle,
		.criu_config = criu_config_path(c, a),
	};

	runtime_restore(h, c->id, c->bundle, c->cgroup, &images, io, on_restored, s);
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
		return fail(s);
	}
	oom_begin(c);
	c->starting = c->in_runtime = true;
	if (container_save(c, &s->err) < 0 || open_streams(s, &io) < 0 || own_streams(c, &io, &s->err) < 0 ||
	    label_streams(c, &io, &s->err) < 0) {
		c->in_runtime = false;
		close_streams(&io);
		return fail(s);
	}
	sm_move(&s->sm, RUN);
	metric_observe_ns(METRIC_stage_seconds, "prepare", loop_mono_ns() - begin_ns);
	if (*c->restore)
		restore(s, h, &io);
	else
		runtime_run(h, c->id, c->bundle, c->cgroup, &io, on_ran, s);
	close_streams(&io);
}

static void on_labelled(void *arg, const struct err *e)
{
	struct start *s = arg;

	if (!e)
		return prepare_and_run(s);
	s->err = *e;
	fail(s);
}

/* The real paths of the mounts that ask for it, NULL-terminated and in the arena. NULL: none may be made, or is the
 * node's own. */
static const char *const *trees(const struct container *c, struct arena *a, struct err *e)
{
	const char **paths = arena_zalloc(a, (c->config.mounts.n + 1) * sizeof(*paths));
	size_t n = 0;

	for (size_t i = 0; *c->mount_label && i < c->config.mounts.n; i++) {
		const struct mount_config *m = &c->config.mounts.at[i];

		if (!m->selinux_relabel || m->image[0])
			continue;
		paths[n] = mount_host_path(a, m->host_path, e);
		if (!paths[n])
			return NULL;
		if (selinux_check_relabel(m->container_path, paths[n++], e) < 0)
			return NULL;
	}
	return paths;
}

/* Here and not at CreateContainer, which waits for nothing: it is the last moment before the files are looked at. */
static void label_volumes(struct start *s)
{
	struct container *c = s->container;
	struct arena *a = arena_new();
	const char *const *paths = trees(c, a, &s->err);

	c->starting = true; /* on disk only with PREPARE: a crash before leaves it as created */
	if (!paths)
		fail(s);
	else if (!paths[0])
		prepare_and_run(s);
	else
		label_trees(c->mount_label, paths, on_labelled, s);
	arena_free(a);
}

struct start *start_start(struct container *c, start_done *done, void *arg)
{
	struct start *s = new_zero(struct start);

	s->sm = (struct sm){ start_states, "start", c->id, LABEL };
	s->container = c;
	s->done = done;
	s->arg = arg;
	s->joined = -1;
	s->refused = refuse(c, &s->err) < 0 || join_again(c, &s->joined, &s->err) < 0;
	if (s->refused)
		fail(s);
	else
		label_volumes(s);
	return s;
}

/* ---- recovery ---- */

static void adopt_running(struct container *c)
{
	struct err e;

	c->log = log_pump_open(c->id, c->bundle, c->log_path, &e);
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
	if (c->state == CONTAINER_CREATED && c->starting && k) {
		/* The keeper let the runtime finish its work: it started. */
		container_set_running(c, k->pid);
		return adopt_running(c);
	}
	if (c->state == CONTAINER_CREATED && c->starting) {
		give_back(c);
		container_set_exited(c, EXIT_CODE_START_ERROR, "StartError", "the daemon died while it was starting",
				     loop_real_ns());
	}
	if (c->state == CONTAINER_EXITED && k)
		keeper_ask_forget(c->id);
	if (c->state == CONTAINER_EXITED && c->in_runtime)
		life_finish(c);
}
