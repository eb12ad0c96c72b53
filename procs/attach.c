/* attach.c - see attach.h.
 *
 *   OPEN ---container exited, its log is drained---> ENDED ---next turn---> reported
 *    |---end of input, not stdin_once---------------^
 *    |---paused for 10 s----------------------------^
 *
 * Waits on: the container's exit, its log pump, its stdin while that is full, a timer. */
#include "procs/attach.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

#include "procs/console.h"
#include "procs/feed.h"
#include "procs/keeper.h"
#include "procs/log_pump.h"
#include "procs/runtime.h"
#include "procs/runtime_tell.h"
#include "reactor/own.h"

enum { PATIENCE_MS = 10000 };

struct attach {
	struct stdio stdio;
	struct container *container; /* NULL: ended */
	struct stdio_want want;
	struct container_wait exit;
	struct log_reader reader;
	bool reading;
	struct feed feed;
	int in; /* a duplicate of the container's stdin; -1: it has none, or the client did not ask for it */
	struct timer timer;
	struct err fault;
};

static struct attach *attach_of(struct stdio *s)
{
	return container_of(s, struct attach, stdio);
}

static void stop_reading(struct attach *a)
{
	/* Without a log the pump was closed meanwhile, and with it its list of readers. */
	if (a->reading && a->container && a->container->log)
		log_pump_unlisten(a->container->log, &a->reader);
	a->reading = false;
}

static void attach_free(struct attach *a)
{
	timer_clear(&a->timer);
	container_unwait(&a->exit);
	stop_reading(a);
	feed_close(&a->feed);
	if (a->in >= 0)
		close(a->in);
	free(a);
}

static void on_attach_report(struct timer *t)
{
	struct attach *a = container_of(t, struct attach, timer);
	const struct stdio_events *events = a->stdio.events;
	void *arg = a->stdio.arg;
	struct err fault = a->fault;

	attach_free(a);
	events->ended(arg, fault.code == ERR_OK ? NULL : &fault, 0);
}

static void attach_end(struct attach *a)
{
	stop_reading(a);
	container_unwait(&a->exit);
	a->container = NULL;
	timer_set(&a->timer, 0, on_attach_report);
}

static void on_attach_exited(struct container_wait *w)
{
	attach_end(container_of(w, struct attach, exit));
}

static void on_attach_output(struct log_reader *r, bool is_stderr, const void *p, size_t n)
{
	struct attach *a = container_of(r, struct attach, reader);

	if (is_stderr ? a->want.err : a->want.out)
		a->stdio.events->output(a->stdio.arg, is_stderr, p, n);
}

/* ---- what the client says ---- */

static bool attach_streams(const struct container *c)
{
	const struct runtime_handler *h = container_handler(c);

	return h && runtime_traits(h) & RUNTIME_STREAMS;
}

/* Besides a->in only the keeper and this daemon's table of held fds have the write end. With all three closed the
 * process reads end of file. */
static void close_stdin(struct attach *a)
{
	struct arena *m = arena_new();

	keeper_ask_release(arena_printf(m, "container/%s/stdin", a->container->id));
	arena_free(m);
	if (a->in >= 0)
		close(take_fd(&a->in));
	if (attach_streams(a->container))
		runtime_tell_input_end(container_handler(a->container), a->container->id, "");
}

static bool ends_with_its_input(const struct attach *a)
{
	return a->container->config.stdin_once && !a->container->config.tty;
}

static void on_attach_taken(struct feed *f, size_t n)
{
	struct attach *a = container_of(f, struct attach, feed);

	if (a->stdio.events)
		a->stdio.events->taken(a->stdio.arg, n);
}

static void on_attach_fed(struct feed *f)
{
	struct attach *a = container_of(f, struct attach, feed);

	if (!a->container)
		return;
	if (ends_with_its_input(a))
		close_stdin(a);
	else
		attach_end(a);
}

static void attach_input(struct stdio *s, const void *p, size_t n)
{
	feed_write(&attach_of(s)->feed, p, n);
}

static void attach_input_end(struct stdio *s)
{
	feed_end(&attach_of(s)->feed);
}

static void attach_resize(struct stdio *s, uint16_t width, uint16_t height)
{
	struct attach *a = attach_of(s);
	struct winsize size = { .ws_row = height, .ws_col = width };
	int master = a->container ? console_held(a->container->id) : -1;

	if (master >= 0)
		ioctl(master, TIOCSWINSZ, &size);
	else if (a->container && a->container->config.tty && attach_streams(a->container))
		runtime_tell_size(container_handler(a->container), a->container->id, "", width, height);
}

static void on_attach_patience_over(struct timer *t)
{
	struct attach *a = container_of(t, struct attach, timer);

	err_set(&a->fault, ERR_RESOURCE_EXHAUSTED, "attach: the client took no output for %d s", PATIENCE_MS / 1000);
	attach_end(a);
}

static void attach_pause(struct stdio *s, bool paused)
{
	struct attach *a = attach_of(s);

	if (!a->container)
		return;
	if (a->reading && a->container->log)
		log_pump_pause(a->container->log, &a->reader, paused);
	if (paused)
		timer_set(&a->timer, PATIENCE_MS, on_attach_patience_over);
	else
		timer_clear(&a->timer);
}

static void attach_leave(struct stdio *s)
{
	struct attach *a = attach_of(s);

	if (a->container && a->want.in && ends_with_its_input(a))
		close_stdin(a);
	attach_free(a);
}

static const struct stdio_ops ops = { attach_input, attach_input_end, attach_resize, attach_pause, attach_leave };

/* ---- the way in ---- */

/* A duplicate, because the held fd may be released while bytes still wait to be written. */
static int attach_open_stdin(const struct container *c)
{
	struct arena *m = arena_new();
	int held = c->config.tty && !attach_streams(c) ? console_held(c->id)
						       : keeper_copy(arena_printf(m, "container/%s/stdin", c->id));

	arena_free(m);
	return held < 0 ? -1 : fcntl(held, F_DUPFD_CLOEXEC, 3);
}

struct stdio *attach_start(struct container *c, const struct stdio_want *want, const struct stdio_events *events,
			   void *arg)
{
	struct attach *a = new_zero(struct attach);

	a->stdio = (struct stdio){ &ops, events, arg };
	a->want = *want;
	a->in = -1;
	feed_init(&a->feed, on_attach_taken, on_attach_fed);
	if (c->state != CONTAINER_RUNNING) {
		err_set(&a->fault, ERR_FAILED_PRECONDITION, "attach: container %.12s is not running", c->id);
		feed_drop(&a->feed);
		attach_end(a);
		return &a->stdio;
	}
	a->container = c;
	container_wait(c, &a->exit, on_attach_exited);
	if (want->in)
		a->in = attach_open_stdin(c);
	if (a->in >= 0)
		feed_open(&a->feed, a->in);
	else
		feed_drop(&a->feed);
	a->reader.fn = on_attach_output;
	a->reading = c->log && (want->out || want->err);
	if (a->reading)
		log_pump_listen(c->log, &a->reader);
	return &a->stdio;
}
