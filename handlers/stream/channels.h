/* channels.h - WebSocket messages that name their channel: the first byte is its number; with base64 the first
 * character is its digit and the rest is encoded.
 *
 * Spec: channel.k8s.io, base64.channel.k8s.io, v4.* and v5.channel.k8s.io, where {255, channel} closes a channel. */
#ifndef HANDLERS_STREAM_CHANNELS_H
#define HANDLERS_STREAM_CHANNELS_H

#include "reactor/websocket.h"

struct channels; /* owned by its maker until channels_finish() or channels_close() */

struct channels_events {
	void (*data)(void *arg, unsigned channel, const void *p, size_t n); /* in pieces, never empty */
	void (*closed)(void *arg, unsigned channel);                       /* v5 */
	void (*room)(void *arg);
	void (*gone)(void *arg);
};

/* c is taken */
struct channels *channels_new(struct conduit *c, bool base64, bool closes, const struct channels_events *events,
			      void *arg);
void channels_send(struct channels *c, unsigned channel, const void *p, size_t n);
bool channels_have_room(const struct channels *c);
void channels_pause(struct channels *c, bool paused);
void channels_finish(struct channels *c);
void channels_close(struct channels *c);

#endif
