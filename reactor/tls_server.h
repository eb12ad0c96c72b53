/* tls_server.h - TLS for accepted sockets: one goes in that speaks TLS, one comes out that speaks plain.
 *
 * In between are two bounded buffers and a pair of sockets, so that whoever reads the plain end (libh2o, then a
 * conduit) knows nothing of it: libh2o's own TLS cannot be taken over at an upgrade. Half-closes are kept by
 * close_notify. TLS 1.2 and 1.3; no client certificates. */
#ifndef REACTOR_TLS_SERVER_H
#define REACTOR_TLS_SERVER_H

#include "reactor/err.h"

struct tls_server;

/* PEM files; the certificate with its chain. INVALID_ARGUMENT: they cannot be read, or do not belong together. */
struct tls_server *tls_server_new(const char *cert_path, const char *key_path, struct err *e);
void tls_server_free(struct tls_server *server); /* NULL is fine; connections live on */

/* fd is taken, in any case; a non-blocking plain end, or -1 with RESOURCE_EXHAUSTED. The files are looked at again:
 * when they changed they are read, and when that fails the old ones stay in use. */
int tls_server_wrap(struct tls_server *server, int fd, struct err *e);

#endif
