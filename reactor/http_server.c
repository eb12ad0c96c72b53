/* http_server.c - see http_server.h. The listeners and the pages; an engine (http_engine.h) speaks HTTP on the
 * connections that are accepted here.
 *
 * Waits on: the listening fds. (ARCHITECTURE R73) */
#include "reactor/http_server.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "reactor/acceptor.h"
#include "reactor/http_engine.h"
#include "reactor/list.h"
#include "reactor/listen.h"
#include "reactor/log.h"
#include "reactor/loop.h"
#include "reactor/map.h"
#include "reactor/own.h"
#include "reactor/tls_server.h"

/* Connections that are not upgraded. Any local user can make them, and each costs a descriptor and 6 KiB. At the bound
 * the others wait in the listener's queue; the engine closes a connection that has sent no whole request for 10 s.
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
	struct tls_server *tls; /* NULL: plain http */
	struct acceptor acceptor;
	int fd;
	char address[];
};

struct http_server {
	struct http_engine *engine; /* NULL: listens nowhere */
	struct map pages;      /* of struct page, by path */
	http_ask_fn *asked;    /* for every other path; NULL: 404 */
	void *asked_arg;
	struct tls_server *tls; /* of the next listeners */
	struct link listeners; /* of struct listener.link */
	int port;
	size_t connections;
	bool freed;        /* waits for its last connection */
	struct timer reap; /* frees the server in the next turn: the engine has more to do when it reports an end */
};

static void on_request(void *arg, struct http_ask *ask)
{
	static struct pair allow = { "allow", "GET, HEAD" };
	struct http_server *s = arg;
	const char *path = http_ask_path(ask), *method = http_engine_method(ask), *type = "text/plain; charset=utf-8";
	const struct page *page = map_get(&s->pages, path);
	struct buf body = { 0 };
	int status;

	if (page && strcmp(method, "GET") != 0 && strcmp(method, "HEAD") != 0)
		return http_ask_refuse(ask, 405, &(struct pairs){ &allow, 1 }, "GET or HEAD only");
	if (!page && !s->asked)
		return http_ask_refuse(ask, 404, NULL, "no such page");
	if (!page) {
		s->asked(s->asked_arg, ask);
		if (!http_engine_is_answered(ask))
			http_ask_refuse(ask, 500, NULL, "no answer");
		return;
	}
	status = page->fn(page->arg, path, &body, &type);
	http_engine_answer(ask, status, type, NULL, &body);
	buf_free(&body);
}

struct http_server *http_server_new(void)
{
	struct http_server *s = new_zero(struct http_server);

	list_init(&s->listeners);
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
	if (s->engine)
		http_engine_free(s->engine);
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

static bool http_has_room(void *listener)
{
	const struct listener *l = listener;

	return l->server->connections < CONNECTIONS_MAX;
}

static void http_take(void *listener, int fd)
{
	const struct listener *l = listener;
	struct http_server *s = l->server;
	struct err e;

	if (l->tls)
		fd = tls_server_wrap(l->tls, fd, &e);
	if (fd < 0)
		return log_warn("http accept error=%s", log_quote(e.msg));
	s->connections++;
	http_engine_enter();
	http_engine_serve(s->engine, fd);
}

static int http_listen_at(struct http_server *s, const char *address, int (*open_it)(const char *, int *, struct err *),
			  struct err *e)
{
	static const struct http_engine_events events = { on_request, on_connection_close };
	auto_fd int fd = -1;
	struct listener *l;
	int port = 0;

	if (!s->engine)
		s->engine = http_engine_new(&events, s, e);
	if (!s->engine)
		return err_wrap(e, "listen on %s", address);
	fd = open_it(address, &port, e);
	if (fd < 0)
		return -1;
	if (port)
		s->port = port;
	l = own_must(calloc(1, sizeof(*l) + strlen(address) + 1));
	strcpy(l->address, address);
	l->server = s;
	l->tls = s->tls;
	l->fd = take_fd(&fd);
	list_append(&s->listeners, &l->link);
	acceptor_open(&l->acceptor, &(struct acceptor){ .fd = l->fd, .what = "http", .address = l->address,
							.take = http_take, .has_room = http_has_room, .arg = l });
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
		acceptor_close(&l->acceptor);
		listen_close(l->fd, l->address);
		free(l);
	}
	s->freed = true;
	if (!s->connections)
		http_server_destroy(s);
}
