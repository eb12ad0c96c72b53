/* remote.h - the client of one exec or attach, whatever it speaks: spdy.c or ws.c.
 *
 * Spec: remotecommand of Kubernetes: channel.k8s.io, v2 to v5. */
#ifndef HANDLERS_STREAM_REMOTE_H
#define HANDLERS_STREAM_REMOTE_H

#include "procs/streams.h"
#include "reactor/conduit.h"
#include "reactor/err.h"

/* WebSocket channels have these numbers; SPDY streams the names in their streamType header. */
enum remote_channel { REMOTE_STDIN, REMOTE_STDOUT, REMOTE_STDERR, REMOTE_ERROR, REMOTE_RESIZE, REMOTE_CHANNELS };

/* Input that was given and not yet taken: above the first the client is not read from, below the second it is again. */
enum { REMOTE_INPUT_HIGH = 256 * 1024, REMOTE_INPUT_LOW = 64 * 1024 };

struct remote;

/* remote_finish() is allowed in each. */
struct remote_events {
	void (*ready)(void *arg);                             /* once, first: all its streams are there */
	void (*input)(void *arg, const void *p, size_t n);    /* to be given back by remote_taken() */
	void (*input_end)(void *arg);
	void (*resize)(void *arg, uint16_t width, uint16_t height);
	void (*room)(void *arg);
	void (*gone)(void *arg);                              /* the last one: the remote is gone too */
};

struct remote_ops {
	void (*output)(struct remote *r, bool is_stderr, const void *p, size_t n);
	bool (*has_room)(const struct remote *r);
	void (*taken)(struct remote *r, size_t n);
	void (*finish)(struct remote *r, const struct err *e, int32_t exit_code);
};

/* Embedded in the machine behind it. */
struct remote {
	const struct remote_ops *ops;
	const struct remote_events *events; /* NULL: finished */
	void *arg;
};

static inline void remote_output(struct remote *r, bool is_stderr, const void *p, size_t n)
{
	r->ops->output(r, is_stderr, p, n);
}
static inline bool remote_has_room(const struct remote *r)
{
	return r->ops->has_room(r);
} /* false is followed by `room` */
static inline void remote_taken(struct remote *r, size_t n) { r->ops->taken(r, n); }
/* How it ended, after all output; no event follows, and r is gone for the caller. */
static inline void remote_finish(struct remote *r, const struct err *e, int32_t exit_code)
{
	r->ops->finish(r, e, exit_code);
}

/* c is taken. version: of the protocol, 1 to 4 for SPDY, 1, 4 or 5 for WebSocket. */
struct remote *remote_spdy(struct conduit *c, int version, const struct stdio_want *want,
			   const struct remote_events *events, void *arg);
struct remote *remote_ws(struct conduit *c, int version, bool base64, const struct stdio_want *want,
			 const struct remote_events *events, void *arg);

#endif
