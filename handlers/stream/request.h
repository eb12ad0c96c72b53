/* request.h - what a URL stands for, and the machines that serve one: command.c, forward.c,
 * forward_ws.c. Each owns its connection and itself: it is gone when client, process or ports are done. */
#ifndef HANDLERS_STREAM_REQUEST_H
#define HANDLERS_STREAM_REQUEST_H

#include "procs/streams.h"
#include "reactor/arena.h"
#include "reactor/conduit.h"
#include "reactor/fields.h"

enum stream_kind { STREAM_EXEC, STREAM_ATTACH, STREAM_PORT_FORWARD, STREAM_KINDS };

struct stream_request {
	enum stream_kind kind;
	const char *id;          /* of the container; PORT_FORWARD: of the sandbox */
	struct strings cmd;      /* EXEC */
	struct stdio_want want;  /* EXEC, ATTACH */
	struct ints ports;       /* PORT_FORWARD, for WebSocket channels */
	struct arena *arena;     /* owns all of it, and itself */
};

enum stream_transport { STREAM_SPDY, STREAM_WS, STREAM_WS_BASE64, STREAM_SPDY_IN_WS };

struct stream_protocol {
	const char *name;
	enum stream_transport transport;
	int version;
};

/* Both take r and c. */
void command_start(struct stream_request *r, struct conduit *c, const struct stream_protocol *p);
/* STREAM_SPDY, STREAM_SPDY_IN_WS */
void forward_start(struct stream_request *r, struct conduit *c, const struct stream_protocol *p);
/* STREAM_WS, STREAM_WS_BASE64 */
void forward_ws_start(struct stream_request *r, struct conduit *c, const struct stream_protocol *p);

/* The network namespace to dial in: a borrowed fd, -1 for the host's. Or -2 with NOT_FOUND, FAILED_PRECONDITION. */
enum { FORWARD_HOST = -1, FORWARD_NONE = -2 };
int forward_netns(const char *sandbox_id, struct err *e);

#endif
