/* http_setup.c - see http_setup.h. */
#include "reactor/http_setup.h"

#include <arpa/inet.h>
#include <assert.h>
#include <dirent.h>
#include <openssl/ssl.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "reactor/http_tls.h"
#include "reactor/log.h"
#include "reactor/own.h"

enum { CONNECT_TIMEOUT_MS = 10000 };

static struct {
	const char *dir;   /* a hashed directory, read as needed. NULL: `store` is used */
	X509_STORE *store; /* the bundle, read once. Both NULL: the system has no CAs */
} cas;

void http_setup_must(CURLcode rc)
{
	if (rc != CURLE_OK)
		abort();
}

/* c_rehash's names: eight hex digits, a dot, a number. */
static bool is_hashed(const char *dir)
{
	auto_dir DIR *d = dir ? opendir(dir) : NULL;

	if (!d)
		return false;
	for (struct dirent *e; (e = readdir(d));)
		if (strspn(e->d_name, "0123456789abcdef") == 8 && strcmp(e->d_name + 8, ".0") == 0)
			return true;
	return false;
}

/* With a hashed directory OpenSSL reads one small file when a peer shows a certificate. The bundle takes 25 ms and 1
 * MiB to parse, so it is parsed once for all transfers. (ARCHITECTURE R8) */
void http_setup_open(void)
{
	const curl_version_info_data *v = curl_version_info(CURLVERSION_NOW);

	if (is_hashed(v->capath)) {
		cas.dir = v->capath;
		return;
	}
	if (!v->cainfo) {
		log_warn("http_client cas=none");
		return;
	}
	cas.store = own_must(X509_STORE_new());
	/* As libcurl sets it: an intermediate certificate may be the trust anchor. */
	X509_STORE_set_flags(cas.store, X509_V_FLAG_PARTIAL_CHAIN);
	if (X509_STORE_load_file(cas.store, v->cainfo) != 1)
		log_warn("http_client ca_bundle=%s error=unreadable", v->cainfo);
}

void http_setup_close(void)
{
	http_tls_close();
	X509_STORE_free(cas.store);
	cas.store = NULL;
	cas.dir = NULL;
}

static bool is_loopback_host(const char *host)
{
	size_t n = strlen(host);
	struct in_addr v4;

	if (inet_pton(AF_INET, host, &v4) == 1)
		return ntohl(v4.s_addr) >> 24 == 127;
	return strcmp(host, "[::1]") == 0 || strcasecmp(host, "localhost") == 0 ||
	       (n > 10 && strcasecmp(host + n - 10, ".localhost") == 0);
}

/* libcurl reads the proxy variables itself, except HTTP_PROXY in capitals (in a CGI script a client's header
 * sets it). */
void http_setup_proxy(CURL *easy, const char *scheme, const char *host)
{
	const char *capitals = getenv("HTTP_PROXY");

	if (is_loopback_host(host))
		http_set(easy, CURLOPT_PROXY, "");
	else if (capitals && strcmp(scheme, "http") == 0 && !getenv("http_proxy"))
		http_set(easy, CURLOPT_PROXY, capitals);
}

static void set_pem(CURL *easy, CURLoption option, const struct http_pem *pem)
{
	struct curl_blob blob;

	if (!pem)
		return;
	blob = (struct curl_blob){ (void *)pem->text, pem->len_bytes, CURL_BLOB_COPY };
	http_set(easy, option, &blob);
}

/* libcurl has no option for CAs beside those of a bundle, and none for several certificates. http_tls.c sets both where
 * they are needed. The options for them are set all the same: by them libcurl knows which connections a request may
 * use. */
static void set_tls(CURL *easy, const struct http_request *r, struct http_tls **tls)
{
	auto_free char *certs = NULL;

	http_set(easy, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
	http_set(easy, CURLOPT_CAINFO, NULL);
	http_set(easy, CURLOPT_CAPATH, cas.dir);
	set_pem(easy, CURLOPT_CAINFO_BLOB, r->ca);
	if (r->nclients > 0) {
		set_pem(easy, CURLOPT_SSLCERT_BLOB, &r->clients[0].cert);
		set_pem(easy, CURLOPT_SSLKEY_BLOB, &r->clients[0].key);
	}
	*tls = http_tls_new(r, cas.store);
	certs = http_tls_certs(*tls);
	if (certs)
		set_pem(easy, CURLOPT_SSLCERT_BLOB, &(struct http_pem){ "", certs, strlen(certs) });
	if (*tls) {
		http_set(easy, CURLOPT_SSL_CTX_FUNCTION, http_tls_on_ctx);
		http_set(easy, CURLOPT_SSL_CTX_DATA, *tls);
	}
	http_set(easy, CURLOPT_SSL_VERIFYPEER, r->skip_verify ? 0L : 1L);
	http_set(easy, CURLOPT_SSL_VERIFYHOST, r->skip_verify ? 0L : 2L);
}

static void set_method(CURL *easy, const struct http_request *r)
{
	if (strcmp(r->method, "HEAD") == 0) {
		http_set(easy, CURLOPT_NOBODY, 1L);
	} else if (strcmp(r->method, "POST") == 0) {
		http_set(easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)r->body_len);
		http_set(easy, CURLOPT_COPYPOSTFIELDS, r->body_len ? r->body : "");
	} else {
		assert(strcmp(r->method, "GET") == 0);
	}
}

void http_setup(CURL *easy, const struct http_request *r, struct http_tls **tls)
{
	int64_t connect_ms = r->connect_timeout_ms ? r->connect_timeout_ms : CONNECT_TIMEOUT_MS;

	http_set(easy, CURLOPT_URL, r->url);
	http_set(easy, CURLOPT_PROTOCOLS_STR, "http,https");
	http_set(easy, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
	http_set(easy, CURLOPT_USERAGENT, "crisp/" CRISP_VERSION);
	http_set(easy, CURLOPT_PATH_AS_IS, 1L); /* a signed URL must arrive as it was signed */
	http_set(easy, CURLOPT_NOSIGNAL, 1L);
	http_set(easy, CURLOPT_QUICK_EXIT, 1L);
	http_set(easy, CURLOPT_CONNECTTIMEOUT_MS, (long)connect_ms);
	http_set(easy, CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L);
	if (r->decode)
		http_set(easy, CURLOPT_ACCEPT_ENCODING, "identity"); /* sends it, and decodes what comes coded */
	http_set(easy, CURLOPT_HEADEROPT, (long)CURLHEADER_SEPARATE); /* a proxy does not get them */
	set_method(easy, r);
	set_tls(easy, r, tls);
}
