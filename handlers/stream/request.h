/* request.h - the machines that serve the request of a URL: command.c, forward.c, forward_ws.c.
 *
 * Each owns its connection and itself, and frees both when the client, the process or the ports are done. */
#ifndef HANDLERS_STREAM_REQUEST_H
#define HANDLERS_STREAM_REQUEST_H

#include "handlers/stream.h"
#include "reactor/conduit.h"

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
