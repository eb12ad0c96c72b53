/* http_reply.h - answers to an h2o request, private to http_server.c and http_upgrade.c. */
#ifndef REACTOR_HTTP_REPLY_H
#define REACTOR_HTTP_REPLY_H

#include "reactor/buf.h"
#include "reactor/h2o_loop.h"
#include "reactor/http_upgrade.h"

/* The value must live as long as the request. */
void http_add_header(h2o_req_t *req, const h2o_token_t *name, const char *value);
void http_reply(h2o_req_t *req, int status, const char *type, const struct buf *body);

/* Runs fn for this request; answers 500 when fn neither accepts nor refuses it. */
void http_ask(h2o_req_t *req, const char *path, http_ask_fn *fn, void *arg);

#endif
