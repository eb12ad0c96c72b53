/* mux.c - see mux.h. A payload is handed on in the pieces in which it comes, so no frame is held in memory. */
#include "reactor/mux.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "reactor/be32.h"
#include "reactor/conduit.h"
#include "reactor/own.h"

/* The peer reads the begin of a message through a buffer of this size, and fails on a frame that does not fit; what is
 * left of the message may come in one frame of any length. It has room for 256 frames. */
enum { FIRST_MAX = 4096 };

struct mux {
	struct conduit *conduit;
	const struct mux_events *events;
	void *arg;
	uint8_t head[MUX_HEAD];
	size_t n_head;
	uint32_t channel, left; /* of the frame that is being read */
	bool inside, closed;    /* inside: an event runs */
};

static void mux_free(struct mux *m)
{
	conduit_close(m->conduit);
	free(m);
}

void mux_close(struct mux *m)
{
	m->closed = true;
	if (!m->inside)
		mux_free(m);
}

/* Afterwards m may be gone. */
static void mux_lost(struct mux *m, const char *why)
{
	m->inside = true;
	if (!m->closed) {
		m->closed = true;
		m->events->gone(m->arg, why);
	}
	m->inside = false;
	mux_free(m);
}

/* false: the peer sent a frame that is too long. */
static bool take_head(struct mux *m, const uint8_t **at, size_t *len)
{
	size_t n = MUX_HEAD - m->n_head < *len ? MUX_HEAD - m->n_head : *len;

	memcpy(m->head + m->n_head, *at, n);
	m->n_head += n;
	*at += n;
	*len -= n;
	if (m->n_head < MUX_HEAD)
		return true;
	m->channel = be32_get(m->head);
	m->left = be32_get(m->head + 4);
	if (!m->left)
		m->n_head = 0;
	return m->left <= MUX_PAYLOAD_MAX;
}

static void on_mux_data(void *arg, uint8_t *bytes, size_t len)
{
	struct mux *m = arg;
	const uint8_t *at = bytes;
	bool good = true;

	m->inside = true;
	while (len && good && !m->closed) {
		if (m->n_head < MUX_HEAD) {
			good = take_head(m, &at, &len);
			continue;
		}
		size_t n = m->left < len ? m->left : len;

		m->left -= (uint32_t)n;
		if (!m->left)
			m->n_head = 0;
		m->events->data(m->arg, m->channel, at, n);
		at += n;
		len -= n;
	}
	m->inside = false;
	if (!good)
		mux_lost(m, "a frame is longer than 4 MiB");
	else if (m->closed)
		mux_free(m);
}

static void on_mux_gone(void *arg)
{
	mux_lost(arg, "the connection was closed");
}

/* Nobody waits for room: what a peer does not take is bounded by the conduit. */
static void on_mux_room(void *arg)
{
	(void)arg;
}

struct mux *mux_open(int fd, const struct mux_events *events, void *arg)
{
	static const struct conduit_events of_conduit = { on_mux_data, on_mux_room, on_mux_gone };
	struct mux *m = new_zero(struct mux);

	m->events = events;
	m->arg = arg;
	m->conduit = conduit_new(fd, NULL, 0);
	conduit_listen(m->conduit, &of_conduit, m);
	return m;
}

static void send_frame(struct mux *m, uint32_t channel, const uint8_t *bytes, size_t len)
{
	uint8_t head[MUX_HEAD];

	be32_put(head, channel);
	be32_put(head + 4, (uint32_t)len);
	conduit_send(m->conduit, head, sizeof(head));
	conduit_send(m->conduit, bytes, len);
}

void mux_send(struct mux *m, uint32_t channel, const void *bytes, size_t len)
{
	size_t first = len < FIRST_MAX ? len : FIRST_MAX;

	if (m->closed)
		return;
	send_frame(m, channel, bytes, first);
	if (len > first)
		send_frame(m, channel, (const uint8_t *)bytes + first, len - first);
}
