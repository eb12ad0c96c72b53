/* http_server.c - see http_server.h.
 *
 * This file accepts connections on the outer loop and hands each to libh2o on the nested loop. HTTP/2 is off: only
 * HTTP/1.1 can be upgraded to SPDY or WebSocket, and Debian's h2o 2.2.5 has HTTP/2 faults that a client can trigger.
 *
 * Waits on: the listening fds; libh2o waits on the connections. Spec: RFC 9110, 9112. (ARCHITECTURE X3) */
#include "reactor/http_server.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "reactor/h2o_loop.h"
#include "reactor/http_reply.h"
#include "reactor/list.h"
#include "reactor/listen.h"
#include "reactor/log.h"
#include "reactor/loop.h"
#include "reactor/map.h"
#include "reactor/own.h"
#include "reactor/tls_server.h"

/* No page reads a request body; h2o buffers a body of at most this size before it calls the handler. */
enum { ACCEPTS_PER_TURN = 16, ACCEPT_PAUSE_MS = 100, REQUEST_BODY_MAX = 65536 };
/* Connections that are not upgraded. Any local user can make them, and each costs a descriptor and 6 KiB. At the bound
 * the others wait in the listener's queue; libh2o closes a connection that has sent no whole request for 10 s.
 * (ARCHITECTURE R30) */
enum { CONNECTIONS_MAX = 1000 };

struct page {
	http_page *fn;
	void *arg;
	char path[];
};

struct listener {
	struct link link;
	struct http_server *server;
	struct fd_watch watch;
	struct timer pause; /* no fd left: accept(2) again later instead of spinning */
	int fd;
	char address[];
};

struct http_server {
	h2o_globalconf_t config;
	h2o_context_t context;
	h2o_accept_ctx_t accept;
	bool context_ready;
	struct map pages;      /* of struct page, by path */
	http_ask_fn *asked;    /* for every other path; NULL: 404 */
	void *asked_arg;
	struct tls_server *tls; /* NULL: plain http */
	struct link listeners; /* of struct listener.link */
	int port;
	size_t connections;
	bool freed;        /* waits for its last connection */
	struct timer reap; /* frees the server in the next turn: h2o still uses the socket when it reports its end */
};

/* libh2o hands its callback only the handler, so the server's address is stored behind it. */
struct pages_handler {
	h2o_handler_t super;
	struct http_server *server;
};

void http_add_header(h2o_req_t *req, const h2o_token_t *name, const char *value)
{
	h2o_add_header(&req->pool, &req->res.headers, name, NULL, value, strlen(value));
}

static const char *reason_of(int status)
{
	switch (status) {
	case 200:
		return "OK";
	case 400:
		return "Bad Request";
	case 403:
		return "Forbidden";
	case 404:
		return "Not Found";
	case 405:
		return "Method Not Allowed";
	case 503:
		return "Service Unavailable";
	default:
		return status < 400 ? "OK" : "Error";
	}
}

/* Not h2o_send_inline(), which sends the body also in answer to HEAD. */
void http_reply(h2o_req_t *req, int status, const char *type, const struct buf *body)
{
	static h2o_generator_t no_more = { NULL, NULL };
	h2o_iovec_t out = h2o_strdup(&req->pool, (const char *)body->at, body->len);
	bool head = h2o_memis(req->method.base, req->method.len, H2O_STRLIT("HEAD"));

	req->res.status = status;
	req->res.reason = reason_of(status);
	req->res.content_length = body->len;
	/* One request per connection. h2o answers all pipelined requests in one turn of the loop, also when the client
	 * is gone already: 1300 requests for /metrics held the loop for 2 s. (ARCHITECTURE R17) */
	req->http1_is_persistent = 0;
	http_add_header(req, H2O_TOKEN_CONTENT_TYPE, h2o_strdup(&req->pool, type, SIZE_MAX).base);
	h2o_start_response(req, &no_more);
	h2o_send(req, &out, head || !body->len ? 0 : 1, H2O_SEND_STATE_FINAL);
}

static int on_http_request(h2o_handler_t *handler, h2o_req_t *req)
{
	struct http_server *s = container_of(handler, struct pages_handler, super)->server;
	/* path_normalized has no query and no dot segments, and is not NUL-terminated. */
	const char *path = h2o_strdup(&req->pool, req->path_normalized.base, req->path_normalized.len).base;
	const struct page *page = map_get(&s->pages, path);
	const char *type = "text/plain; charset=utf-8";
	struct buf body = { 0 };
	int status;

	if (!page && s->asked) {
		http_ask(req, path, s->asked, s->asked_arg);
		return 0;
	}
	if (!page) {
		status = 404;
		buf_puts(&body, "no such page\n");
	} else if (!h2o_memis(req->method.base, req->method.len, H2O_STRLIT("GET")) &&
		   !h2o_memis(req->method.base, req->method.len, H2O_STRLIT("HEAD"))) {
		status = 405;
		buf_puts(&body, "GET or HEAD only\n");
		http_add_header(req, H2O_TOKEN_ALLOW, "GET, HEAD");
	} else {
		status = page->fn(page->arg, path, &body, &type);
	}
	http_reply(req, status, type, &body);
	buf_free(&body);
	return 0;
}

static h2o_context_t *http_context(struct http_server *s, struct err *e)
{
	h2o_evloop_t *loop;

	if (s->context_ready)
		return &s->context;
	loop = h2o_loop_get(e);
	if (!loop)
		return NULL;
	h2o_loop_enter();
	h2o_context_init(&s->context, loop, &s->config);
	s->accept = (h2o_accept_ctx_t){ .ctx = &s->context, .hosts = s->config.hosts };
	s->context_ready = true;
	return &s->context;
}

struct http_server *http_server_new(void)
{
	struct http_server *s = new_zero(struct http_server);
	h2o_hostconf_t *host;
	struct pages_handler *handler;

	list_init(&s->listeners);
	h2o_config_init(&s->config);
	s->config.server_name = h2o_iovec_init(H2O_STRLIT("crisp/" CRISP_VERSION));
	s->config.http1.upgrade_to_http2 = 0;
	s->config.max_request_entity_size = REQUEST_BODY_MAX;
	host = h2o_config_register_host(&s->config, h2o_iovec_init(H2O_STRLIT("default")), 65535);
	handler = (struct pages_handler *)h2o_create_handler(h2o_config_register_path(host, "/", 0), sizeof(*handler));
	handler->super.on_req = on_http_request;
	handler->server = s;
	return s;
}

void http_server_page(struct http_server *s, const char *path, http_page *fn, void *arg)
{
	struct page *p = own_must(calloc(1, sizeof(*p) + strlen(path) + 1));

	p->fn = fn;
	p->arg = arg;
	strcpy(p->path, path);
	assert(!map_get(&s->pages, path));
	map_put(&s->pages, p->path, p);
}

void http_server_asks(struct http_server *s, http_ask_fn *fn, void *arg)
{
	s->asked = fn;
	s->asked_arg = arg;
}

void http_server_tls(struct http_server *s, struct tls_server *tls)
{
	s->tls = tls;
}

static void http_server_destroy(struct http_server *s)
{
	timer_clear(&s->reap);
	for (struct map_slot *it = map_next(&s->pages, NULL); it; it = map_next(&s->pages, it))
		free(it->value);
	map_free(&s->pages);
	if (s->context_ready)
		h2o_context_dispose(&s->context);
	h2o_config_dispose(&s->config);
	free(s);
}

static void on_http_reap(struct timer *t)
{
	http_server_destroy(container_of(t, struct http_server, reap));
}

static void on_connection_close(void *arg)
{
	struct http_server *s = arg;

	s->connections--;
	if (s->freed && !s->connections)
		timer_set(&s->reap, 0, on_http_reap);
}

static void http_serve(struct http_server *s, int fd)
{
	h2o_socket_t *sock;
	struct err e;

	if (s->tls)
		fd = tls_server_wrap(s->tls, fd, &e);
	if (fd < 0)
		return log_warn("http accept error=%s", log_quote(e.msg));
	sock = h2o_evloop_socket_create(s->context.loop, fd, H2O_SOCKET_FLAG_IS_ACCEPTED_CONNECTION);
	s->connections++;
	sock->on_close.cb = on_connection_close;
	sock->on_close.data = s;
	h2o_accept(&s->accept, sock);
}

static void on_listener_ready(struct fd_watch *w, int events);

static void on_http_pause_over(struct timer *t)
{
	struct listener *l = container_of(t, struct listener, pause);

	fd_watch_set(&l->watch, l->fd, FD_READ, on_listener_ready);
}

static void http_pause(struct listener *l)
{
	fd_watch_clear(&l->watch);
	timer_set(&l->pause, ACCEPT_PAUSE_MS, on_http_pause_over);
}

static void on_listener_ready(struct fd_watch *w, int events)
{
	struct listener *l = container_of(w, struct listener, watch);

	(void)events;
	h2o_loop_enter();
	for (int i = 0; i < ACCEPTS_PER_TURN; i++) {
		int fd;

		if (l->server->connections >= CONNECTIONS_MAX)
			return http_pause(l);
		fd = accept4(l->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);

		if (fd >= 0) {
			http_serve(l->server, fd);
			continue;
		}
		if (errno == EAGAIN)
			return;
		if (errno == EINTR || errno == ECONNABORTED)
			continue;
		log_warn("http accept address=%s error=%s", l->address, log_quote(strerror(errno)));
		return http_pause(l);
	}
}

static int http_listen_at(struct http_server *s, const char *address, int (*open_it)(const char *, int *, struct err *),
			  struct err *e)
{
	auto_fd int fd = -1;
	struct listener *l;
	int port = 0;

	if (!http_context(s, e))
		return err_wrap(e, "listen on %s", address);
	fd = open_it(address, &port, e);
	if (fd < 0)
		return -1;
	if (port)
		s->port = port;
	l = own_must(calloc(1, sizeof(*l) + strlen(address) + 1));
	strcpy(l->address, address);
	l->server = s;
	l->fd = take_fd(&fd);
	list_append(&s->listeners, &l->link);
	fd_watch_set(&l->watch, l->fd, FD_READ, on_listener_ready);
	return 0;
}

int http_server_listen(struct http_server *s, const char *address, struct err *e)
{
	return http_listen_at(s, address, listen_open, e);
}

int http_server_listen_anywhere(struct http_server *s, const char *address, struct err *e)
{
	return http_listen_at(s, address, listen_open_anywhere, e);
}

int http_server_port(const struct http_server *s)
{
	return s->port;
}

void http_server_free(struct http_server *s)
{
	list_each(it, &s->listeners) {
		struct listener *l = container_of(it, struct listener, link);

		list_drop(&l->link);
		fd_watch_clear(&l->watch);
		timer_clear(&l->pause);
		listen_close(l->fd, l->address);
		free(l);
	}
	s->freed = true;
	if (!s->connections)
		http_server_destroy(s);
}
