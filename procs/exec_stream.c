/* exec_stream.c - see exec_stream.h.
 *
 *   SPAWN ---pid, terminal's master---> RUN ---exit record---> FLUSH ---end of outputs, or 200 ms of silence---> DONE
 *     |                                  |                       +---no client---> DONE
 *     |                                  +---no terminal came: killed, the error told---> RUN without a client
 *     +---error---> DONE
 *
 * The container may be freed before its exec ends, so nothing of it is used after SPAWN.
 * Waits on: the runtime (SPAWN), the keeper's exit record (RUN), both outputs unless paused and the input (RUN, FLUSH),
 * a timer. */
#include "procs/exec_stream.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

#include "procs/console.h"
#include "procs/exec.h"
#include "procs/exec_end.h"
#include "procs/exec_file.h"
#include "procs/feed.h"
#include "procs/keeper.h"
#include "procs/life.h"
#include "procs/runtime.h"
#include "procs/runtime_tell.h"
#include "reactor/child.h"
#include "reactor/log.h"
#include "reactor/loop.h"
#include "reactor/own.h"
#include "reactor/sm.h"

enum { QUIET_MS = 200, READ_MAX = 32 * 1024 };

enum exec_stream_state { SPAWN, RUN, FLUSH, DONE };
static const struct sm_state exec_stream_states[] = {
	[SPAWN] = { "SPAWN", TO(RUN) | TO(DONE) },
	[RUN]   = { "RUN",   TO(FLUSH) },
	[FLUSH] = { "FLUSH", TO(DONE) },
	[DONE]  = { "DONE",  0 },
};

struct output {
	int fd;	      /* -1: a terminal's, or at its end */
	bool dropped; /* read, and thrown away: the client did not ask for it */
	struct fd_watch watch;
};

struct exec_stream {
	struct stdio stdio;
	struct sm sm;
	char id[ID_SIZE];
	char keep_id[sizeof(((struct exit_watch *)0)->id)]; /* "exec/<id>" */
	struct arena *arena;
	struct exec_file file;
	struct console_socket *console; /* NULL: no tty */
	int master;                     /* of the tty; both outputs' fd is -1 or this */
	int in;                         /* write end of its stdin; -1: none, or closed */
	struct output out, err;
	struct feed feed;
	bool paused;
	struct winsize size; /* the client may ask for one before the terminal is here */
	struct timer timer;  /* SPAWN: the error's turn; FLUSH: silence */
	struct exec_end end;
	const struct runtime_handler *handler;
	const char *container; /* its id, a copy */
	bool wants_in;
	bool streams, tty;     /* RUNTIME_STREAMS: the terminal is the runtime's */
	bool runs;             /* the runtime has started it */
	int32_t exit_code;
	struct err fault;
};

static void on_exec_stream_out(struct fd_watch *w, int events);
static void on_exec_stream_err(struct fd_watch *w, int events);
static void on_exec_stream_quiet(struct timer *t);

static struct exec_stream *exec_stream_of(struct stdio *s)
{
	return container_of(s, struct exec_stream, stdio);
}

static void close_fd(int *fd)
{
	if (*fd >= 0)
		close(take_fd(fd));
}

static void exec_stream_close_output(struct exec_stream *x, struct output *o)
{
	fd_watch_clear(&o->watch);
	if (o->fd != x->master)
		close_fd(&o->fd);
	o->fd = -1;
}

static void exec_stream_free(struct exec_stream *x)
{
	timer_clear(&x->timer);
	exec_end_unwatch(&x->end);
	keeper_ask_forget(x->keep_id);
	feed_close(&x->feed);
	exec_stream_close_output(x, &x->out);
	exec_stream_close_output(x, &x->err);
	close_fd(&x->in);
	close_fd(&x->master);
	console_unlisten(x->console);
	exec_file_remove(&x->file);
	arena_free(x->arena);
	free(x);
}

static void exec_stream_report(struct exec_stream *x)
{
	const struct stdio_events *events = x->stdio.events;

	x->stdio.events = NULL;
	if (events)
		events->ended(x->stdio.arg, x->fault.code == ERR_OK ? NULL : &x->fault, x->exit_code);
}

static void exec_stream_finish(struct exec_stream *x)
{
	sm_move(&x->sm, DONE);
	exec_stream_report(x);
	exec_stream_free(x);
}

/* ---- output ---- */

/* Over at once when the client has all output, or has left; else after QUIET_MS of silence. A paused client is waited
 * for. */
static void exec_stream_check_flushed(struct exec_stream *x)
{
	if (x->sm.now != FLUSH)
		return;
	if (!x->stdio.events || (x->out.fd < 0 && x->err.fd < 0))
		timer_set(&x->timer, 0, on_exec_stream_quiet);
	else if (x->paused)
		timer_clear(&x->timer);
	else
		timer_set(&x->timer, QUIET_MS, on_exec_stream_quiet);
}

static void watch_outputs(struct exec_stream *x)
{
	if (x->out.fd >= 0)
		fd_watch_set(&x->out.watch, x->out.fd, x->paused ? 0 : FD_READ, on_exec_stream_out);
	if (x->err.fd >= 0)
		fd_watch_set(&x->err.watch, x->err.fd, x->paused ? 0 : FD_READ, on_exec_stream_err);
	exec_stream_check_flushed(x);
}

static bool output_waits(const struct output *o)
{
	struct pollfd p = { .fd = o->fd, .events = POLLIN };

	return poll(&p, 1, 0) > 0;
}

/* It was not silent when crispd had no CPU to hear it: the timer runs before a watch that is due in the same turn.
 * (ARCHITECTURE K52) */
static void on_exec_stream_quiet(struct timer *t)
{
	struct exec_stream *x = container_of(t, struct exec_stream, timer);

	if (x->sm.now == FLUSH && x->stdio.events && (output_waits(&x->out) || output_waits(&x->err)))
		return timer_set(t, QUIET_MS, on_exec_stream_quiet);
	exec_stream_finish(x);
}

static void read_output(struct exec_stream *x, struct output *o, bool is_stderr)
{
	static char bytes[READ_MAX];
	ssize_t n = read(o->fd, bytes, sizeof(bytes));

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n <= 0) /* EIO of a terminal: no process has the slave open */
		exec_stream_close_output(x, o);
	else if (x->stdio.events && !o->dropped)
		x->stdio.events->output(x->stdio.arg, is_stderr, bytes, (size_t)n);
	exec_stream_check_flushed(x);
}

static void on_exec_stream_out(struct fd_watch *w, int events)
{
	struct exec_stream *x = container_of(w, struct exec_stream, out.watch);

	(void)events;
	read_output(x, &x->out, false);
}

static void on_exec_stream_err(struct fd_watch *w, int events)
{
	struct exec_stream *x = container_of(w, struct exec_stream, err.watch);

	(void)events;
	read_output(x, &x->err, true);
}

/* ---- what the client says ---- */

static void on_exec_stream_taken(struct feed *f, size_t n)
{
	struct exec_stream *x = container_of(f, struct exec_stream, feed);

	if (x->stdio.events)
		x->stdio.events->taken(x->stdio.arg, n);
}

/* A client's ^D is a byte among the others. */
static void exec_stream_end_input(struct exec_stream *x)
{
	if (x->tty)
		return;
	close_fd(&x->in);
	if (x->runs)
		runtime_tell_input_end(x->handler, x->container, x->keep_id);
}

/* A terminal's end of file is a character (VEOF), and only in canonical mode. */
static void on_exec_stream_fed(struct feed *f)
{
	struct exec_stream *x = container_of(f, struct exec_stream, feed);
	struct termios t;

	if (x->streams && x->in >= 0)
		return exec_stream_end_input(x);
	close_fd(&x->in);
	if (x->master >= 0 && tcgetattr(x->master, &t) == 0 && t.c_lflag & ICANON &&
	    write(x->master, &t.c_cc[VEOF], 1) < 0)
		log_debug("exec id=%.12s end_of_input=refused", x->id);
}

static void exec_stream_input(struct stdio *s, const void *p, size_t n)
{
	feed_write(&exec_stream_of(s)->feed, p, n);
}

static void exec_stream_input_end(struct stdio *s)
{
	feed_end(&exec_stream_of(s)->feed);
}

static void exec_stream_resize(struct stdio *s, uint16_t width, uint16_t height)
{
	struct exec_stream *x = exec_stream_of(s);

	x->size = (struct winsize){ .ws_row = height, .ws_col = width };
	if (x->master >= 0)
		ioctl(x->master, TIOCSWINSZ, &x->size);
	else if (x->streams && x->tty && x->runs)
		runtime_tell_size(x->handler, x->container, x->keep_id, width, height);
}

static void exec_stream_pause(struct stdio *s, bool paused)
{
	struct exec_stream *x = exec_stream_of(s);

	x->paused = paused;
	watch_outputs(x);
}

static void exec_stream_leave(struct stdio *s)
{
	struct exec_stream *x = exec_stream_of(s);

	x->stdio.events = NULL;
	x->paused = false;
	feed_drop(&x->feed);
	feed_end(&x->feed);
	if (x->master >= 0) {
		exec_stream_close_output(x, &x->out);
		close_fd(&x->master);
	}
	watch_outputs(x);
}

static const struct stdio_ops ops = { exec_stream_input, exec_stream_input_end, exec_stream_resize,
				      exec_stream_pause, exec_stream_leave };

/* ---- the process ---- */

static void on_exec_stream_exit(struct exec_end *end, int status)
{
	struct exec_stream *x = container_of(end, struct exec_stream, end);

	x->runs = false;
	x->exit_code = WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
	if (status == -1)
		err_set(&x->fault, ERR_INTERNAL, "exec: its exit status is lost: its keeper had died");
	sm_move(&x->sm, FLUSH);
	feed_drop(&x->feed);
	exec_stream_check_flushed(x);
}

static void terminal_ready(struct exec_stream *x)
{
	x->out.fd = x->master;
	fcntl(x->master, F_SETFL, O_RDWR | O_NONBLOCK);
	if (x->size.ws_col || x->size.ws_row)
		ioctl(x->master, TIOCSWINSZ, &x->size);
	feed_open(&x->feed, x->master);
	watch_outputs(x);
}

/* What the client said before the process was there. */
static void exec_stream_runs(struct exec_stream *x)
{
	x->runs = true;
	if (x->tty && (x->size.ws_col || x->size.ws_row))
		exec_stream_resize(&x->stdio, x->size.ws_col, x->size.ws_row);
	if (x->in >= 0)
		feed_open(&x->feed, x->in); /* before, its pipe may be without a reader (procs/shim/ops.c, OPEN) */
	else if (!x->tty && x->wants_in)
		runtime_tell_input_end(x->handler, x->container, x->keep_id);
}

static void on_exec_stream_spawned(void *arg, const struct err *e, struct child_result *r)
{
	struct exec_stream *x = arg;

	if (e) {
		x->fault = *e;
		return exec_stream_finish(x);
	}
	sm_move(&x->sm, RUN);
	exec_end_watch(&x->end, x->handler, x->container, x->keep_id, on_exec_stream_exit);
	if (x->streams)
		exec_stream_runs(x);
	if (!x->console)
		return;
	x->master = console_take(x->console, &x->fault);
	if (x->master < 0) {
		exec_kill_tree(r->pid, ""); /* it has just begun: nothing can have been reparented */
		return exec_stream_report(x);
	}
	if (x->stdio.events)
		terminal_ready(x);
	else
		close_fd(&x->master);
}

/* ---- the way in ---- */

/* Only our end is non-blocking: the two ends of a pipe are two open file descriptions. */
static int exec_stream_open_pipe(struct exec_stream *x, const struct container *c, const char *name, int *ours,
				 int *theirs, struct err *e)
{
	bool we_write = strcmp(name, "stdin") == 0;
	int ends[2];

	if (exec_file_pipe(&x->file, x->arena, c, x->id, name, ends, e) < 0)
		return -1;
	*ours = ends[we_write];
	*theirs = ends[!we_write];
	fcntl(*ours, F_SETFL, O_NONBLOCK);
	return 0;
}

static int exec_stream_open(struct exec_stream *x, const struct container *c, const struct stdio_want *want,
			    struct runtime_stdio *io, struct err *e)
{
	x->tty = io->terminal = want->tty;
	x->wants_in = want->in;
	if (want->tty && !x->streams) {
		x->console = console_listen(e);
		if (!x->console)
			return -1;
		io->console_socket = console_socket_path(x->console);
		return 0;
	}
	/* An output that nobody wants is a pipe too: the process must not get the node's /dev/null.
	 * (ARCHITECTURE P120) */
	x->out.dropped = !want->out;
	x->err.dropped = !want->err;
	if ((want->in && exec_stream_open_pipe(x, c, "stdin", &x->in, &io->in, e) < 0) ||
	    exec_stream_open_pipe(x, c, "stdout", &x->out.fd, &io->out, e) < 0 ||
	    (!want->tty && exec_stream_open_pipe(x, c, "stderr", &x->err.fd, &io->err, e) < 0))
		return -1;
	if (x->in >= 0 && !x->streams)
		feed_open(&x->feed, x->in);
	watch_outputs(x);
	return 0;
}

static int exec_stream_spawn(struct exec_stream *x, const struct container *c, const struct strings *cmd,
		 const struct stdio_want *want, struct runtime_stdio *io, struct err *e)
{
	const struct runtime_handler *h = exec_runtime(c, cmd, e);

	if (!h)
		return -1;
	x->handler = h;
	x->container = arena_strdup(x->arena, c->id);
	x->streams = runtime_traits(h) & RUNTIME_STREAMS;
	if (exec_stream_open(x, c, want, io, e) < 0 ||
	    exec_file_write(&x->file, x->arena, c, x->id, cmd, want->tty, e) < 0)
		return -1;
	runtime_exec(h,
		     &(struct runtime_exec){ c->id, c->bundle, c->cgroup, x->file.process, x->file.pidfile,
					     x->keep_id, life_pidfd(c), c->pid,
					     (int)c->config.resources.oom_score_adj },
		     io, on_exec_stream_spawned, x);
	return 0;
}

static void on_exec_stream_refused(struct timer *t)
{
	exec_stream_finish(container_of(t, struct exec_stream, timer));
}

struct stdio *exec_stream_start(struct container *c, const struct strings *cmd, const struct stdio_want *want,
				const struct stdio_events *events, void *arg)
{
	struct exec_stream *x = new_zero(struct exec_stream);
	struct runtime_stdio io = { .in = -1, .out = -1, .err = -1 };

	x->stdio = (struct stdio){ &ops, events, arg };
	id_random(x->id);
	snprintf(x->keep_id, sizeof(x->keep_id), "exec/%s", x->id);
	x->sm = (struct sm){ exec_stream_states, "exec_stream", x->id, SPAWN };
	x->arena = arena_new();
	x->master = x->in = x->out.fd = x->err.fd = -1;
	feed_init(&x->feed, on_exec_stream_taken, on_exec_stream_fed);
	if (!want->in)
		feed_drop(&x->feed);
	if (exec_stream_spawn(x, c, cmd, want, &io, &x->fault) < 0)
		timer_set(&x->timer, 0, on_exec_stream_refused);
	close_fd(&io.in);
	close_fd(&io.out);
	close_fd(&io.err);
	return &x->stdio;
}
