/* http_tls.c - see http_tls.h.
 *
 * OpenSSL asks for a client certificate in the handshake, on behalf of the SSL_CTX of a connection, which libcurl keeps
 * for later requests too. So the parsed pairs belong to the SSL_CTX, and the texts to the request. */
#include "reactor/http_tls.h"

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <string.h>

#include "reactor/buf.h"
#include "reactor/own.h"

enum { PAIRS_MAX = 64 };

struct http_tls {
	X509_STORE *store; /* owned; NULL: libcurl's own */
	size_t npairs;     /* of several: these are offered */
	char *certs[PAIRS_MAX], *keys[PAIRS_MAX]; /* owned; PEM */
};

/* ---- client certificates ---- */

struct pair {
	X509 *cert;
	EVP_PKEY *key;
	STACK_OF(X509) *chain;
};

struct pairs {
	size_t n;
	struct pair at[PAIRS_MAX];
};

static void pairs_free(struct pairs *p)
{
	for (size_t i = 0; p && i < p->n; i++) {
		X509_free(p->at[i].cert);
		EVP_PKEY_free(p->at[i].key);
		sk_X509_pop_free(p->at[i].chain, X509_free);
	}
	free(p);
}

static void on_ctx_free(void *parent, void *p, CRYPTO_EX_DATA *ad, int index, long argl, void *argp)
{
	(void)parent, (void)ad, (void)index, (void)argl, (void)argp;
	pairs_free(p);
}

static int no_password(char *buf, int size, int rwflag, void *arg)
{
	(void)buf, (void)size, (void)rwflag, (void)arg;
	return 0;
}

static bool read_pair(struct pair *p, const char *cert, const char *key)
{
	BIO *c = own_must(BIO_new_mem_buf(cert, -1)), *k = own_must(BIO_new_mem_buf(key, -1));
	X509 *more;

	p->cert = PEM_read_bio_X509(c, NULL, no_password, NULL);
	p->key = PEM_read_bio_PrivateKey(k, NULL, no_password, NULL);
	p->chain = own_must(sk_X509_new_null());
	while (p->cert && (more = PEM_read_bio_X509(c, NULL, no_password, NULL)))
		sk_X509_push(p->chain, more);
	ERR_clear_error(); /* of the end of the text */
	BIO_free(c);
	BIO_free(k);
	return p->cert && p->key && X509_check_private_key(p->cert, p->key) == 1;
}

/* An empty list accepts every issuer (RFC 8446, section 4.2.4). */
static bool pair_fits(const struct pair *p, const STACK_OF(X509_NAME) *issuers)
{
	int n = issuers ? sk_X509_NAME_num(issuers) : 0;

	for (int i = 0; i < n; i++) {
		const X509_NAME *name = sk_X509_NAME_value(issuers, i);

		if (X509_NAME_cmp(name, X509_get_issuer_name(p->cert)) == 0)
			return true;
		for (int k = 0; k < sk_X509_num(p->chain); k++)
			if (X509_NAME_cmp(name, X509_get_issuer_name(sk_X509_value(p->chain, k))) == 0)
				return true;
	}
	return n == 0;
}

/* The server asks. As Go does: no pair fits, none is sent. */
static int on_cert_wanted(SSL *ssl, void *arg)
{
	const STACK_OF(X509_NAME) *issuers = SSL_get0_peer_CA_list(ssl);
	struct pairs *p = arg;

	SSL_certs_clear(ssl);
	for (size_t i = 0; i < p->n; i++)
		if (pair_fits(&p->at[i], issuers))
			return SSL_use_cert_and_key(ssl, p->at[i].cert, p->at[i].key, p->at[i].chain, 1);
	return 1;
}

static CURLcode set_pairs(SSL_CTX *ctx, const struct http_tls *t)
{
	static int index = -1;
	struct pairs *p = new_zero(struct pairs);

	if (index < 0)
		index = SSL_CTX_get_ex_new_index(0, NULL, NULL, NULL, on_ctx_free);
	for (p->n = 0; p->n < t->npairs; p->n++) {
		if (!read_pair(&p->at[p->n], t->certs[p->n], t->keys[p->n])) {
			p->n++;
			pairs_free(p);
			return CURLE_SSL_CERTPROBLEM;
		}
	}
	SSL_CTX_set_ex_data(ctx, index, p);
	SSL_CTX_set_cert_cb(ctx, on_cert_wanted, p);
	return CURLE_OK;
}

CURLcode http_tls_on_ctx(CURL *easy, void *ssl_ctx, void *arg)
{
	const struct http_tls *t = arg;

	(void)easy;
	if (t->store)
		SSL_CTX_set1_cert_store(ssl_ctx, t->store);
	return t->npairs ? set_pairs(ssl_ctx, t) : CURLE_OK;
}

/* ---- CAs ---- */

/* The store of the last request that had CAs beside the bundle. */
static struct {
	char *text;
	X509_STORE *bundle; /* borrowed, to be compared */
	X509_STORE *store;
} last;

void http_tls_close(void)
{
	free(take_ptr(&last.text));
	X509_STORE_free(take_ptr(&last.store));
}

/* The request's CAs and the system's. A store is kept for the next request, which mostly has the same CAs: to fill one
 * takes milliseconds, since OpenSSL sorts it for each certificate. */
static X509_STORE *store_with(const struct http_pem *ca, X509_STORE *bundle)
{
	STACK_OF(X509_OBJECT) *objects = X509_STORE_get0_objects(bundle);
	BIO *b;
	X509 *x;

	if (last.store && last.bundle == bundle && strcmp(last.text, ca->text) == 0) {
		X509_STORE_up_ref(last.store);
		return last.store;
	}
	http_tls_close();
	last.text = own_must(strdup(ca->text));
	last.bundle = bundle;
	last.store = own_must(X509_STORE_new());
	X509_STORE_set_flags(last.store, X509_V_FLAG_PARTIAL_CHAIN);
	b = own_must(BIO_new_mem_buf(ca->text, -1));
	while ((x = PEM_read_bio_X509_AUX(b, NULL, no_password, NULL))) {
		X509_STORE_add_cert(last.store, x);
		X509_free(x);
	}
	ERR_clear_error();
	BIO_free(b);
	for (int i = 0; i < sk_X509_OBJECT_num(objects); i++)
		if ((x = X509_OBJECT_get0_X509(sk_X509_OBJECT_value(objects, i))))
			X509_STORE_add_cert(last.store, x);
	X509_STORE_up_ref(last.store);
	return last.store;
}

char *http_tls_certs(const struct http_tls *t)
{
	struct buf all = { 0 };
	char *text;

	if (!t || !t->npairs)
		return NULL;
	for (size_t i = 0; i < t->npairs; i++)
		buf_printf(&all, "%s\n", t->certs[i]);
	text = own_must(strdup(buf_str(&all)));
	buf_free(&all);
	return text;
}

struct http_tls *http_tls_new(const struct http_request *r, X509_STORE *bundle)
{
	struct http_tls *t;

	if (!bundle && r->nclients < 2)
		return NULL;
	t = new_zero(struct http_tls);
	if (bundle && r->ca) {
		t->store = store_with(r->ca, bundle);
	} else if (bundle) {
		X509_STORE_up_ref(bundle);
		t->store = bundle;
	}
	for (; r->nclients > 1 && t->npairs < r->nclients && t->npairs < PAIRS_MAX; t->npairs++) {
		t->certs[t->npairs] = own_must(strdup(r->clients[t->npairs].cert.text));
		t->keys[t->npairs] = own_must(strdup(r->clients[t->npairs].key.text));
	}
	return t;
}

void http_tls_free(struct http_tls *t)
{
	if (!t)
		return;
	X509_STORE_free(t->store);
	for (size_t i = 0; i < t->npairs; i++) {
		free(t->certs[i]);
		free(t->keys[i]);
	}
	free(t);
}
