/* http_tls.h - what libcurl has no options for: CAs beside those of the system's bundle, and several client
 * certificates. For http_setup.c. */
#ifndef REACTOR_HTTP_TLS_H
#define REACTOR_HTTP_TLS_H

#include <curl/curl.h>
#include <openssl/x509.h>

#include "reactor/http_client.h"

struct http_tls;

/* bundle: the system's CAs; NULL: OpenSSL finds them by itself. NULL: the request needs none of this. */
struct http_tls *http_tls_new(const struct http_request *request, X509_STORE *bundle);

/* CURLOPT_SSL_CTX_FUNCTION; its data is the struct http_tls, which lives as long as the handle. */
CURLcode http_tls_on_ctx(CURL *easy, void *ssl_ctx, void *tls);

/* For CURLOPT_SSLCERT_BLOB: the certificates of all pairs, so that libcurl takes no connection of other pairs. In PEM;
 * the caller frees it. NULL: there is one pair, or none. */
char *http_tls_certs(const struct http_tls *tls);
void http_tls_free(struct http_tls *tls);
void http_tls_close(void); /* frees what is kept for later requests */

#endif
