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

/* Each of the three takes over the request and the conduit. */
void command_start(struct stream_request *request, struct conduit *conduit, const struct stream_protocol *protocol);
/* STREAM_SPDY, STREAM_SPDY_IN_WS */
void forward_start(struct stream_request *request, struct conduit *conduit, const struct stream_protocol *protocol);
/* STREAM_WS, STREAM_WS_BASE64. At most FORWARD_WS_PORTS_MAX ports: the number of a channel is one byte, and a port has
 * two channels. */
enum { FORWARD_WS_PORTS_MAX = 128 };
void forward_ws_start(struct stream_request *request, struct conduit *conduit, const struct stream_protocol *protocol);

/* The network namespace of the sandbox: a borrowed fd, or FORWARD_HOST for the host's. FORWARD_NONE: NOT_FOUND,
 * FAILED_PRECONDITION or UNAVAILABLE. */
enum { FORWARD_HOST = -1, FORWARD_NONE = -2, FORWARD_INSIDE = -3 };
int forward_netns(const char *sandbox_id, struct err *e);
/* Connects; netns: what forward_netns() has just said of that sandbox, but not FORWARD_NONE. */
struct portfwd_events;
struct portfwd *forward_connect(const char *sandbox_id, int netns, uint16_t port, const struct portfwd_events *events,
				void *arg);

#endif
