/* http_client.h - HTTP(S) requests by libcurl's multi interface on the loop. Only http_client.c and http_setup.[ch] see
 * libcurl.
 *
 * Redirects are not followed: the caller gets the 3xx and decides (credentials must not travel to another host).
 * HTTP_PROXY, HTTPS_PROXY and NO_PROXY are honoured, never for loopback addresses. SIGPIPE must be ignored.
 * At most 8 connections a host: further requests wait for their turn, and a paused transfer keeps its connection. */
#ifndef REACTOR_HTTP_CLIENT_H
#define REACTOR_HTTP_CLIENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "reactor/err.h"

/* Certificates or a key in PEM. They are texts and no paths: to read a file is the caller's matter, since its file
 * system may hang (lookup.h). */
struct http_pem {
	const char *name; /* for errors */
	const char *text;
	size_t len_bytes;
};

struct http_pair {
	struct http_pem cert, key; /* cert: the certificate, then those between it and its CA */
};

struct http_request {
	const char *method; /* "GET", "HEAD", "POST" */
	const char *url; /* http: or https: */
	const char *const *headers; /* "Name: value", NULL-terminated; NULL: none */
	const void *body;           /* POST */
	size_t body_len;
	const struct http_pem *ca;  /* trusted beside the system's CAs; NULL: none */
	/* For a server that asks for a certificate. Of several the first whose issuer the server names is sent. */
	const struct http_pair *clients;
	size_t nclients;
	bool skip_verify;
	/* Every request says "Accept-Encoding: identity". A body that comes coded all the same (gzip, deflate, br,
	 * zstd, as libcurl knows them) is decoded with true, and delivered as it comes with false. */
	bool decode;
	int64_t connect_timeout_ms; /* 0: 10 s */
	/* 0: 30 s. Less than 1 byte/s for that long ends the request; a pause by data() does not count. */
	int64_t stall_timeout_ms;
};

struct http; /* one transfer; gone once `done` ran or http_cancel() returned */

struct http_events {
	/* Status line and headers are complete (1xx responses are skipped). Runs at most once, before any data. */
	void (*head)(void *arg, struct http *http, int status);
	/* Body bytes, borrowed. Return true: taken. Return false: none taken, the transfer pauses until
	 * http_resume(). */
	bool (*data)(void *arg, const void *bytes, size_t len);
	/* e NULL: the response is complete, with any status. Else the message has host and cause, and the code is:
	 *   UNAVAILABLE         cannot connect, agree on TLS; reset, truncated, stalled: a try later may work
	 *   NOT_FOUND           the name of the host or of its proxy does not resolve
	 *   FAILED_PRECONDITION the server's certificate does not verify, or the request's CA, certificate or key is
	 *                       unusable, or the body is coded in no way that libcurl knows: the next try would end the
	 *                       same way
	 *   INVALID_ARGUMENT    the URL is not http or https, has over 128 KiB, or cannot be parsed; a header holds
	 *                       a line break */
	void (*done)(void *arg, const struct err *e);
	void *arg;
};

/* All of the request is copied. No callback runs inside http_start(). */
struct http *http_start(const struct http_request *request, const struct http_events *events);
void http_resume(struct http *http); /* no effect when not paused; data() runs again from the next turn on */
void http_cancel(struct http *http); /* never waits for the resolver; no callback runs afterwards */

/* Allowed from `head` until `done` returns. A response header's value, by its name in any case of letters; NULL:
 * absent. Several lines of one name are joined by ", ". Valid until the next call with this transfer. */
const char *http_header(const struct http *http, const char *name);

/* Initialises libcurl and OpenSSL, and reads the CA bundle where the system has no hashed directory of CAs: up to 30
 * ms, which the first request would spend otherwise. */
void http_client_warm(void);

/* Cancels all transfers, closes idle connections and frees all memory. A later http_start() initialises again. Not
 * inside a callback. */
void http_client_close(void);

#endif
