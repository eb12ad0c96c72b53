/* http_engine.h - HTTP/1.1 on connections that are accepted already: what http_server.c and http_upgrade.c need of a
 * library. http_h2o.c has it on libh2o, http_llhttp.c on libllhttp; the GNUmakefile builds one of them (HTTP=).
 * Private to these four files.
 *
 * An engine hands on whole requests, one a connection: it closes the connection after the answer. It ends a connection
 * that has sent no whole request after 10 s, and refuses a request by itself that is no HTTP/1.x, or too large.
 *
 * Spec: RFC 9110, RFC 9112. */
#ifndef REACTOR_HTTP_ENGINE_H
#define REACTOR_HTTP_ENGINE_H

#include "reactor/buf.h"
#include "reactor/err.h"
#include "reactor/http_upgrade.h"

/* No page reads a request body. One of at most this size is read and dropped before `request` runs. */
enum { HTTP_BODY_MAX = 65536 };

struct http_engine;

struct http_engine_events {
	void (*request)(void *arg, struct http_ask *ask); /* answers it before it returns */
	void (*closed)(void *arg);                        /* a connection has ended, or was upgraded */
};

struct http_engine *http_engine_new(const struct http_engine_events *events, void *arg, struct err *e);
/* Each connection has reported `closed`; not inside of an event. */
void http_engine_free(struct http_engine *engine);

/* To be called when a callback of the loop is about to call http_engine_serve(). */
void http_engine_enter(void);
void http_engine_serve(struct http_engine *engine, int fd); /* takes fd, which is connected and non-blocking */

/* Of a request, beside http_ask_path() and http_ask_header(). All strings live as long as `ask`. */
const char *http_engine_method(const struct http_ask *ask);
const char *http_engine_upgrade(struct http_ask *ask); /* header Upgrade where Connection names it; NULL: none */

/* Either of them once, or http_ask_accept(). Without a body for HEAD. */
void http_engine_answer(struct http_ask *ask, int status, const char *type, const struct pairs *headers,
			const struct buf *body);
bool http_engine_is_answered(const struct http_ask *ask);

const char *http_status_reason(int status); /* http_status.c */

#endif
