/* http_upgrade.c - see http_upgrade.h. h2o writes the 101 and hands over its socket; from then on the outer loop
 * watches the fd. */
#include "reactor/http_upgrade.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "reactor/http_reply.h"
#include "reactor/list.h"
#include "reactor/log.h"
#include "reactor/own.h"

#include <h2o/http1.h>

struct http_ask {
	h2o_req_t *req;
	const char *path;
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

/* A comma-separated list names the word, in any case of letters. */
static bool http_list_has(const char *list, const char *word)
{
	size_t n = strlen(word);

	while (list && *list) {
		size_t len;

		list += strspn(list, " \t,");
		len = strcspn(list, " \t,");
		if (len == n && strncasecmp(list, word, n) == 0)
			return true;
		list += len;
	}
	return false;
}

bool http_ask_upgrades_to(struct http_ask *a, const char *protocol)
{
	/* h2o keeps the Upgrade header apart from the others and has checked Connection. */
	const h2o_iovec_t *asked = &a->req->upgrade;

	return asked->base && http_list_has(h2o_strdup(&a->req->pool, asked->base, asked->len).base, protocol);
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

void http_ask_refuse(struct http_ask *a, int status, const struct pairs *headers, const char *text)
{
	struct buf body = { 0 };

	assert(!a->answered);
	a->answered = true;
	buf_printf(&body, "%s\n", text);
	add_headers(a->req, headers);
	http_reply(a->req, status, "text/plain; charset=utf-8", &body);
	buf_free(&body);
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
	req->res.reason = "Switching Protocols";
	http_add_header(req, H2O_TOKEN_UPGRADE, h2o_strdup(&req->pool, protocol, SIZE_MAX).base);
	add_headers(req, headers);
	h2o_http1_upgrade(req, NULL, 0, on_upgraded, u);
}

void http_ask(h2o_req_t *req, const char *path, http_ask_fn *fn, void *arg)
{
	struct http_ask a = { req, path, false };

	fn(arg, &a);
	if (!a.answered)
		http_ask_refuse(&a, 500, NULL, "no answer");
}
