/* remote.c - see remote.h.
 *
 *   JOIN ---connected---> FLOW ---all streams of the server ended, or connection gone---> DRAIN ---written---> DONE
 *    +---refused---> DONE   +---reader gone---> DONE
 *
 * The server's output is read ahead of a slow reader of stdout up to AHEAD_BYTES: a server waits only a short time for
 * a client that does not take the end of the output. Waits on: the connection (JOIN, FLOW), stdin while the connection
 * has room (FLOW), stdout and stderr while they are full (FLOW, DRAIN), SIGWINCH. */
#include "handlers/cli/remote.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "handlers/cli/outlet.h"
#include "handlers/cli/remote_end.h"
#include "handlers/cli/spdy_client.h"
#include "handlers/cli/terminal.h"
#include "reactor/list.h"
#include "reactor/loop.h"
#include "reactor/own.h"
#include "reactor/sm.h"

enum { AHEAD_BYTES = 64 << 20, STATUS_MAX = 64 * 1024, INPUT_BYTES = 32 * 1024 };

enum remote_state { JOIN, FLOW, DRAIN, DONE };
static const struct sm_state remote_states[] = {
	[JOIN]  = { "JOIN",  TO(FLOW) | TO(DONE) },
	[FLOW]  = { "FLOW",  TO(DRAIN) | TO(DONE) },
	[DRAIN] = { "DRAIN", TO(DONE) },
	[DONE]  = { "DONE",  0 },
};

enum remote_stream { ERROR, IN, OUT, ERR, RESIZE, STREAMS };

struct cli_remote {
	struct sm sm;
	struct cli_spdy *spdy;
	struct cli_remote_want want;
	uint32_t ids[STREAMS]; /* 0: not asked for */
	bool open[STREAMS];    /* of ERROR, OUT, ERR: the server has not ended it */
	struct cli_outlet out, err;
	struct buf status;
	struct fd_watch in;
	struct signal_watch on_resize;
	struct timer timer; /* tells the end in a turn of its own */
	struct err fault;
	struct cli_remote_events events;
};

/* ---- the end ---- */

static void on_remote_done(struct timer *t)
{
	struct cli_remote *r = container_of(t, struct cli_remote, timer);
	int code = -1;

	if (r->fault.code == ERR_OK)
		code = cli_remote_end((const char *)r->status.at, r->status.len, &r->fault);
	r->events.done(r->events.arg, code < 0 ? &r->fault : NULL, code);
}

static void remote_done(struct cli_remote *r)
{
	sm_move(&r->sm, DONE);
	fd_watch_clear(&r->in);
	signal_watch_clear(&r->on_resize);
	cli_terminal_restore();
	timer_set(&r->timer, 0, on_remote_done);
}

static void remote_check(struct cli_remote *r)
{
	if (r->sm.now == DONE)
		return;
	if (r->out.deaf || r->err.deaf) {
		err_set(&r->fault, ERR_CANCELLED, "the reader of the output is gone");
		return remote_done(r);
	}
	if (r->sm.now == FLOW)
		cli_spdy_pause(r->spdy, r->out.bytes.len + r->err.bytes.len >= AHEAD_BYTES);
	if (r->sm.now == FLOW && !r->open[ERROR] && !r->open[OUT] && !r->open[ERR]) {
		sm_move(&r->sm, DRAIN);
		fd_watch_clear(&r->in);
	}
	if (r->sm.now == DRAIN && !r->out.bytes.len && !r->err.bytes.len)
		remote_done(r);
}

static void on_remote_out(struct cli_outlet *o)
{
	remote_check(container_of(o, struct cli_remote, out));
}

static void on_remote_err(struct cli_outlet *o)
{
	remote_check(container_of(o, struct cli_remote, err));
}

static void on_remote_gone(void *arg, const struct err *e)
{
	struct cli_remote *r = arg;

	if (r->sm.now == JOIN) {
		r->fault = *e;
		return remote_done(r);
	}
	memset(r->open, 0, sizeof(r->open));
	remote_check(r);
}

/* ---- to the container ---- */

static void on_remote_input(struct fd_watch *w, int events)
{
	struct cli_remote *r = container_of(w, struct cli_remote, in);
	char bytes[INPUT_BYTES];
	ssize_t n = read(STDIN_FILENO, bytes, sizeof(bytes));

	(void)events;
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n > 0)
		cli_spdy_write(r->spdy, r->ids[IN], bytes, (size_t)n);
	else
		cli_spdy_end(r->spdy, r->ids[IN]);
	if (n <= 0 || !cli_spdy_has_room(r->spdy))
		fd_watch_clear(w);
	if (n <= 0)
		r->want.in = false;
}

static void on_remote_room(void *arg)
{
	struct cli_remote *r = arg;

	if (r->want.in && r->sm.now == FLOW)
		fd_watch_set(&r->in, STDIN_FILENO, FD_READ, on_remote_input);
}

static void on_remote_resize(struct signal_watch *w)
{
	struct cli_remote *r = container_of(w, struct cli_remote, on_resize);
	struct buf text = { 0 };
	uint16_t width, height;

	if (cli_terminal_size(&width, &height)) {
		buf_printf(&text, "{\"Width\":%u,\"Height\":%u}\n", width, height);
		cli_spdy_write(r->spdy, r->ids[RESIZE], text.at, text.len);
	}
	buf_free(&text);
}

/* ---- from the container ---- */

static void on_remote_data(void *arg, uint32_t stream, const void *p, size_t n)
{
	struct cli_remote *r = arg;

	if (r->sm.now != FLOW)
		return;
	if (stream == r->ids[OUT])
		cli_outlet_put(&r->out, p, n);
	else if (stream == r->ids[ERR])
		cli_outlet_put(&r->err, p, n);
	else if (stream == r->ids[ERROR] && r->status.len + n <= STATUS_MAX)
		buf_append(&r->status, p, n);
	remote_check(r);
}

static void on_remote_stream_end(void *arg, uint32_t stream)
{
	struct cli_remote *r = arg;

	for (int i = 0; i < STREAMS; i++)
		if (r->ids[i] == stream)
			r->open[i] = false;
	remote_check(r);
}

static void remote_open(struct cli_remote *r, enum remote_stream which)
{
	static const char *const names[STREAMS] = { "error", "stdin", "stdout", "stderr", "resize" };
	struct pair header = { "streamtype", names[which] };
	struct pairs headers = { &header, 1 };

	r->ids[which] = cli_spdy_open(r->spdy, &headers);
	r->open[which] = which != IN && which != RESIZE;
}

static void on_remote_ready(void *arg)
{
	struct cli_remote *r = arg;

	sm_move(&r->sm, FLOW);
	remote_open(r, ERROR);
	if (r->want.in)
		remote_open(r, IN);
	if (r->want.out)
		remote_open(r, OUT);
	if (r->want.err && !r->want.tty)
		remote_open(r, ERR);
	if (r->want.tty) {
		remote_open(r, RESIZE);
		signal_watch_set(&r->on_resize, SIGWINCH, on_remote_resize);
		on_remote_resize(&r->on_resize);
	}
	if (r->want.tty && r->want.in)
		cli_terminal_raw();
	on_remote_room(r);
	r->events.ready(r->events.arg);
}

struct cli_remote *cli_remote_start(const char *url, const char *cri, const struct cli_remote_want *want,
				    const struct cli_remote_events *events, struct err *e)
{
	static const struct cli_spdy_events of_spdy = { on_remote_ready, on_remote_data, on_remote_stream_end,
							on_remote_room, on_remote_gone };
	struct cli_remote *r = new_zero(struct cli_remote);

	r->sm = (struct sm){ remote_states, "cli_remote", "", JOIN };
	r->want = *want;
	r->events = *events;
	r->out = (struct cli_outlet){ .fd = STDOUT_FILENO, .moved = on_remote_out };
	r->err = (struct cli_outlet){ .fd = STDERR_FILENO, .moved = on_remote_err };
	r->spdy = cli_spdy_start(url, cri, "v4.channel.k8s.io", &of_spdy, r, e);
	if (!r->spdy) {
		free(r);
		return NULL;
	}
	return r;
}

void cli_remote_free(struct cli_remote *r)
{
	fd_watch_clear(&r->in);
	signal_watch_clear(&r->on_resize);
	timer_clear(&r->timer);
	cli_terminal_restore();
	cli_spdy_free(r->spdy);
	cli_outlet_close(&r->out);
	cli_outlet_close(&r->err);
	buf_free(&r->status);
	free(r);
}
