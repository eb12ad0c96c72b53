/* http_setup.h - what a request means in libcurl's options, and where the trusted CAs come from. For http_client.c
 * only. */
#ifndef REACTOR_HTTP_SETUP_H
#define REACTOR_HTTP_SETUP_H

#include <curl/curl.h>

#include "reactor/http_client.h"

/* Finds the system's CAs, and reads them where that is expensive. */
void http_setup_open(void);
void http_setup_close(void);

/* An option that libcurl refuses is a bug of ours, or an empty heap: both end the process. */
void http_setup_must(CURLcode rc);
#define http_set(easy, option, value) http_setup_must(curl_easy_setopt(easy, option, value))

/* Everything of `r` but its headers. Copied, but for the CA store, which lives until http_setup_close(). */
void http_setup(CURL *easy, const struct http_request *r);

/* host as CURLUPART_HOST gives it: IPv4 in dotted form, IPv6 in brackets. */
void http_setup_proxy(CURL *easy, const char *scheme, const char *host);

#endif
