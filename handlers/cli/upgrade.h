/* upgrade.h - the HTTP request that turns a connection to a streaming URL into SPDY/3.1, and the server's answer.
 *
 * No sockets here. Spec: RFC 9110, section 7.8; CRI v1 ExecResponse.url. */
#ifndef HANDLERS_CLI_UPGRADE_H
#define HANDLERS_CLI_UPGRADE_H

#include <sys/types.h>

#include "reactor/arena.h"
#include "reactor/buf.h"
#include "reactor/err.h"

enum { CLI_UPGRADE_HEAD_MAX = 16 * 1024 };

struct cli_upgrade_url {
	const char *host;    /* with the port, as the header has it */
	const char *address; /* for listen_parse() */
	const char *path;
};

/* cri: the address of the runtime that has told the URL. The CLI speaks no TLS: for an https URL crispd has a socket
 * beside that of CRI (ARCHITECTURE R152). UNIMPLEMENTED: an https URL of a runtime without it. INVALID_ARGUMENT: any
 * other text that is no http URL with a port. */
int cli_upgrade_url(struct cli_upgrade_url *out, const char *url, const char *cri, struct arena *arena, struct err *e);

void cli_upgrade_ask(struct buf *out, const struct cli_upgrade_url *url, const char *protocol);

/* The number of bytes of the answer's head; 0: it is not whole yet. -1 with INTERNAL: the server refuses, with its
 * status line, or the head has over CLI_UPGRADE_HEAD_MAX bytes. */
ssize_t cli_upgrade_answer(const void *bytes, size_t len, struct err *e);

#endif
