/* exec.c - see exec.h.
 *
 *   SPAWN ---pid---> RUN ---exit record---> FLUSH ---both pipes at EOF, or 200 ms---> DONE
 *     |               |
 *     |               +---timeout, cancel---> KILL ---exit record, or 2 s---> DONE
 *     +---timeout, cancel---> DOOMED ---pid---> KILL      DOOMED ---error---> DONE
 *     +---error---> DONE
 *
 * DOOMED: the runtime is not killed half-way, because nobody would know the process that it may have started. A timeout
 * in SPAWN is reported at once; a timeout in RUN is reported when the process tree is dead. After the report, or after
 * exec_cancel(), the machine runs on without a caller until DONE. The container may be freed before its exec ends, so
 * nothing of it is used after SPAWN.
 * Waits on: the runtime (SPAWN, DOOMED), the keeper's exit record and the pipes (RUN, FLUSH, KILL), one timer.
 * (ARCHITECTURE P6) */
#include "procs/exec.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "procs/exec_end.h"
#include "procs/exec_file.h"
#include "procs/exec_inside.h"
#include "procs/keeper.h"
#include "procs/life.h"
#include "procs/runtime.h"
#include "reactor/buf.h"
#include "reactor/child.h"
#include "reactor/log.h"
#include "reactor/loop.h"
#include "reactor/own.h"
#include "reactor/sm.h"

enum { FLUSH_MS = 200, KILL_PATIENCE_MS = 2000, READ_MAX = 64 * 1024 };

enum exec_state { SPAWN, RUN, FLUSH, KILL, DOOMED, DONE };
static const struct sm_state exec_states[] = {
	[SPAWN]  = { "SPAWN",  TO(RUN) | TO(DOOMED) | TO(DONE) },
	[RUN]    = { "RUN",    TO(FLUSH) | TO(KILL) },
	[FLUSH]  = { "FLUSH",  TO(DONE) },
	[KILL]   = { "KILL",   TO(DONE) },
	[DOOMED] = { "DOOMED", TO(KILL) | TO(DONE) },
	[DONE]   = { "DONE",   0 },
};

struct stream {
	struct fd_watch watch;
	int fd; /* -1: at its end */
	struct buf got;
};

static size_t held; /* bytes of output of all execs */

struct exec {
	struct sm sm;
	char id[ID_SIZE];
	char keep_id[sizeof(((struct exit_watch *)0)->id)]; /* "exec/<id>" */
	struct arena *arena;
	struct exec_file file;
	const char *cgroup; /* the container's; a copy, since the container may be freed earlier */
	const char *container; /* its id, a copy too */
	const struct runtime_handler *handler;
	struct stream out, err;
	bool cut; /* a part of the output was dropped */
	struct timer timer;  /* the caller's timeout; then FLUSH and KILL */
	struct exec_end end;
	pid_t pid;
	int32_t exit_code;
	struct err fault;
	exec_done *done; /* NULL: reported or cancelled */
	void *arg;
};

static void stream_close(struct stream *s)
{
	fd_watch_clear(&s->watch);
	if (s->fd >= 0)
		close(take_fd(&s->fd));
}

static size_t exec_held(const struct exec *x)
{
	return x->out.got.len + x->err.got.len;
}

static void exec_free(struct exec *x)
{
	timer_clear(&x->timer);
	exec_end_unwatch(&x->end);
	keeper_ask_forget(x->keep_id);
	stream_close(&x->out);
	stream_close(&x->err);
	held -= exec_held(x);
	buf_free(&x->out.got);
	buf_free(&x->err.got);
	exec_file_remove(&x->file);
	arena_free(x->arena);
	free(x);
}

static void exec_report(struct exec *x)
{
	struct exec_result r = { .out = x->out.got.at,
				 .err = x->err.got.at,
				 .out_len = x->out.got.len,
				 .err_len = x->err.got.len,
				 .exit_code = x->exit_code };
	exec_done *done = x->done;

	x->done = NULL;
	if (done)
		done(x->arg, x->fault.code == ERR_OK ? NULL : &x->fault, x->fault.code == ERR_OK ? &r : NULL);
}

static void exec_finish(struct exec *x)
{
	sm_move(&x->sm, DONE);
	exec_report(x);
	exec_free(x);
}

/* ---- output ---- */

/* The bytes of output that may still be kept. */
static size_t exec_room(const struct exec *x)
{
	size_t have = exec_held(x), all = held < EXEC_OUTPUTS_MAX ? EXEC_OUTPUTS_MAX - held : 0;
	size_t own = have < EXEC_OUTPUT_MAX ? EXEC_OUTPUT_MAX - have : 0;
	size_t least = have < EXEC_OUTPUT_MIN ? EXEC_OUTPUT_MIN - have : 0;

	all = all > least ? all : least;
	return own < all ? own : all;
}

/* What is over is read and dropped, so that the command never blocks on a full pipe. After the first byte that was
 * dropped nothing more is kept: the output has a beginning and no holes. (ARCHITECTURE P36) */
static void exec_drop(struct exec *x, ssize_t n)
{
	if (n <= 0 || x->cut)
		return;
	x->cut = true;
	log_info("exec id=%.12s output=cut kept=%zu all_execs=%zu", x->id, exec_held(x), held);
}

static void exec_read(struct exec *x, struct stream *s)
{
	size_t room = x->cut ? 0 : exec_room(x);
	static char sink[READ_MAX];
	ssize_t n;

	if (room) {
		n = buf_read(&s->got, s->fd, room < READ_MAX ? room : READ_MAX);
		held += n > 0 ? (size_t)n : 0;
	} else {
		n = read(s->fd, sink, sizeof(sink));
		exec_drop(x, n);
	}
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n <= 0)
		stream_close(s);
}

static void exec_output(struct exec *x, struct stream *s)
{
	exec_read(x, s);
	if (x->sm.now == FLUSH && x->out.fd < 0 && x->err.fd < 0)
		exec_finish(x);
}

static void on_exec_out(struct fd_watch *w, int events)
{
	struct exec *x = container_of(w, struct exec, out.watch);

	(void)events;
	exec_output(x, &x->out);
}

static void on_exec_err(struct fd_watch *w, int events)
{
	struct exec *x = container_of(w, struct exec, err.watch);

	(void)events;
	exec_output(x, &x->err);
}

static int exec_open_pipe(struct exec *x, const struct container *c, struct stream *s, const char *name, int *theirs,
			  struct err *e)
{
	int ends[2];

	if (exec_file_pipe(&x->file, x->arena, c, x->id, name, ends, e) < 0)
		return -1;
	fcntl(ends[0], F_SETFL, O_NONBLOCK);
	s->fd = ends[0];
	*theirs = ends[1];
	return 0;
}

/* ---- the process ---- */

/* What the command wrote is in the pipe since its exit, though crispd may have had no CPU to read it: the timer runs
 * before a watch that is due in the same turn. What others write from now on is not waited for. (ARCHITECTURE K52) */
static void exec_read_rest(struct exec *x, struct stream *s)
{
	int waiting = 0;

	if (s->fd >= 0 && ioctl(s->fd, FIONREAD, &waiting) < 0)
		return;
	for (; waiting > 0 && s->fd >= 0; waiting -= READ_MAX)
		exec_read(x, s);
}

static void on_exec_over(struct timer *t)
{
	struct exec *x = container_of(t, struct exec, timer);

	exec_read_rest(x, &x->out);
	exec_read_rest(x, &x->err);
	exec_finish(x);
}

/* The patience begins when the whole tree has its SIGKILL. */
static void on_exec_kill_over(struct timer *t)
{
	struct exec *x = container_of(t, struct exec, timer);

	if (exec_tree_busy(x->pid))
		return timer_set(&x->timer, KILL_PATIENCE_MS, on_exec_kill_over);
	exec_finish(x);
}

static void on_exec_exit(struct exec_end *end, int status)
{
	struct exec *x = container_of(end, struct exec, end);

	if (x->sm.now == KILL)
		return exec_finish(x);
	x->exit_code = WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
	if (status == -1)
		err_set(&x->fault, ERR_INTERNAL, "exec: its exit status is lost: its keeper had died");
	sm_move(&x->sm, FLUSH);
	if (x->out.fd < 0 && x->err.fd < 0)
		return exec_finish(x);
	/* A background child may hold the pipes for ever. */
	timer_set(&x->timer, FLUSH_MS, on_exec_over);
}

static void exec_kill(struct exec *x)
{
	sm_move(&x->sm, KILL);
	exec_inside_kill(x->handler, x->container, x->file.pidfile);
	exec_kill_tree(x->pid, x->cgroup);
	timer_set(&x->timer, KILL_PATIENCE_MS, on_exec_kill_over);
}

static void on_exec_timeout(struct timer *t)
{
	struct exec *x = container_of(t, struct exec, timer);

	err_set(&x->fault, ERR_DEADLINE_EXCEEDED, "exec: the command ran into its timeout");
	if (x->sm.now == RUN)
		return exec_kill(x);
	sm_move(&x->sm, DOOMED);
	exec_report(x);
}

static void on_exec_spawned(void *arg, const struct err *e, struct child_result *r)
{
	struct exec *x = arg;

	if (e) {
		if (x->sm.now == SPAWN)
			x->fault = *e;
		return exec_finish(x);
	}
	x->pid = r->pid;
	exec_end_watch(&x->end, x->handler, x->container, x->keep_id, on_exec_exit);
	if (x->sm.now == DOOMED)
		return exec_kill(x);
	sm_move(&x->sm, RUN);
}

/* ---- the way in ---- */

static int exec_spawn(struct exec *x, const struct container *c, const struct strings *cmd, struct err *e)
{
	const struct runtime_handler *h = exec_runtime(c, cmd, e);
	auto_fd int out = -1, err = -1;

	if (!h)
		return -1;
	if (exec_open_pipe(x, c, &x->out, "stdout", &out, e) < 0 ||
	    exec_open_pipe(x, c, &x->err, "stderr", &err, e) < 0 ||
	    exec_file_write(&x->file, x->arena, c, x->id, cmd, false, e) < 0)
		return -1;
	x->handler = h;
	fd_watch_set(&x->out.watch, x->out.fd, FD_READ, on_exec_out);
	fd_watch_set(&x->err.watch, x->err.fd, FD_READ, on_exec_err);
	runtime_exec(h,
		     &(struct runtime_exec){ c->id, c->bundle, c->cgroup, x->file.process, x->file.pidfile,
					     x->keep_id, life_pidfd(c), c->pid,
					     (int)c->config.resources.oom_score_adj },
		     &(struct runtime_stdio){ .in = -1, .out = out, .err = err }, on_exec_spawned, x);
	return 0;
}

struct exec *exec_sync(struct container *c, const struct strings *cmd, int64_t timeout_ms, exec_done *done, void *arg)
{
	struct exec *x = new_zero(struct exec);

	id_random(x->id);
	snprintf(x->keep_id, sizeof(x->keep_id), "exec/%s", x->id);
	x->sm = (struct sm){ exec_states, "exec", x->id, SPAWN };
	x->arena = arena_new();
	x->cgroup = arena_strdup(x->arena, c->cgroup);
	x->container = arena_strdup(x->arena, c->id);
	x->out.fd = x->err.fd = -1;
	x->done = done;
	x->arg = arg;
	if (exec_spawn(x, c, cmd, &x->fault) < 0)
		timer_set(&x->timer, 0, on_exec_over);
	else if (timeout_ms > 0)
		timer_set(&x->timer, timeout_ms, on_exec_timeout);
	return x;
}

void exec_cancel(struct exec *x)
{
	x->done = NULL;
	if (x->sm.now == RUN)
		return exec_kill(x);
	if (x->sm.now != SPAWN || x->fault.code != ERR_OK)
		return;
	timer_clear(&x->timer);
	sm_move(&x->sm, DOOMED);
}
