/* channels.c - see channels.h. A binary message passes through piece by piece; an encoded message is gathered first, up
 * to 1 MiB. */
#include "handlers/stream/channels.h"

#include <openssl/evp.h>
#include <stdlib.h>

#include "reactor/base64.h"
#include "reactor/buf.h"
#include "reactor/list.h"
#include "reactor/log.h"
#include "reactor/loop.h"
#include "reactor/own.h"

enum { CLOSE_SIGNAL = 255, ENCODED_MAX = 1 << 20, NO_CHANNEL = 256 };

struct channels {
	struct websocket *socket;
	bool base64, closes;
	unsigned channel; /* of the message that is being read; NO_CHANNEL before its first byte */
	struct buf encoded;
	const struct channels_events *events; /* NULL: no event is sent any more */
	void *arg;
	struct timer timer; /* frees the struct: its owner may close it inside an event */
};

static void channels_give(struct channels *c, const void *p, size_t n)
{
	if (c->channel == CLOSE_SIGNAL && c->closes)
		c->events->closed(c->arg, *(const uint8_t *)p);
	else
		c->events->data(c->arg, c->channel, p, n);
}

static void channels_tell_gone(struct channels *c)
{
	const struct channels_events *events = c->events;

	c->events = NULL;
	if (events)
		events->gone(c->arg);
}

static void channels_decode(struct channels *c)
{
	size_t len = c->encoded.len;
	auto_free uint8_t *plain = own_must(malloc(len / 4 * 3 + 1));
	ssize_t n = base64_decode(plain, (const char *)c->encoded.at, len);

	buf_free(&c->encoded);
	if (n < 0)
		log_info("stream_broken error=\"a message is not base64\"");
	else if (n > 0)
		channels_give(c, plain, (size_t)n);
}

static void channels_gather(struct channels *c, const struct ws_piece *p)
{
	buf_append(&c->encoded, p->data, p->len);
	if (c->encoded.len > ENCODED_MAX) {
		log_info("stream_broken error=\"an encoded message is longer than 1 MiB\"");
		return channels_tell_gone(c);
	}
	if (p->last && c->encoded.len)
		channels_decode(c);
}

static void on_channels_piece(void *arg, const struct ws_piece *whole)
{
	struct channels *c = arg;
	struct ws_piece p = *whole;

	if (!c->events)
		return;
	if (p.first)
		c->channel = NO_CHANNEL;
	if (p.len && c->channel == NO_CHANNEL) {
		c->channel = c->base64 ? (uint8_t)(p.data[0] - '0') : p.data[0];
		p.data++;
		p.len--;
	}
	if (c->base64)
		channels_gather(c, &p);
	else if (p.len)
		channels_give(c, p.data, p.len);
}

static void on_channels_room(void *arg)
{
	struct channels *c = arg;

	if (c->events)
		c->events->room(c->arg);
}

static void on_channels_gone(void *arg)
{
	channels_tell_gone(arg);
}

struct channels *channels_new(struct conduit *conduit, bool base64, bool closes, const struct channels_events *events,
			      void *arg)
{
	static const struct websocket_events of_socket = { on_channels_piece, on_channels_room, on_channels_gone };
	struct channels *c = new_zero(struct channels);

	c->base64 = base64;
	c->closes = closes;
	c->events = events;
	c->arg = arg;
	c->socket = websocket_new(conduit, &of_socket, c);
	return c;
}

void channels_send(struct channels *c, unsigned channel, const void *p, size_t n)
{
	uint8_t first = (uint8_t)(channel + (c->base64 ? '0' : 0));
	struct buf m = { 0 };

	buf_append(&m, &first, 1);
	if (c->base64 && n)
		buf_added(&m, (size_t)EVP_EncodeBlock(buf_room(&m, (n + 2) / 3 * 4 + 1), p, (int)n));
	else
		buf_append(&m, p, n);
	websocket_send(c->socket, c->base64 ? WS_TEXT : WS_BINARY, m.at, m.len);
	buf_free(&m);
}

bool channels_have_room(const struct channels *c)
{
	return conduit_has_room(websocket_conduit(c->socket));
}

void channels_pause(struct channels *c, bool paused)
{
	conduit_pause(websocket_conduit(c->socket), paused);
}

static void on_channels_freed(struct timer *t)
{
	struct channels *c = container_of(t, struct channels, timer);

	buf_free(&c->encoded);
	free(c);
}

static void channels_let_go(struct channels *c)
{
	c->events = NULL;
	timer_set(&c->timer, 0, on_channels_freed);
}

void channels_finish(struct channels *c)
{
	websocket_finish(c->socket, WS_NORMAL, "");
	channels_let_go(c);
}

void channels_close(struct channels *c)
{
	websocket_close(c->socket);
	channels_let_go(c);
}
