/* remote.h - the client of one exec or attach: one interface for both protocols, SPDY (spdy.c) and WebSocket (ws.c).
 *
 * Spec: remotecommand of Kubernetes: channel.k8s.io, v2 to v5. */
#ifndef HANDLERS_STREAM_REMOTE_H
#define HANDLERS_STREAM_REMOTE_H

#include "procs/streams.h"
#include "reactor/conduit.h"
#include "reactor/err.h"

/* These are the numbers of WebSocket channels. SPDY streams have names instead, in their streamType header. */
enum remote_channel { REMOTE_STDIN, REMOTE_STDOUT, REMOTE_STDERR, REMOTE_ERROR, REMOTE_RESIZE, REMOTE_CHANNELS };

/* Bytes of input that remote_taken() has not given back. From the first limit on the client is not read; at the second
 * limit reading goes on. */
enum { REMOTE_INPUT_HIGH = 256 * 1024, REMOTE_INPUT_LOW = 64 * 1024 };

struct remote;

/* remote_finish() is allowed inside each event. */
struct remote_events {
	void (*ready)(void *arg);                             /* once, and first: all streams exist */
	void (*input)(void *arg, const void *data, size_t len);    /* give it back by remote_taken() */
	void (*input_end)(void *arg);
	void (*resize)(void *arg, uint16_t width, uint16_t height);
	void (*room)(void *arg);
	void (*gone)(void *arg);                              /* the last event: the remote is freed */
};

struct remote_ops {
	void (*output)(struct remote *remote, bool is_stderr, const void *data, size_t len);
	bool (*has_room)(const struct remote *remote);
	void (*taken)(struct remote *remote, size_t n);
	void (*finish)(struct remote *remote, const struct err *e, int32_t exit_code);
};

/* Embedded in struct spdy_remote or struct ws_remote. */
struct remote {
	const struct remote_ops *ops;
	const struct remote_events *events; /* NULL: finished */
	void *arg;
};

static inline void remote_output(struct remote *remote, bool is_stderr, const void *data, size_t len)
{
	remote->ops->output(remote, is_stderr, data, len);
}
static inline bool remote_has_room(const struct remote *remote)
{
	return remote->ops->has_room(remote);
} /* after false, the event `room` follows */
static inline void remote_taken(struct remote *remote, size_t n) { remote->ops->taken(remote, n); }
/* Tells the client how the command ended; call it after all output. No event follows, and the caller must not use the
 * remote again. */
static inline void remote_finish(struct remote *remote, const struct err *e, int32_t exit_code)
{
	remote->ops->finish(remote, e, exit_code);
}

/* conduit: becomes owned by the result. version: of the protocol, 1 to 4 for SPDY, 1, 4 or 5 for WebSocket. */
struct remote *remote_spdy(struct conduit *conduit, int version, const struct stdio_want *want,
			   const struct remote_events *events, void *arg);
struct remote *remote_ws(struct conduit *conduit, int version, bool base64, const struct stdio_want *want,
			 const struct remote_events *events, void *arg);

#endif
