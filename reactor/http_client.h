/* http_client.h - HTTP(S) requests by libcurl's multi interface on the loop. The only place that sees libcurl.
 *
 * Redirects are not followed here: the caller sees the 3xx and decides (credentials must not travel to another host).
 * HTTP_PROXY, HTTPS_PROXY and NO_PROXY are honoured, never for loopback addresses. SIGPIPE must be ignored.
 * At most 8 connections a host: further requests wait for their turn, and a paused transfer keeps its connection. */
#ifndef REACTOR_HTTP_CLIENT_H
#define REACTOR_HTTP_CLIENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "reactor/err.h"

struct http_request {
	const char *method; /* "GET", "HEAD", "POST" */
	const char *url; /* http: or https: */
	const char *const *headers; /* "Name: value", NULL-terminated; NULL: none */
	const void *body;           /* POST */
	size_t body_len;
	const char *ca_file;        /* NULL: the system's bundle */
	const char *client_cert, *client_key; /* NULL: none */
	bool skip_verify;
	int64_t connect_timeout_ms; /* 0: 10 s */
	/* 0: 30 s. Less than 1 byte/s for that long ends the request (not while paused by us) */
	int64_t stall_timeout_ms;
};

struct http; /* one transfer; gone once `done` ran or http_cancel() returned */

struct http_events {
	/* Status line and headers are complete (1xx are skipped). Runs at most once, before any data. */
	void (*head)(void *arg, struct http *h, int status);
	/* Body bytes, borrowed. Return true: taken. Return false: none taken, the transfer pauses until
	 * http_resume(). */
	bool (*data)(void *arg, const void *p, size_t n);
	/* e NULL: the response is complete (whatever its status). Else, exactly one of, with host and cause in the
	 * message:
	 *   UNAVAILABLE        cannot resolve, connect or agree on TLS, reset, truncated, stalled: may pass by itself
	 *   FAILED_PRECONDITION the server's certificate does not verify, or a CA, certificate or key file of ours is
	 *                      no use: the next try would end the same way
	 *   INVALID_ARGUMENT   the URL is not http or https, cannot be parsed; a header holds a line break */
	void (*done)(void *arg, const struct err *e);
	void *arg;
};

/* All of the request is copied. Callbacks never run inside http_start(). */
struct http *http_start(const struct http_request *r, const struct http_events *ev);
void http_resume(struct http *h); /* harmless when not paused; data() runs again from the next turn on */
void http_cancel(struct http *h); /* returns at once, whatever the resolver does; nothing is called any more */

/* From `head` until `done` returns: a response header's value (any case of name), NULL: absent. Several lines of one
 * name are joined by ", ". Valid until the next call with this transfer. */
const char *http_header(const struct http *h, const char *name);

/* Initialises libcurl and OpenSSL now, and reads the CA bundle where the system has no hashed directory of CAs: up to
 * 30 ms that no request pays later. */
void http_client_warm(void);

/* Cancels what is under way, closes idle connections and frees all memory. A later http_start() begins anew. Not inside
 * a callback. */
void http_client_close(void);

#endif
