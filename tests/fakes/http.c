/* http.c - see http.h. */
#include "tests/fakes/http.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "reactor/list.h"
#include "reactor/loop.h"
#include "reactor/own.h"

enum { LINES = 512 };

struct http {
	struct http_events ev;
	struct fake_answer answer;
	struct timer timer;
	size_t at;
	bool head_sent, paused;
};

size_t fake_http_piece;
static fake_server *serve;
static char *lines[LINES];
static int nlines, nopen;

void fake_http_serve(fake_server *fn)
{
	for (int i = 0; i < nlines; i++)
		free(lines[i]);
	nlines = 0;
	serve = fn;
}

const char *fake_header(const struct http_request *q, const char *name)
{
	for (const char *const *h = q->headers; h && *h; h++)
		if (strncasecmp(*h, name, strlen(name)) == 0 && (*h)[strlen(name)] == ':')
			return *h + strlen(name) + 2;
	return "";
}

int fake_http_asked(void)
{
	return nlines;
}

const char *fake_http_line(int i)
{
	return i < nlines ? lines[i] : "";
}

int fake_http_count(const char *part)
{
	int n = 0;

	for (int i = 0; i < nlines; i++)
		n += strstr(lines[i], part) != NULL;
	return n;
}

int fake_http_open(void)
{
	return nopen;
}

void fake_http_blob(const struct http_request *q, struct fake_answer *out, const void *p, size_t n)
{
	static char texts[8][80]; /* several transfers at once */
	static unsigned turn;
	unsigned long long from = 0, to = n - 1;
	char *text = texts[turn++ % 8];

	out->status = 200;
	if (sscanf(fake_header(q, "Range"), "bytes=%llu-%llu", &from, &to) >= 1) {
		out->status = 206;
		snprintf(text, sizeof(texts[0]), "Content-Range: bytes %llu-%llu/%zu", from, to, n);
		out->headers[0] = text;
	}
	out->body = (const char *)p + from;
	out->len = (size_t)(to + 1 - from);
}

static void http_free(struct http *h)
{
	timer_clear(&h->timer);
	nopen--;
	free(h);
}

static void end(struct http *h, const char *trouble)
{
	struct http_events ev = h->ev;
	enum err_code code = h->answer.untrusted  ? ERR_FAILED_PRECONDITION
			     : h->answer.nameless ? ERR_NOT_FOUND
						  : ERR_UNAVAILABLE;
	struct err e;

	http_free(h);
	if (trouble)
		err_set(&e, code, "%s", trouble);
	ev.done(ev.arg, trouble ? &e : NULL);
}

/* One data() for each turn of the loop, as from a socket. */
static void turn(struct timer *t)
{
	struct http *h = container_of(t, struct http, timer);
	size_t end_at = h->answer.cut ? h->answer.cut : h->answer.len, n = end_at - h->at;

	if (h->answer.stall)
		return;
	if (h->answer.status == 0)
		return end(h, h->answer.untrusted  ? "certificate problem"
			      : h->answer.nameless ? "no such host"
						   : "connection refused");
	if (!h->head_sent) {
		h->head_sent = true;
		timer_set(t, 0, turn);
		h->ev.head(h->ev.arg, h, h->answer.status);
		return;
	}
	if (n == 0)
		return end(h, h->answer.cut ? "connection reset" : NULL);
	n = fake_http_piece && fake_http_piece < n ? fake_http_piece : n;
	timer_set(t, 0, turn);
	if (h->ev.data(h->ev.arg, (const char *)h->answer.body + h->at, n)) {
		h->at += n;
		return;
	}
	h->paused = true;
	timer_clear(t);
}

struct http *http_start(const struct http_request *r, const struct http_events *ev)
{
	struct http *h = new_zero(struct http);
	const char *auth = fake_header(r, "Authorization"), *range = fake_header(r, "Range");

	h->ev = *ev;
	nopen++;
	if (nlines == LINES || asprintf(&lines[nlines++], "%s %s %s %s", r->method, r->url, *auth ? auth : "-",
				       *range ? range : "-") < 0)
		abort();
	serve(r, &h->answer);
	timer_set(&h->timer, 0, turn);
	return h;
}

void http_resume(struct http *h)
{
	if (!h->paused)
		return;
	h->paused = false;
	timer_set(&h->timer, 0, turn);
}

void http_cancel(struct http *h)
{
	http_free(h);
}

const char *http_header(const struct http *h, const char *name)
{
	for (const char *const *v = h->answer.headers; *v; v++)
		if (strncasecmp(*v, name, strlen(name)) == 0 && (*v)[strlen(name)] == ':')
			return *v + strlen(name) + 2;
	return NULL;
}

void http_client_warm(void)
{
}
