/* stream.h - the streaming server: URLs for exec, attach and port-forward, and what answers them.
 *
 * http(s)://ADDRESS:PORT/exec|attach|portforward/TOKEN. A token is good for one request within a minute; 1000 may be
 * waiting. The connection is upgraded to SPDY/3.1 or WebSocket; one over which nothing goes for 4 h is closed.
 * Spec: CRI v1 ExecResponse.url and its like; kubelet's "remotecommand" and "portforward" protocols. */
#ifndef HANDLERS_STREAM_H
#define HANDLERS_STREAM_H

#include <stdint.h>

#include "procs/streams.h"
#include "reactor/arena.h"
#include "reactor/err.h"
#include "reactor/fields.h"

struct stream_config {
	const char *address; /* a literal IP address of this host */
	int32_t port;        /* 0: a free one */
	const char *tls_cert, *tls_key; /* PEM files, "" for plain http; read again when they changed */
};

enum stream_kind { STREAM_EXEC, STREAM_ATTACH, STREAM_PORT_FORWARD, STREAM_KINDS };

struct stream_request {
	enum stream_kind kind;
	const char *id;          /* of the container; PORT_FORWARD: of the sandbox */
	struct strings cmd;      /* EXEC */
	struct stdio_want want;  /* EXEC, ATTACH */
	struct ints ports;       /* PORT_FORWARD, for WebSocket channels */
	struct arena *arena;     /* owns all of it, and itself */
};

int stream_open(const struct stream_config *cfg, struct err *e);
void stream_close(void); /* open streams stay until they end */

/* r is copied and need have no arena. The URL is in the arena given. NULL: RESOURCE_EXHAUSTED, 1000 are waiting. */
const char *stream_url(const struct stream_request *r, struct arena *a, struct err *e);

#endif
