/* tls_server.h - TLS for accepted sockets: for a socket that speaks TLS the caller gets one that carries plain bytes.
 *
 * Between the two are two bounded buffers and a socket pair, so that the readers of the plain end (the HTTP
 * engine, then a conduit) need no TLS: libh2o's own TLS cannot be handed over at an upgrade. A half-close passes as
 * close_notify. TLS 1.2 and 1.3. */
#ifndef REACTOR_TLS_SERVER_H
#define REACTOR_TLS_SERVER_H

#include "reactor/err.h"

struct tls_server;

/* Absolute paths of PEM files. */
struct tls_files {
	const char *cert; /* with its chain */
	const char *key;
	const char *client_ca; /* only clients with a certificate of one of these CAs are served; "": every client is */
};

/* Files that cannot be used now are read again later, so this does not fail. The paths are copied. */
struct tls_server *tls_server_new(const struct tls_files *files);
void tls_server_free(struct tls_server *server); /* NULL is fine; connections go on */

/* UNAVAILABLE: the files have not been usable so far, with the reason; they are tried again at each call. */
int tls_server_ready(struct tls_server *server, struct err *e);

/* INVALID_ARGUMENT: a file cannot be read, or the key is of another certificate. */
int tls_server_check(const struct tls_files *files, struct err *e);

/* Takes fd, also on failure. Returns the non-blocking plain end, or -1 with RESOURCE_EXHAUSTED, or that of
 * tls_server_ready(). Each call compares the files' times: changed files are read again, and when that fails what was
 * read before stays in use. */
int tls_server_wrap(struct tls_server *server, int fd, struct err *e);

#endif
