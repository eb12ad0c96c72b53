/* command.c - joins the process of an exec or attach (procs/streams.h) with its client (remote.h).
 *
 *   WAIT (for the client's streams) ---ready---> FLOW ---process ended---> remote_finish(), freed
 *     |                                           |
 *     +---client gone---> freed                   +---client gone---> stdio_leave(), freed
 *
 * Bounds: the process is not read while the remote has no room. The remote is told that input was taken when the
 * process has read it; above its limit of input the remote does not read the client. Waits on: the remote, the
 * stdio. */
#include <stdlib.h>

#include "handlers/stream/remote.h"
#include "handlers/stream/request.h"
#include "procs/attach.h"
#include "procs/exec_stream.h"
#include "reactor/buf.h"
#include "reactor/log.h"
#include "reactor/loop.h"
#include "reactor/own.h"

struct command {
	struct stream_request *request;
	struct remote *remote;
	struct stdio *io; /* NULL: WAIT */
	struct buf early; /* input that came before all streams of the client were there */
	bool input_ended;
	uint16_t width, height; /* in WAIT */
	int64_t begun_ns;
};

static const char *verb(const struct command *c)
{
	return c->request->kind == STREAM_EXEC ? "exec" : "attach";
}

static void command_free(struct command *c)
{
	buf_free(&c->early);
	arena_free(c->request->arena);
	free(c);
}

/* ---- from the process ---- */

static void on_command_output(void *arg, bool is_stderr, const void *p, size_t n)
{
	struct command *c = arg;

	remote_output(c->remote, is_stderr, p, n);
	if (!remote_has_room(c->remote))
		stdio_pause(c->io, true);
}

static void on_command_taken(void *arg, size_t n)
{
	struct command *c = arg;

	remote_taken(c->remote, n);
}

static void on_command_ended(void *arg, const struct err *e, int32_t exit_code)
{
	struct command *c = arg;
	int64_t took_ms = (loop_mono_ns() - c->begun_ns) / 1000000;

	if (e)
		log_info("stream_ended verb=%s container=%.12s took_ms=%lld error=%s", verb(c), c->request->id,
			 (long long)took_ms, log_quote(e->msg));
	else
		log_info("stream_ended verb=%s container=%.12s took_ms=%lld exit_code=%d", verb(c), c->request->id,
			 (long long)took_ms, exit_code);
	remote_finish(c->remote, e, exit_code);
	command_free(c);
}

static const struct stdio_events of_stdio = { on_command_output, on_command_taken, on_command_ended };

/* ---- from the client ---- */

static void command_begin(struct command *c, struct container *container)
{
	const struct stream_request *r = c->request;

	if (r->kind == STREAM_EXEC)
		c->io = exec_stream_start(container, &r->cmd, &r->want, &of_stdio, c);
	else
		c->io = attach_start(container, &r->want, &of_stdio, c);
	if (c->width)
		stdio_resize(c->io, c->width, c->height);
	if (c->early.len)
		stdio_input(c->io, c->early.at, c->early.len);
	buf_free(&c->early);
	if (c->input_ended)
		stdio_input_end(c->io);
}

static void on_command_ready(void *arg)
{
	struct command *c = arg;
	struct container *container = container_find(c->request->id);
	struct err e;

	if (container)
		return command_begin(c, container);
	err_set(&e, ERR_NOT_FOUND, "container %.12s is gone", c->request->id);
	on_command_ended(c, &e, 0);
}

static void on_command_input(void *arg, const void *p, size_t n)
{
	struct command *c = arg;

	if (c->io)
		stdio_input(c->io, p, n);
	else
		buf_append(&c->early, p, n);
}

static void on_command_input_end(void *arg)
{
	struct command *c = arg;

	c->input_ended = true;
	if (c->io)
		stdio_input_end(c->io);
}

static void on_command_resize(void *arg, uint16_t width, uint16_t height)
{
	struct command *c = arg;

	c->width = width;
	c->height = height;
	if (c->io)
		stdio_resize(c->io, width, height);
}

static void on_command_room(void *arg)
{
	struct command *c = arg;

	if (c->io && remote_has_room(c->remote))
		stdio_pause(c->io, false);
}

static void on_command_gone(void *arg)
{
	struct command *c = arg;

	log_info("stream_client_gone verb=%s container=%.12s", verb(c), c->request->id);
	if (c->io)
		stdio_leave(c->io);
	command_free(c);
}

void command_start(struct stream_request *r, struct conduit *conduit, const struct stream_protocol *p)
{
	static const struct remote_events of_remote = { on_command_ready,  on_command_input, on_command_input_end,
							on_command_resize, on_command_room,  on_command_gone };
	struct command *c = new_zero(struct command);

	c->request = r;
	c->begun_ns = loop_mono_ns();
	if (p->transport == STREAM_SPDY)
		c->remote = remote_spdy(conduit, p->version, &r->want, &of_remote, c);
	else
		c->remote = remote_ws(conduit, p->version, p->transport == STREAM_WS_BASE64, &r->want, &of_remote, c);
}
