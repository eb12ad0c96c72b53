/* tls_server.h - TLS for accepted sockets: for a socket that speaks TLS the caller gets one that carries plain bytes.
 *
 * Between the two are two bounded buffers and a socket pair, so that the readers of the plain end (the HTTP
 * engine, then a conduit) need no TLS: libh2o's own TLS cannot be handed over at an upgrade. A half-close passes as
 * close_notify. TLS 1.2 and 1.3; no client certificates. */
#ifndef REACTOR_TLS_SERVER_H
#define REACTOR_TLS_SERVER_H

#include "reactor/err.h"

struct tls_server;

/* PEM files; the certificate with its chain. INVALID_ARGUMENT: a file cannot be read, or the key is of another
 * certificate. */
struct tls_server *tls_server_new(const char *cert_path, const char *key_path, struct err *e);
int tls_server_check(const char *cert_path, const char *key_path, struct err *e); /* what the same would refuse */
void tls_server_free(struct tls_server *server); /* NULL is fine; connections go on */

/* Takes fd, also on failure. Returns the non-blocking plain end, or -1 with RESOURCE_EXHAUSTED. Each call compares the
 * files' times: changed files are read again, and when that fails the old certificate stays in use. */
int tls_server_wrap(struct tls_server *server, int fd, struct err *e);

#endif
