/* http_run.h - transfers of the HTTP client against a server on the same loop, and a record of their callbacks
 * (tests/fakes/http_peer.h). */
#ifndef TESTS_HTTP_RUN_H
#define TESTS_HTTP_RUN_H

#include <string.h>

#include "reactor/http_client.h"
#include "reactor/list.h"
#include "tests/fakes/http_peer.h"
#include "tests/tap.h"
#include "tests/unit/reactor/loop_run.h"

static int port; /* the peer's */

struct seen {
	struct http *h;
	int heads, datas, refusals, dones, status;
	size_t bytes;
	bool damaged;    /* a byte of the pattern was wrong */
	bool refuse;     /* refuse each second data() */
	struct err err;  /* code OK: a complete response */
	char text[4096]; /* start of the body */
	char header[256];
	const char *want_header;
	struct seen *cancel_in_head, *cancel_in_data, *cancel_in_done; /* the transfer to cancel there */
};

static inline void cancel(struct seen *s)
{
	http_cancel(s->h);
	s->h = NULL;
}

static inline void on_head(void *arg, struct http *h, int status)
{
	struct seen *s = arg;
	const char *value = s->want_header ? http_header(h, s->want_header) : NULL;

	s->heads++;
	s->status = status;
	snprintf(s->header, sizeof(s->header), "%s", value ? value : "(none)");
	if (s->cancel_in_head)
		cancel(s->cancel_in_head);
}

static inline bool on_data(void *arg, const void *p, size_t n)
{
	struct seen *s = arg;

	if (s->refuse && (s->datas + s->refusals) % 2 == 0) {
		s->refusals++;
		return false;
	}
	for (size_t i = 0; i < n; i++)
		s->damaged |= ((const uint8_t *)p)[i] != (s->bytes + i) * 7 % 251;
	if (s->bytes < sizeof(s->text) - 1)
		memcpy(s->text + s->bytes, p, n < sizeof(s->text) - 1 - s->bytes ? n : sizeof(s->text) - 1 - s->bytes);
	s->datas++;
	s->bytes += n;
	if (s->cancel_in_data)
		cancel(s->cancel_in_data);
	return true;
}

static inline void on_done(void *arg, const struct err *e)
{
	struct seen *s = arg;

	s->dones++;
	s->h = NULL;
	if (e)
		s->err = *e;
	if (s->cancel_in_done)
		cancel(s->cancel_in_done);
	loop_stop();
}

static inline void start(struct seen *s, struct http_request r)
{
	struct http_events ev = { on_head, on_data, on_done, s };

	if (!r.method)
		r.method = "GET";
	s->h = http_start(&r, &ev);
}

/* "http://127.0.0.1:port/path"; the eighth call after this one overwrites it. */
static inline const char *url(const char *host, const char *path)
{
	static char ring[8][256];
	static int next;
	char *out = ring[next++ % 8];

	snprintf(out, sizeof(ring[0]), "http://%s:%d%s", host, port, path);
	return out;
}

static inline void start_path(struct seen *s, const char *path)
{
	start(s, (struct http_request){ .url = url("127.0.0.1", path) });
}

static inline void fetch(struct seen *s, struct http_request r)
{
	start(s, r);
	run_until(&s->dones, 1);
}

static inline void fetch_path(struct seen *s, const char *path)
{
	fetch(s, (struct http_request){ .url = url("127.0.0.1", path) });
}

/* The error must name the host and have `cause` in its message. */
static inline void fails(struct http_request r, enum err_code code, const char *cause)
{
	struct seen s = { 0 };

	fetch(&s, r);
	printf("# %s\n", s.err.msg);
	ok(s.dones == 1 && s.err.code == code);
	ok(strstr(s.err.msg, cause));
	ok(strstr(s.err.msg, "127.0.0.1:") || strstr(s.err.msg, ".test") || strstr(s.err.msg, ".invalid") ||
	   code != ERR_UNAVAILABLE);
}

#endif
