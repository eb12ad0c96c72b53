/* channels.h - WebSocket messages, each for one channel. The first byte of a message is the number of its channel. With
 * base64 the first character is the number as a digit, and the rest of the message is encoded.
 *
 * Spec: channel.k8s.io, base64.channel.k8s.io, v4.* and v5.channel.k8s.io. In v5 {255, channel} closes a channel. */
#ifndef HANDLERS_STREAM_CHANNELS_H
#define HANDLERS_STREAM_CHANNELS_H

#include "reactor/websocket.h"

struct channels; /* owned by its maker until channels_finish() or channels_close() */

struct channels_events {
	void (*data)(void *arg, unsigned channel, const void *data, size_t len); /* a piece of a message, never empty */
	void (*closed)(void *arg, unsigned channel);                       /* v5: the client closed it */
	void (*room)(void *arg);
	void (*gone)(void *arg);
};

/* conduit: becomes owned by the result. closes: the protocol is v5. */
struct channels *channels_new(struct conduit *conduit, bool base64, bool closes, const struct channels_events *events,
			      void *arg);
void channels_send(struct channels *channels, unsigned channel, const void *data, size_t len);
bool channels_have_room(const struct channels *channels);
void channels_pause(struct channels *channels, bool paused);
void channels_finish(struct channels *channels);
void channels_close(struct channels *channels);

#endif
