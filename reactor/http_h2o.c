/* http_h2o.c - http_engine.h on libh2o, whose loop is nested in this one (h2o_loop.h).
 *
 * HTTP/2 is off: only HTTP/1.1 can be upgraded to SPDY or WebSocket, and Debian's h2o 2.2.5 has HTTP/2 faults that a
 * client can trigger. For an upgrade h2o writes the 101 and hands over its socket; from then on the outer loop watches
 * the fd.
 *
 * Waits on: libh2o waits on the connections. (ARCHITECTURE X3) */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "reactor/h2o_loop.h"
#include "reactor/http_engine.h"
#include "reactor/list.h"
#include "reactor/own.h"

#include <h2o/http1.h>

struct http_engine {
	h2o_globalconf_t config;
	h2o_context_t context;
	h2o_accept_ctx_t accept;
	const struct http_engine_events *events;
	void *arg;
};

/* libh2o hands its callback only the handler, so the engine's address is stored behind it. */
struct engine_handler {
	h2o_handler_t super;
	struct http_engine *engine;
};

struct http_ask {
	h2o_req_t *req;
	const char *path, *method;
	bool answered;
};

/* Lives while h2o writes the 101. */
struct upgrade {
	http_accepted *done;
	void *arg;
};

const char *http_ask_path(const struct http_ask *a)
{
	return a->path;
}

const char *http_engine_method(const struct http_ask *a)
{
	return a->method;
}

const char *http_ask_header(struct http_ask *a, const char *name)
{
	h2o_mem_pool_t *pool = &a->req->pool;
	h2o_iovec_t all = { NULL, 0 };

	for (ssize_t i = -1; (i = h2o_find_header_by_str(&a->req->headers, name, strlen(name), i)) >= 0;) {
		h2o_iovec_t one = a->req->headers.entries[i].value;

		all = all.base ? h2o_concat(pool, all, h2o_iovec_init(H2O_STRLIT(", ")), one)
			       : h2o_strdup(pool, one.base, one.len);
	}
	return all.base;
}

/* h2o keeps the Upgrade header apart from the others and has checked Connection. */
const char *http_engine_upgrade(struct http_ask *a)
{
	const h2o_iovec_t *asked = &a->req->upgrade;

	return asked->base ? h2o_strdup(&a->req->pool, asked->base, asked->len).base : NULL;
}

/* The value must live as long as the request. */
static void add_header(h2o_req_t *req, const h2o_token_t *name, const char *value)
{
	h2o_add_header(&req->pool, &req->res.headers, name, NULL, value, strlen(value));
}

static void add_headers(h2o_req_t *req, const struct pairs *headers)
{
	for (size_t i = 0; headers && i < headers->n; i++) {
		h2o_iovec_t name = h2o_strdup(&req->pool, headers->at[i].key, SIZE_MAX),
			    value = h2o_strdup(&req->pool, headers->at[i].value, SIZE_MAX);

		h2o_add_header_by_str(&req->pool, &req->res.headers, name.base, name.len, 1, name.base, value.base,
				      value.len);
	}
}

/* Not h2o_send_inline(), which sends the body also in answer to HEAD. */
void http_engine_answer(struct http_ask *a, int status, const char *type, const struct pairs *headers,
			const struct buf *body)
{
	static h2o_generator_t no_more = { NULL, NULL };
	h2o_req_t *req = a->req;
	h2o_iovec_t out = h2o_strdup(&req->pool, (const char *)body->at, body->len);

	assert(!a->answered);
	a->answered = true;
	add_headers(req, headers);
	req->res.status = status;
	req->res.reason = http_status_reason(status);
	req->res.content_length = body->len;
	/* One request per connection. h2o answers all pipelined requests in one turn of the loop, also when the client
	 * is gone already: 1300 requests for /metrics held the loop for 2 s. (ARCHITECTURE R17) */
	req->http1_is_persistent = 0;
	add_header(req, H2O_TOKEN_CONTENT_TYPE, h2o_strdup(&req->pool, type, SIZE_MAX).base);
	h2o_start_response(req, &no_more);
	h2o_send(req, &out, strcmp(a->method, "HEAD") == 0 || !body->len ? 0 : 1, H2O_SEND_STATE_FINAL);
}

bool http_engine_is_answered(const struct http_ask *a)
{
	return a->answered;
}

static void on_upgraded(void *arg, h2o_socket_t *sock, size_t request_size)
{
	auto_free struct upgrade *u = arg;
	h2o_socket_export_t out;
	struct conduit *c;

	if (!sock)
		return u->done(u->arg, NULL);
	if (h2o_socket_export(sock, &out) < 0) {
		h2o_socket_close(sock);
		return u->done(u->arg, NULL);
	}
	assert(!out.ssl && out.input->size >= request_size);
	c = conduit_new(out.fd, out.input->bytes + request_size, out.input->size - request_size);
	h2o_buffer_dispose(&out.input);
	u->done(u->arg, c);
}

void http_ask_accept(struct http_ask *a, const char *protocol, const struct pairs *headers, http_accepted *done,
		     void *arg)
{
	struct upgrade *u = new_zero(struct upgrade);
	h2o_req_t *req = a->req;

	assert(!a->answered);
	a->answered = true;
	*u = (struct upgrade){ done, arg };
	req->res.status = 101;
	req->res.reason = http_status_reason(101);
	add_header(req, H2O_TOKEN_UPGRADE, h2o_strdup(&req->pool, protocol, SIZE_MAX).base);
	add_headers(req, headers);
	h2o_http1_upgrade(req, NULL, 0, on_upgraded, u);
}

static int on_http_request(h2o_handler_t *handler, h2o_req_t *req)
{
	struct http_engine *g = container_of(handler, struct engine_handler, super)->engine;
	struct http_ask a = {
		.req = req,
		/* path_normalized has no query and no dot segments. Neither is NUL-terminated. */
		.path = h2o_strdup(&req->pool, req->path_normalized.base, req->path_normalized.len).base,
		.method = h2o_strdup(&req->pool, req->method.base, req->method.len).base,
	};

	g->events->request(g->arg, &a);
	assert(a.answered);
	return 0;
}

struct http_engine *http_engine_new(const struct http_engine_events *events, void *arg, struct err *e)
{
	h2o_evloop_t *loop = h2o_loop_get(e);
	struct http_engine *g;
	h2o_hostconf_t *host;
	struct engine_handler *handler;

	if (!loop)
		return NULL;
	g = new_zero(struct http_engine);
	g->events = events;
	g->arg = arg;
	h2o_config_init(&g->config);
	g->config.server_name = h2o_iovec_init(H2O_STRLIT("crisp/" CRISP_VERSION));
	g->config.http1.upgrade_to_http2 = 0;
	g->config.max_request_entity_size = HTTP_BODY_MAX; /* h2o buffers it */
	host = h2o_config_register_host(&g->config, h2o_iovec_init(H2O_STRLIT("default")), 65535);
	handler = (struct engine_handler *)h2o_create_handler(h2o_config_register_path(host, "/", 0), sizeof(*handler));
	handler->super.on_req = on_http_request;
	handler->engine = g;
	h2o_loop_enter();
	h2o_context_init(&g->context, loop, &g->config);
	g->accept = (h2o_accept_ctx_t){ .ctx = &g->context, .hosts = g->config.hosts };
	return g;
}

void http_engine_free(struct http_engine *g)
{
	h2o_context_dispose(&g->context);
	h2o_config_dispose(&g->config);
	free(g);
}

static void on_connection_close(void *arg)
{
	struct http_engine *g = arg;

	g->events->closed(g->arg);
}

void http_engine_enter(void)
{
	h2o_loop_enter();
}

void http_engine_serve(struct http_engine *g, int fd)
{
	h2o_socket_t *sock = h2o_evloop_socket_create(g->context.loop, fd, H2O_SOCKET_FLAG_IS_ACCEPTED_CONNECTION);

	sock->on_close.cb = on_connection_close;
	sock->on_close.data = g;
	h2o_accept(&g->accept, sock);
}
