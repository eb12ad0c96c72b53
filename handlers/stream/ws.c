/* ws.c - a remote that speaks WebSocket: channels 0 stdin, 1 stdout, 2 stderr, 3 errors, 4 sizes.
 *
 * Waits on: the channels; a timer, which gives `ready` and the end a turn of their own. */
#include <stdlib.h>

#include "handlers/stream/channels.h"
#include "handlers/stream/remote.h"
#include "handlers/stream/words.h"
#include "reactor/list.h"
#include "reactor/loop.h"
#include "reactor/own.h"

enum { CLOSES_SINCE = 5 };

struct ws_remote {
	struct remote remote;
	struct channels *channels;
	int version;
	struct stdio_want want;
	bool input_ended;
	size_t untaken; /* bytes of input */
	struct buf sizes;
	struct timer timer;
};

static struct ws_remote *ws_remote_of(struct remote *r)
{
	return container_of(r, struct ws_remote, remote);
}

static void on_ws_freed(struct timer *t)
{
	struct ws_remote *r = container_of(t, struct ws_remote, timer);

	buf_free(&r->sizes);
	free(r);
}

static void ws_remote_finish(struct remote *remote, const struct err *e, int32_t exit_code)
{
	struct ws_remote *r = ws_remote_of(remote);
	struct buf status = { 0 };

	words_status(&status, r->version, e, exit_code);
	if (status.len)
		channels_send(r->channels, REMOTE_ERROR, status.at, status.len);
	buf_free(&status);
	channels_finish(r->channels);
	r->remote.events = NULL;
	timer_set(&r->timer, 0, on_ws_freed);
}

static void on_ws_gone(void *arg)
{
	struct ws_remote *r = arg;
	const struct remote_events *events = r->remote.events;

	r->remote.events = NULL;
	channels_close(r->channels);
	timer_set(&r->timer, 0, on_ws_freed);
	events->gone(r->remote.arg);
}

static void on_ws_size(void *arg, uint16_t width, uint16_t height)
{
	struct ws_remote *r = arg;

	if (r->remote.events)
		r->remote.events->resize(r->remote.arg, width, height);
}

static void on_ws_data(void *arg, unsigned channel, const void *p, size_t n)
{
	struct ws_remote *r = arg;

	if (channel == REMOTE_RESIZE && r->want.tty)
		return words_resize(&r->sizes, p, n, on_ws_size, r);
	if (channel != REMOTE_STDIN || !r->want.in || r->input_ended)
		return;
	r->untaken += n;
	if (r->untaken >= REMOTE_INPUT_HIGH)
		channels_pause(r->channels, true);
	r->remote.events->input(r->remote.arg, p, n);
}

static void on_ws_closed(void *arg, unsigned channel)
{
	struct ws_remote *r = arg;

	if (channel != REMOTE_STDIN || !r->want.in || r->input_ended)
		return;
	r->input_ended = true;
	r->remote.events->input_end(r->remote.arg);
}

static void on_ws_room(void *arg)
{
	struct ws_remote *r = arg;

	r->remote.events->room(r->remote.arg);
}

static void ws_remote_output(struct remote *remote, bool is_stderr, const void *p, size_t n)
{
	channels_send(ws_remote_of(remote)->channels, is_stderr ? REMOTE_STDERR : REMOTE_STDOUT, p, n);
}

static bool ws_remote_has_room(const struct remote *remote)
{
	return channels_have_room(container_of(remote, const struct ws_remote, remote)->channels);
}

static void ws_remote_taken(struct remote *remote, size_t n)
{
	struct ws_remote *r = ws_remote_of(remote);

	r->untaken -= n;
	if (r->untaken <= REMOTE_INPUT_LOW)
		channels_pause(r->channels, false);
}

/* Old clients wait for an empty message on the lowest channel of output before they use the connection. */
static void on_ws_ready(struct timer *t)
{
	struct ws_remote *r = container_of(t, struct ws_remote, timer);

	channels_send(r->channels, r->want.out ? REMOTE_STDOUT : r->want.err ? REMOTE_STDERR : REMOTE_ERROR, NULL, 0);
	channels_pause(r->channels, false);
	r->remote.events->ready(r->remote.arg);
}

struct remote *remote_ws(struct conduit *c, int version, bool base64, const struct stdio_want *want,
			 const struct remote_events *events, void *arg)
{
	static const struct remote_ops ops = { ws_remote_output, ws_remote_has_room, ws_remote_taken,
					       ws_remote_finish };
	static const struct channels_events of_channels = { on_ws_data, on_ws_closed, on_ws_room, on_ws_gone };
	struct ws_remote *r = new_zero(struct ws_remote);

	r->remote = (struct remote){ &ops, events, arg };
	r->version = version;
	r->want = *want;
	r->channels = channels_new(c, base64, version >= CLOSES_SINCE, &of_channels, r);
	channels_pause(r->channels, true); /* no input before `ready` */
	timer_set(&r->timer, 0, on_ws_ready);
	return &r->remote;
}
