/* http_reply.h - what http_server.c and http_upgrade.c share of an h2o request. Nobody else includes this. */
#ifndef REACTOR_HTTP_REPLY_H
#define REACTOR_HTTP_REPLY_H

#include "reactor/buf.h"
#include "reactor/h2o_loop.h"
#include "reactor/http_upgrade.h"

/* value lives as long as the request */
void http_add_header(h2o_req_t *req, const h2o_token_t *name, const char *value);
void http_reply(h2o_req_t *req, int status, const char *type, const struct buf *body);

/* Asks fn about this request; answers 500 itself should fn do neither. */
void http_ask(h2o_req_t *req, const char *path, http_ask_fn *fn, void *arg);

#endif
