/* stream.h - the streaming server: the URLs of exec, attach and port-forward, and the server behind them.
 *
 * A URL is http(s)://ADDRESS:PORT/exec|attach|portforward/TOKEN. A token is valid for one request within a minute; at
 * most 1000 tokens wait. The connection is upgraded to SPDY/3.1 or WebSocket. A connection that carries no bytes for
 * 4 h is closed. Spec: CRI v1 ExecResponse.url, AttachResponse.url, PortForwardResponse.url; the "remotecommand" and
 * "portforward" protocols of the kubelet. */
#ifndef HANDLERS_STREAM_H
#define HANDLERS_STREAM_H

#include <stdint.h>

#include "procs/streams.h"
#include "reactor/arena.h"
#include "reactor/err.h"
#include "reactor/fields.h"

struct stream_config {
	const char *address; /* a literal IP address of this host */
	int32_t port;        /* 0: a free port */
	const char *tls_cert, *tls_key; /* PEM files, read again after a change; "": plain http */
	const char *local;              /* with TLS: a unix address for the CLI, which serves the same without it */
	gid_t local_gid;
};

enum stream_kind { STREAM_EXEC, STREAM_ATTACH, STREAM_PORT_FORWARD, STREAM_KINDS };

struct stream_request {
	enum stream_kind kind;
	const char *id;          /* of the container; PORT_FORWARD: of the sandbox */
	struct strings cmd;      /* EXEC */
	struct stdio_want want;  /* EXEC, ATTACH */
	struct ints ports;       /* PORT_FORWARD, for WebSocket channels */
	struct arena *arena;     /* owns the request and all in it */
};

/* "tcp://ADDRESS:PORT", with brackets around an IPv6 address. In the arena. */
const char *stream_listens_at(const char *address, int port, struct arena *arena);

void stream_open(const struct stream_config *config); /* strings are borrowed until stream_close() */
/* As listen_open_anywhere(), or UNAVAILABLE: the files of TLS. Until it succeeds there are no URLs. */
int stream_listen(struct err *e);
void stream_close(void); /* open streams run on until they end */

/* The URL of a new token, in the arena given. The request is copied; its own arena may be NULL.
 * NULL: RESOURCE_EXHAUSTED, 1000 tokens wait; UNAVAILABLE, not listening yet. */
const char *stream_url(const struct stream_request *request, struct arena *arena, struct err *e);

#endif
