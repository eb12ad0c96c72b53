/* spdy.c - a remote that speaks SPDY/3.1: one stream each for stdin, stdout, stderr, errors and sizes.
 *
 *   GATHER ---all streams are there---> FLOW ---finish---> FLUSH ---all bytes sent, or 60 s---> OVER
 *     |                                   |
 *     +---30 s, client gone---> OVER <----+ client gone       (finish leads from GATHER to FLUSH, too)
 *
 * Waits on: the wire; a timer (GATHER: 30 s for the client to make its streams; FLUSH: 60 s; OVER: freed in a turn of
 * its own). */
#include <stdlib.h>
#include <string.h>

#include "handlers/stream/remote.h"
#include "handlers/stream/wire.h"
#include "handlers/stream/words.h"
#include "reactor/list.h"
#include "reactor/log.h"
#include "reactor/loop.h"
#include "reactor/own.h"
#include "reactor/sm.h"
#include "reactor/spdy_mux.h"

enum { CREATE_MS = 30000, FLUSH_MS = 60000, RESIZE_SINCE = 3 };

enum spdy_remote_state { GATHER, FLOW, FLUSH, OVER };
static const struct sm_state spdy_remote_states[] = {
	[GATHER] = { "GATHER", TO(FLOW) | TO(FLUSH) | TO(OVER) },
	[FLOW]   = { "FLOW",   TO(FLUSH) | TO(OVER) },
	[FLUSH]  = { "FLUSH",  TO(OVER) },
	[OVER]   = { "OVER",   0 },
};

struct spdy_remote {
	struct remote remote;
	struct sm sm;
	struct wire *wire;
	struct spdy_mux *mux;
	int version;
	bool wanted[REMOTE_CHANNELS];
	uint32_t ids[REMOTE_CHANNELS]; /* of the streams; 0: not made yet */
	size_t missing;                /* wanted streams that are not made yet */
	size_t untaken;                /* bytes of input */
	struct buf sizes;
	struct timer timer;
};

static struct spdy_remote *spdy_remote_of(struct remote *r)
{
	return container_of(r, struct spdy_remote, remote);
}

/* ---- the end ---- */

static void on_spdy_freed(struct timer *t)
{
	struct spdy_remote *r = container_of(t, struct spdy_remote, timer);

	spdy_mux_free(r->mux);
	buf_free(&r->sizes);
	free(r);
}

/* Frees in a turn of its own, because the mux may be the caller. */
static void spdy_remote_over(struct spdy_remote *r)
{
	sm_move(&r->sm, OVER);
	spdy_mux_stop(r->mux);
	timer_set(&r->timer, 0, on_spdy_freed);
}

static void spdy_remote_gone(struct spdy_remote *r)
{
	const struct remote_events *events = r->remote.events;

	if (r->sm.now == OVER)
		return;
	wire_close(r->wire);
	spdy_remote_over(r);
	if (events)
		events->gone(r->remote.arg);
}

static void on_spdy_wire_gone(void *arg)
{
	spdy_remote_gone(arg);
}

static void on_spdy_late(struct timer *t)
{
	struct spdy_remote *r = container_of(t, struct spdy_remote, timer);

	if (r->sm.now == GATHER)
		log_info("stream_incomplete missing=%zu waited_ms=%d", r->missing, CREATE_MS);
	spdy_remote_gone(r);
}

static void spdy_check_flushed(struct spdy_remote *r)
{
	for (int i = 0; i < REMOTE_CHANNELS; i++)
		if (spdy_mux_waiting(r->mux, r->ids[i]))
			return;
	spdy_mux_goaway(r->mux);
	wire_finish(r->wire);
	spdy_remote_over(r);
}

static void spdy_remote_finish(struct remote *remote, const struct err *e, int32_t exit_code)
{
	struct spdy_remote *r = spdy_remote_of(remote);
	struct buf status = { 0 };

	r->remote.events = NULL;
	sm_move(&r->sm, FLUSH);
	timer_set(&r->timer, FLUSH_MS, on_spdy_late);
	words_status(&status, r->version, e, exit_code);
	spdy_mux_fin(r->mux, r->ids[REMOTE_STDOUT]);
	spdy_mux_fin(r->mux, r->ids[REMOTE_STDERR]);
	spdy_mux_write(r->mux, r->ids[REMOTE_ERROR], status.at, status.len);
	for (int i = 0; i < REMOTE_CHANNELS; i++)
		spdy_mux_fin(r->mux, r->ids[i]);
	buf_free(&status);
	wire_pause(r->wire, false);
	spdy_check_flushed(r);
}

/* ---- streams ---- */

static int channel_of(const struct pairs *headers)
{
	static const char *const names[REMOTE_CHANNELS] = { "stdin", "stdout", "stderr", "error", "resize" };
	const char *type = pairs_get(headers, "streamtype");

	for (int i = 0; type && i < REMOTE_CHANNELS; i++)
		if (strcmp(type, names[i]) == 0)
			return i;
	return -1;
}

static int channel_at(const struct spdy_remote *r, uint32_t stream)
{
	for (int i = 0; i < REMOTE_CHANNELS; i++)
		if (r->ids[i] == stream)
			return i;
	return -1;
}

static void on_spdy_open(void *arg, uint32_t stream, const struct pairs *headers)
{
	struct spdy_remote *r = arg;
	int channel = channel_of(headers);

	if (channel < 0 || r->ids[channel])
		return spdy_mux_reset(r->mux, stream, SPDY_PROTOCOL_ERROR);
	r->ids[channel] = stream;
	if (r->sm.now != GATHER || !r->wanted[channel] || --r->missing)
		return;
	sm_move(&r->sm, FLOW);
	timer_clear(&r->timer);
	r->remote.events->ready(r->remote.arg);
}

static void on_spdy_size(void *arg, uint16_t width, uint16_t height)
{
	struct spdy_remote *r = arg;

	if (r->remote.events)
		r->remote.events->resize(r->remote.arg, width, height);
}

static void spdy_remote_input(struct spdy_remote *r, const void *p, size_t n)
{
	r->untaken += n;
	if (r->untaken >= REMOTE_INPUT_HIGH)
		wire_pause(r->wire, true);
	r->remote.events->input(r->remote.arg, p, n);
}

static void on_spdy_data(void *arg, uint32_t stream, const void *p, size_t n)
{
	struct spdy_remote *r = arg;
	int channel = channel_at(r, stream);

	if (channel == REMOTE_STDIN && r->wanted[REMOTE_STDIN] && r->sm.now < FLUSH)
		return spdy_remote_input(r, p, n);
	spdy_mux_taken(r->mux, stream, n);
	if (channel == REMOTE_RESIZE)
		words_resize(&r->sizes, p, n, on_spdy_size, r);
}

static void on_spdy_end(void *arg, uint32_t stream)
{
	struct spdy_remote *r = arg;

	if (channel_at(r, stream) == REMOTE_STDIN && r->wanted[REMOTE_STDIN] && r->remote.events)
		r->remote.events->input_end(r->remote.arg);
}

static void on_spdy_room(void *arg, uint32_t stream)
{
	struct spdy_remote *r = arg;

	(void)stream;
	if (r->sm.now == FLUSH)
		spdy_check_flushed(r);
	else if (r->remote.events)
		r->remote.events->room(r->remote.arg);
}

static void on_spdy_send(void *arg, const void *p, size_t n)
{
	struct spdy_remote *r = arg;

	if (r->sm.now != OVER)
		wire_send(r->wire, p, n);
}

static void on_spdy_wire_data(void *arg, const uint8_t *p, size_t n)
{
	struct spdy_remote *r = arg;
	struct err e;

	if (spdy_mux_read(r->mux, p, n, &e) == 0)
		return;
	log_info("stream_broken error=%s", log_quote(e.msg));
	spdy_remote_gone(r);
}

static void on_spdy_wire_room(void *arg)
{
	on_spdy_room(arg, 0);
}

/* ---- calls of command.c ---- */

static void spdy_remote_output(struct remote *remote, bool is_stderr, const void *p, size_t n)
{
	struct spdy_remote *r = spdy_remote_of(remote);

	spdy_mux_write(r->mux, r->ids[is_stderr ? REMOTE_STDERR : REMOTE_STDOUT], p, n);
}

static bool spdy_remote_has_room(const struct remote *remote)
{
	const struct spdy_remote *r = container_of(remote, const struct spdy_remote, remote);

	return wire_has_room(r->wire) && !spdy_mux_waiting(r->mux, r->ids[REMOTE_STDOUT]) &&
	       !spdy_mux_waiting(r->mux, r->ids[REMOTE_STDERR]);
}

static void spdy_remote_taken(struct remote *remote, size_t n)
{
	struct spdy_remote *r = spdy_remote_of(remote);

	r->untaken -= n;
	spdy_mux_taken(r->mux, r->ids[REMOTE_STDIN], n);
	if (r->untaken <= REMOTE_INPUT_LOW)
		wire_pause(r->wire, false);
}

struct remote *remote_spdy(struct conduit *c, int version, const struct stdio_want *want,
			   const struct remote_events *events, void *arg)
{
	static const struct remote_ops ops = { spdy_remote_output, spdy_remote_has_room, spdy_remote_taken,
					       spdy_remote_finish };
	static const struct wire_events of_wire = { on_spdy_wire_data, on_spdy_wire_room, on_spdy_wire_gone };
	static const struct spdy_mux_events of_mux = { on_spdy_send,       on_spdy_open,       on_spdy_data,
						       on_spdy_end, on_spdy_end, on_spdy_room };
	struct spdy_remote *r = new_zero(struct spdy_remote);

	r->remote = (struct remote){ &ops, events, arg };
	r->sm = (struct sm){ spdy_remote_states, "remote", "", GATHER };
	r->version = version;
	r->wanted[REMOTE_STDIN] = want->in;
	r->wanted[REMOTE_STDOUT] = want->out;
	r->wanted[REMOTE_STDERR] = want->err && !want->tty;
	r->wanted[REMOTE_ERROR] = true;
	r->wanted[REMOTE_RESIZE] = want->tty && version >= RESIZE_SINCE;
	for (int i = 0; i < REMOTE_CHANNELS; i++)
		r->missing += r->wanted[i];
	r->mux = spdy_mux_new(&of_mux, r);
	r->wire = wire_new(c, false, &of_wire, r);
	timer_set(&r->timer, CREATE_MS, on_spdy_late);
	return &r->remote;
}
