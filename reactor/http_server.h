/* http_server.h - HTTP/1.1 on libh2o, nested in the loop (h2o_loop.c): /metrics, /healthz, /debug, and the upgrades.
 * The only place, with h2o_loop.c and http_upgrade.c, that sees libh2o. */
#ifndef REACTOR_HTTP_SERVER_H
#define REACTOR_HTTP_SERVER_H

#include "reactor/buf.h"
#include "reactor/err.h"
#include "reactor/http_upgrade.h"

struct http_server;

/* One page: fills `body`, returns the status; *type is preset to "text/plain; charset=utf-8". Must not block. */
typedef int http_page(void *arg, const char *path, struct buf *body, const char **type);

struct http_server *http_server_new(void);
/* path is matched whole. GET and HEAD only; others are 405, unknown paths 404. Before listen. */
void http_server_page(struct http_server *s, const char *path, http_page *fn, void *arg);
/* Every path that is no page, with any method, goes to fn. Before listen. */
void http_server_asks(struct http_server *s, http_ask_fn *fn, void *arg);
int http_server_listen(struct http_server *s, const char *address, struct err *e); /* as grpc_server_listen */
/* https from now on; tls is borrowed for ever. */
struct tls_server;
void http_server_tls(struct http_server *s, struct tls_server *tls);
/* tcp: any address of this host */
int http_server_listen_anywhere(struct http_server *s, const char *address, struct err *e);
int http_server_port(const struct http_server *s);
void http_server_free(struct http_server *s);

#endif
