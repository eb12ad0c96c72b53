/* http_server.h - HTTP/1.1: pages such as /metrics, and upgrades. A connection is closed after one answer. */
#ifndef REACTOR_HTTP_SERVER_H
#define REACTOR_HTTP_SERVER_H

#include "reactor/buf.h"
#include "reactor/err.h"
#include "reactor/http_upgrade.h"

struct http_server;

/* Fills `body` of one page and returns the status; *type is preset to "text/plain; charset=utf-8". Must not block. */
typedef int http_page(void *arg, const char *path, struct buf *body, const char **type);

struct http_server *http_server_new(void);
/* The whole path must match. Methods other than GET and HEAD get 405, unknown paths 404. Before listen. */
void http_server_page(struct http_server *server, const char *path, http_page *fn, void *arg);
/* Every path that is no page, with any method, goes to fn. Before listen. */
void http_server_asks(struct http_server *server, http_ask_fn *fn, void *arg);
int http_server_listen(struct http_server *server, const char *address, struct err *e); /* as grpc_server_listen */
/* Connections to addresses that are listened on from now on speak https; tls must outlive the server. */
struct tls_server;
void http_server_tls(struct http_server *server, struct tls_server *tls);
/* tcp: any address of this host */
int http_server_listen_anywhere(struct http_server *server, const char *address, struct err *e);
int http_server_port(const struct http_server *server);
void http_server_free(struct http_server *server);

#endif
