/* http_setup.h - a request as libcurl's options, and the trusted CAs. Private to http_client.c. */
#ifndef REACTOR_HTTP_SETUP_H
#define REACTOR_HTTP_SETUP_H

#include <curl/curl.h>

#include "reactor/http_client.h"

/* Finds the system's CAs; a bundle, which is slow to parse, is read here once. */
void http_setup_open(void);
void http_setup_close(void);

/* Ends the process when libcurl refuses an option: that is a bug of this program, or memory has run out. */
void http_setup_must(CURLcode rc);
#define http_set(easy, option, value) http_setup_must(curl_easy_setopt(easy, option, value))

/* Sets everything of the request but its headers. libcurl copies it, except *tls, which the caller frees after the
 * handle. */
struct http_tls;
void http_setup(CURL *easy, const struct http_request *request, struct http_tls **tls);
void http_tls_free(struct http_tls *tls); /* NULL is fine */

/* host as CURLUPART_HOST gives it: IPv4 in dotted form, IPv6 in brackets. */
void http_setup_proxy(CURL *easy, const char *scheme, const char *host);

#endif
