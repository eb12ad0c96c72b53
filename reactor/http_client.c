/* http_client.c - see http_client.h.
 *
 *   QUEUED --next turn--> SENT --headers complete--> BODY <--data() refuses / http_resume()--> PAUSED
 *     |                     |                          |                                         |
 *     +---------------------+---- end, error, stall ---+-----------------------------------------+---> ENDED
 *
 * http_cancel() inside head() or data() of any transfer, while libcurl is on the stack: DEAD, freed when libcurl has
 * returned.
 *
 * Waits on: libcurl's sockets and its timer, and one stall timer a transfer (SENT and BODY).
 *
 * HTTP/1.1 only: in libcurl before 8.1 a paused HTTP/2 stream either stops all other streams of its connection or is
 * buffered without bound, and large downloads pause often (they go into a pipe).
 * libcurl resolves names in a thread of its own. CURLOPT_QUICK_EXIT (7.87) detaches that thread; joining it would stop
 * the loop until getaddrinfo(3) returns. The options of a request: http_setup.c. (ARCHITECTURE X4, X6) */
#include "reactor/http_client.h"

#include <curl/curl.h>
#include <stdlib.h>
#include <string.h>

#include "reactor/buf.h"
#include "reactor/http_setup.h"
#include "reactor/list.h"
#include "reactor/loop.h"
#include "reactor/metric.h"
#include "reactor/own.h"
#include "reactor/sm.h"
#include "reactor/trim.h"

enum {
	STALL_TIMEOUT_MS = 30000,
	IDLE_MS = 30000, /* after this time without a transfer idle connections and libcurl's memory are freed */
	HOST_CONNECTIONS = 8,
	TOTAL_CONNECTIONS = 128,
	KEPT_CONNECTIONS = 16,
	/* The size of one read of a body, and the most that a paused transfer holds. libcurl reads up to 100 times in
	 * one callback: 6 MiB, 4 ms. (ARCHITECTURE X5) */
	RECEIVE_BYTES = 64 << 10,
	/* Of a URL, which a server may choose. libcurl sets no string that is longer than 8,000,000 bytes. */
	URL_MAX = 128 << 10,
};
#define NS_PER_MS INT64_C(1000000)

enum http_state { QUEUED, SENT, BODY, PAUSED, ENDED, DEAD };

static const struct sm_state http_states[] = {
	[QUEUED] = { "QUEUED", TO(SENT) | TO(ENDED) },
	[SENT]   = { "SENT",   TO(BODY) | TO(ENDED) | TO(DEAD) },
	[BODY]   = { "BODY",   TO(PAUSED) | TO(ENDED) | TO(DEAD) },
	[PAUSED] = { "PAUSED", TO(BODY) | TO(ENDED) | TO(DEAD) },
	[ENDED]  = { "ENDED",  0 },
	[DEAD]   = { "DEAD",   0 },
};

struct http {
	struct sm sm;
	struct link link; /* on client.transfers, or on client.dead */
	CURL *easy;
	struct http_tls *tls; /* owned, or NULL */
	struct curl_slist *headers;
	struct http_events ev;
	struct timer resume, stall;
	int64_t stall_ns, stall_at_ns;
	char *pems;          /* owned: the names of the request's CA and certificate */
	const char *refused; /* the fault of the request; static. NULL: none */
	struct buf joined;   /* the last answer of http_header() */
	char error[CURL_ERROR_SIZE];
	char host[]; /* with its port if the URL has one */
};

struct socket {
	struct fd_watch watch;
	curl_socket_t fd;
};

static struct client {
	bool ready;
	CURLM *multi; /* NULL: no transfer for IDLE_MS */
	struct link transfers, dead; /* of struct http.link */
	size_t open;
	int depth; /* > 0: libcurl is on the stack and must not be entered again */
	struct timer timeout, begin, idle;
} client;

static void on_curl_timeout(struct timer *t);
static void http_settle(void);

static void http_pump(curl_socket_t fd, int events)
{
	int running;

	client.depth++;
	curl_multi_socket_action(client.multi, fd, events, &running);
	client.depth--;
	http_settle();
}

static void on_socket_ready(struct fd_watch *w, int events)
{
	struct socket *s = container_of(w, struct socket, watch);

	http_pump(s->fd, (events & FD_READ ? CURL_CSELECT_IN : 0) | (events & FD_WRITE ? CURL_CSELECT_OUT : 0));
}

static int on_curl_socket(CURL *easy, curl_socket_t fd, int what, void *arg, void *per_socket)
{
	struct socket *s = per_socket;

	(void)easy;
	(void)arg;
	if (what == CURL_POLL_REMOVE) {
		if (s)
			fd_watch_clear(&s->watch);
		free(s);
		return 0;
	}
	if (!s) {
		s = new_zero(struct socket);
		s->fd = fd;
		curl_multi_assign(client.multi, fd, s);
	}
	fd_watch_set(&s->watch, fd, (what & CURL_POLL_IN ? FD_READ : 0) | (what & CURL_POLL_OUT ? FD_WRITE : 0),
		     on_socket_ready);
	return 0;
}

static int on_curl_timer(CURLM *multi, long ms, void *arg)
{
	(void)multi;
	(void)arg;
	if (ms < 0)
		timer_clear(&client.timeout);
	else
		timer_set(&client.timeout, ms, on_curl_timeout);
	return 0;
}

static void on_curl_timeout(struct timer *t)
{
	(void)t;
	http_pump(CURL_SOCKET_TIMEOUT, 0);
}

void http_client_warm(void)
{
	if (client.ready)
		return;
	http_setup_must(curl_global_init(CURL_GLOBAL_ALL));
	list_init(&client.transfers);
	list_init(&client.dead);
	http_setup_open();
	client.ready = true;
}

static CURLM *new_multi(void)
{
	CURLM *m = own_must(curl_multi_init());

	curl_multi_setopt(m, CURLMOPT_SOCKETFUNCTION, on_curl_socket);
	curl_multi_setopt(m, CURLMOPT_TIMERFUNCTION, on_curl_timer);
	curl_multi_setopt(m, CURLMOPT_PIPELINING, (long)CURLPIPE_NOTHING);
	curl_multi_setopt(m, CURLMOPT_MAX_HOST_CONNECTIONS, (long)HOST_CONNECTIONS);
	curl_multi_setopt(m, CURLMOPT_MAX_TOTAL_CONNECTIONS, (long)TOTAL_CONNECTIONS);
	curl_multi_setopt(m, CURLMOPT_MAXCONNECTS, (long)KEPT_CONNECTIONS);
	return m;
}

static void drop_multi(void)
{
	timer_clear(&client.idle);
	if (client.multi)
		curl_multi_cleanup(client.multi);
	client.multi = NULL;
	timer_clear(&client.timeout);
}

static void on_http_idle(struct timer *t)
{
	(void)t;
	drop_multi();
	trim_memory();
}

/* ---- the life of one transfer ---- */

static void http_free(struct http *h)
{
	list_drop(&h->link);
	timer_clear(&h->resume);
	timer_clear(&h->stall);
	curl_easy_cleanup(h->easy);
	http_tls_free(h->tls);
	curl_slist_free_all(h->headers);
	buf_free(&h->joined);
	free(h->pems);
	free(h);
	client.open--;
	metric_set(METRIC_http_transfers_open, NULL, (double)client.open);
	if (!client.open && client.multi)
		timer_set(&client.idle, IDLE_MS, on_http_idle);
}

/* on_curl_socket() and on_curl_timer() may run in here, but no head(), data() or done(). */
static void http_detach(struct http *h)
{
	if (h->sm.now == QUEUED)
		return;
	client.depth++;
	curl_multi_remove_handle(client.multi, h->easy);
	client.depth--;
}

static void http_finish(struct http *h, const struct err *e)
{
	http_detach(h);
	sm_move(&h->sm, ENDED);
	metric_add(METRIC_http_transfers_total, NULL, 1);
	metric_add(METRIC_http_transfers_failed_total, NULL, e != NULL);
	h->ev.done(h->ev.arg, e);
	http_free(h);
}

static void http_fail(struct http *h, enum err_code code, const char *why)
{
	struct err e;

	err_set(&e, code, "%s: %s", h->host, why);
	http_finish(h, &e);
}

static void http_result(struct http *h, CURLcode rc)
{
	const char *why = h->error[0] ? h->error : curl_easy_strerror(rc);
	long os = 0;
	struct err e;

	switch (rc) {
	case CURLE_OK:
		return h->sm.now == SENT ? http_fail(h, ERR_UNAVAILABLE, "no response") : http_finish(h, NULL);
	case CURLE_COULDNT_CONNECT:
		/* libcurl's text has the address that it tried (the proxy's, if there is one), but not the errno. */
		curl_easy_getinfo(h->easy, CURLINFO_OS_ERRNO, &os);
		err_set(&e, ERR_UNAVAILABLE, "%s: %s%s%s", h->host, why, os ? ": " : "", os ? strerror((int)os) : "");
		return http_finish(h, &e);
	case CURLE_COULDNT_RESOLVE_HOST:
	case CURLE_COULDNT_RESOLVE_PROXY:
		return http_fail(h, ERR_NOT_FOUND, why);
	case CURLE_SSL_CACERT_BADFILE:
	case CURLE_SSL_CERTPROBLEM:
		err_set(&e, ERR_FAILED_PRECONDITION, "%s: %s (%s)", h->host, why, h->pems);
		return http_finish(h, &e);
	case CURLE_BAD_CONTENT_ENCODING:
	case CURLE_PEER_FAILED_VERIFICATION:
	case CURLE_SSL_ISSUER_ERROR:
		return http_fail(h, ERR_FAILED_PRECONDITION, why);
	default:
		return http_fail(h, ERR_UNAVAILABLE, why);
	}
}

/* Frees DEAD transfers and ends those that libcurl has finished. libcurl is not on the stack here, so a `done` may
 * start, cancel and resume any transfer. */
static void http_settle(void)
{
	CURLMsg *m;
	int left;

	while (!list_empty(&client.dead)) {
		struct http *h = container_of(list_first(&client.dead), struct http, link);

		http_detach(h);
		http_free(h);
	}
	while (client.multi && (m = curl_multi_info_read(client.multi, &left))) {
		struct http *h;

		if (m->msg != CURLMSG_DONE)
			continue;
		http_setup_must(curl_easy_getinfo(m->easy_handle, CURLINFO_PRIVATE, &h));
		http_result(h, m->data.result);
	}
}

static void on_http_stall(struct timer *t)
{
	struct http *h = container_of(t, struct http, stall);
	int64_t left_ns = h->stall_at_ns - loop_mono_ns();
	char why[64];

	if (left_ns > 0) {
		timer_set(t, left_ns / NS_PER_MS + 1, on_http_stall);
		return;
	}
	snprintf(why, sizeof(why), "stalled: no data for %lld ms", (long long)(h->stall_ns / NS_PER_MS));
	http_fail(h, ERR_UNAVAILABLE, why);
}

static void stall_begin(struct http *h)
{
	h->stall_at_ns = loop_mono_ns() + h->stall_ns;
	timer_set(&h->stall, h->stall_ns / NS_PER_MS, on_http_stall);
}

/* Each byte moves the deadline by a second, but never further than the timeout from now. */
static void stall_fed(struct http *h, size_t n)
{
	int64_t full = loop_mono_ns() + h->stall_ns;
	int64_t bought = h->stall_at_ns + (n < 3600 ? (int64_t)n : 3600) * 1000 * NS_PER_MS;

	h->stall_at_ns = bought < full ? bought : full;
}

/* ---- called by libcurl ---- */

/* There is a connection, new or reused, and the request is sent: the stall time begins. Time in the queue for a
 * connection does not count. */
static int on_sending(void *arg, char *ip, char *local_ip, int port, int local_port)
{
	(void)ip;
	(void)local_ip;
	(void)port;
	(void)local_port;
	stall_begin(arg);
	return CURL_PREREQFUNC_OK;
}

static size_t on_header_line(char *p, size_t size, size_t n, void *arg)
{
	struct http *h = arg;
	long status = 0;

	(void)size;
	stall_fed(h, n);
	if (h->sm.now != SENT || (p[0] != '\r' && p[0] != '\n')) /* also the empty line after trailers */
		return n;
	curl_easy_getinfo(h->easy, CURLINFO_RESPONSE_CODE, &status);
	if (status < 200)
		return n;
	sm_move(&h->sm, BODY);
	h->ev.head(h->ev.arg, h, (int)status);
	return h->sm.now == DEAD ? 0 : n;
}

static size_t on_body(char *p, size_t size, size_t n, void *arg)
{
	struct http *h = arg;

	(void)size;
	if (h->sm.now == DEAD)
		return 0;
	stall_fed(h, n);
	if (h->ev.data(h->ev.arg, p, n)) {
		metric_add(METRIC_http_received_bytes_total, NULL, n);
		return h->sm.now == DEAD ? 0 : n;
	}
	if (h->sm.now == DEAD)
		return 0;
	sm_move(&h->sm, PAUSED);
	timer_clear(&h->stall);
	return CURL_WRITEFUNC_PAUSE;
}

/* ---- a request becomes an easy handle ---- */

static void set_headers(struct http *h, const struct http_request *r)
{
	/* No "Expect: 100-continue": bodies here are small, and waiting for the 100 costs a round trip. */
	h->headers = own_must(curl_slist_append(NULL, "Expect:"));
	if (!r->decode)
		h->headers = own_must(curl_slist_append(h->headers, "Accept-Encoding: identity"));
	for (const char *const *line = r->headers; line && *line; line++) {
		if (strpbrk(*line, "\r\n"))
			h->refused = "a header holds a line break";
		h->headers = own_must(curl_slist_append(h->headers, *line));
	}
	http_set(h->easy, CURLOPT_HTTPHEADER, h->headers);
}

static void set_options(struct http *h, const struct http_request *r)
{
	CURL *c = h->easy;

	http_set(c, CURLOPT_ERRORBUFFER, h->error);
	http_set(c, CURLOPT_PRIVATE, h);
	http_set(c, CURLOPT_PREREQFUNCTION, on_sending);
	http_set(c, CURLOPT_PREREQDATA, h);
	http_set(c, CURLOPT_HEADERFUNCTION, on_header_line);
	http_set(c, CURLOPT_HEADERDATA, h);
	http_set(c, CURLOPT_WRITEFUNCTION, on_body);
	http_set(c, CURLOPT_WRITEDATA, h);
	http_set(c, CURLOPT_BUFFERSIZE, (long)RECEIVE_BYTES);
	http_setup(c, r, &h->tls);
	set_headers(h, r);
}

static void on_http_begin(struct timer *t)
{
	(void)t;
	list_each(it, &client.transfers) {
		struct http *h = container_of(it, struct http, link);

		if (h->sm.now != QUEUED)
			continue;
		if (h->refused) {
			http_fail(h, ERR_INVALID_ARGUMENT, h->refused);
			/* `done` may have freed any other transfer. */
			return timer_set(t, 0, on_http_begin);
		}
		sm_move(&h->sm, SENT);
		client.depth++;
		if (curl_multi_add_handle(client.multi, h->easy) != CURLM_OK)
			abort();
		client.depth--;
	}
}

static struct http *http_new(const char *text)
{
	char *host = NULL, *port = NULL, *scheme = NULL;
	CURLU *url = own_must(curl_url());
	struct http *h;
	size_t size;

	if (strlen(text) <= URL_MAX &&
	    curl_url_set(url, CURLUPART_URL, text, CURLU_NON_SUPPORT_SCHEME) == CURLUE_OK) {
		curl_url_get(url, CURLUPART_HOST, &host, 0);
		curl_url_get(url, CURLUPART_PORT, &port, 0);
		curl_url_get(url, CURLUPART_SCHEME, &scheme, 0);
	}
	size = (host ? strlen(host) : 0) + (port ? strlen(port) : 0) + sizeof("URL:");
	h = own_must(calloc(1, sizeof(*h) + size));
	snprintf(h->host, size, "%s%s%s", host ? host : "URL", port ? ":" : "", port ? port : "");
	h->easy = own_must(curl_easy_init());
	if (strlen(text) > URL_MAX)
		h->refused = "longer than 128 KiB";
	else if (!scheme)
		h->refused = "cannot be parsed";
	else if (strcmp(scheme, "http") != 0 && strcmp(scheme, "https") != 0)
		h->refused = "neither http nor https";
	else
		http_setup_proxy(h->easy, scheme, host);
	curl_free(host);
	curl_free(port);
	curl_free(scheme);
	curl_url_cleanup(url);
	return h;
}

static char *pem_names(const struct http_request *r)
{
	struct buf names = { 0 };
	char *all;

	if (r->ca)
		buf_puts(&names, r->ca->name);
	for (size_t i = 0; i < r->nclients; i++)
		buf_printf(&names, "%s%s, %s", names.len ? ", " : "", r->clients[i].cert.name, r->clients[i].key.name);
	all = own_must(strdup(buf_str(&names)));
	buf_free(&names);
	return all;
}

struct http *http_start(const struct http_request *r, const struct http_events *ev)
{
	struct http *h;

	http_client_warm();
	h = http_new(r->url);
	h->sm = (struct sm){ http_states, "http", h->host, QUEUED };
	h->ev = *ev;
	h->stall_ns = (r->stall_timeout_ms ? r->stall_timeout_ms : STALL_TIMEOUT_MS) * NS_PER_MS;
	h->pems = pem_names(r);
	if (!h->refused)
		set_options(h, r);
	list_append(&client.transfers, &h->link);
	client.open++;
	metric_set(METRIC_http_transfers_open, NULL, (double)client.open);
	timer_clear(&client.idle);
	if (!client.multi)
		client.multi = new_multi();
	timer_set(&client.begin, 0, on_http_begin);
	return h;
}

static void on_http_resume(struct timer *t)
{
	struct http *h = container_of(t, struct http, resume);
	CURLcode rc;

	if (h->sm.now != PAUSED)
		return;
	sm_move(&h->sm, BODY);
	stall_begin(h);
	client.depth++;
	rc = curl_easy_pause(h->easy, CURLPAUSE_CONT); /* calls on_body() with the held bytes */
	client.depth--;
	if (rc != CURLE_OK && h->sm.now != DEAD)
		http_result(h, rc);
	http_settle();
}

void http_resume(struct http *h)
{
	timer_set(&h->resume, 0, on_http_resume);
}

void http_cancel(struct http *h)
{
	if (!client.depth || h->sm.now == QUEUED) {
		http_detach(h);
		http_free(h);
		return;
	}
	sm_move(&h->sm, DEAD);
	timer_clear(&h->resume);
	timer_clear(&h->stall);
	list_drop(&h->link);
	list_append(&client.dead, &h->link);
}

const char *http_header(const struct http *h, const char *name)
{
	struct buf *joined = &((struct http *)h)->joined; /* the answer's memory, not the transfer's state */
	struct curl_header *line;

	if (curl_easy_header(h->easy, name, 0, CURLH_HEADER, -1, &line) != CURLHE_OK)
		return NULL;
	buf_free(joined);
	buf_puts(joined, line->value);
	for (size_t i = 1; i < line->amount; i++) {
		if (curl_easy_header(h->easy, name, i, CURLH_HEADER, -1, &line) != CURLHE_OK)
			break;
		buf_printf(joined, ", %s", line->value);
	}
	return buf_str(joined);
}

void http_client_close(void)
{
	if (!client.ready)
		return;
	assert(!client.depth);
	while (!list_empty(&client.transfers))
		http_cancel(container_of(list_first(&client.transfers), struct http, link));
	drop_multi();
	timer_clear(&client.begin);
	http_setup_close();
	curl_global_cleanup();
	client = (struct client){ 0 };
}
