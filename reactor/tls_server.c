/* tls_server.c - see tls_server.h. Each connection:
 *
 *   HANDSHAKE ---done---> OPEN ---both directions at end of file, error---> freed
 *     |                    |
 *     +---10 s, error      +---the plain side is closed or at end of file, and no payload moves for 10 s---> freed
 *
 * Waits on: the peer's socket, the plain socket, one timer. The files of the certificate are looked at again for each
 * connection; where their file system may hang, a child reads them (lookup.h), and meanwhile the old ones count.
 * Spec: RFC 8446, section 6.1 (close_notify). */
#include "reactor/tls_server.h"

#include <errno.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "reactor/buf.h"
#include "reactor/list.h"
#include "reactor/log.h"
#include "reactor/lookup_memo.h"
#include "reactor/loop.h"
#include "reactor/own.h"
#include "reactor/small_file.h"

enum { PATIENCE_MS = 10000, PIECE = 16384, PIECES_A_TURN = 4, PEM_MAX = 1 << 20, CLIENT_CHAIN_MAX = 8 };

enum tls_file { CERT, KEY, CLIENT_CA, FILES };

struct tls_server {
	char *path[FILES]; /* NULL: none */
	struct lookup_memo *memo[FILES];
	int64_t at_ns[FILES];	/* mtimes at the last try to load them; 0: there was no file */
	struct lookup *loading; /* of the files, where only a child can read them */
	SSL_CTX *context;	/* NULL: none could be made so far, and why */
	struct err why;
};

struct tls_conn {
	SSL *ssl;
	int peer, plain;
	struct fd_watch peer_watch, plain_watch;
	struct timer timer;
	struct buf in, out; /* in: from the peer to the plain side; out: the other way */
	bool open, peer_ended, plain_ended, told_plain, told_peer;
	bool wants_write; /* the last SSL call ended with SSL_ERROR_WANT_WRITE */
	bool moved;       /* payload, since the patience began */
};

/* ---- certificates ---- */

static const char *tls_why(void)
{
	const char *text = ERR_reason_error_string(ERR_peek_last_error());

	ERR_clear_error();
	return text ? text : "unknown reason";
}

static BIO *bio_of(const char *text)
{
	return own_must(BIO_new_mem_buf(text, -1));
}

/* The certificate, then those that lead to its CA. */
static bool tls_use_chain(SSL_CTX *c, const char *pem)
{
	BIO *bio = bio_of(pem);
	X509 *x = PEM_read_bio_X509_AUX(bio, NULL, NULL, NULL);
	bool good = x && SSL_CTX_use_certificate(c, x) == 1;

	X509_free(x);
	while (good && (x = PEM_read_bio_X509(bio, NULL, NULL, NULL)))
		if (SSL_CTX_add0_chain_cert(c, x) != 1) {
			X509_free(x);
			good = false;
		}
	/* the end of the text is an error of its own */
	if (good && ERR_GET_REASON(ERR_peek_last_error()) == PEM_R_NO_START_LINE)
		ERR_clear_error();
	else
		good = false;
	BIO_free(bio);
	return good;
}

static bool tls_use_key(SSL_CTX *c, const char *pem)
{
	BIO *bio = bio_of(pem);
	EVP_PKEY *key = PEM_read_bio_PrivateKey(bio, NULL, NULL, NULL);
	bool good = key && SSL_CTX_use_PrivateKey(c, key) == 1 && SSL_CTX_check_private_key(c) == 1;

	EVP_PKEY_free(key);
	BIO_free(bio);
	return good;
}

/* A resumed session would not ask for the client's certificate again. */
static bool tls_use_client_ca(SSL_CTX *c, const char *pem)
{
	BIO *bio = bio_of(pem);
	bool good = false;
	X509 *x;

	while ((x = PEM_read_bio_X509(bio, NULL, NULL, NULL))) {
		good = X509_STORE_add_cert(SSL_CTX_get_cert_store(c), x) == 1 && SSL_CTX_add_client_CA(c, x) == 1;
		X509_free(x);
		if (!good)
			break;
	}
	if (good && ERR_GET_REASON(ERR_peek_last_error()) == PEM_R_NO_START_LINE)
		ERR_clear_error();
	else
		good = false;
	BIO_free(bio);
	SSL_CTX_set_verify(c, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, NULL);
	SSL_CTX_set_verify_depth(c, CLIENT_CHAIN_MAX);
	SSL_CTX_set_session_cache_mode(c, SSL_SESS_CACHE_OFF);
	SSL_CTX_set_options(c, SSL_OP_NO_TICKET);
	return good;
}

static SSL_CTX *tls_context(const struct tls_server *t, const char *const pem[FILES], struct err *e)
{
	SSL_CTX *c = SSL_CTX_new(TLS_server_method());

	if (!c)
		abort();
	SSL_CTX_set_min_proto_version(c, TLS1_2_VERSION);
	SSL_CTX_set_options(c, SSL_OP_NO_RENEGOTIATION | SSL_OP_CIPHER_SERVER_PREFERENCE);
	SSL_CTX_set_mode(c, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER |
				    SSL_MODE_RELEASE_BUFFERS);
	if (!tls_use_chain(c, pem[CERT]) || !tls_use_key(c, pem[KEY]))
		err_set(e, ERR_INVALID_ARGUMENT, "certificate %s with key %s: %s", t->path[CERT], t->path[KEY],
			tls_why());
	else if (pem[CLIENT_CA] && !tls_use_client_ca(c, pem[CLIENT_CA]))
		err_set(e, ERR_INVALID_ARGUMENT, "certificates of clients' CAs %s: %s", t->path[CLIENT_CA], tls_why());
	else
		return c;
	SSL_CTX_free(c);
	return NULL;
}

/* l NULL: nothing is served yet, so this one time the files are read as they are. NULL: e; UNAVAILABLE: the file system
 * must be asked first. */
static SSL_CTX *tls_load(const struct tls_server *t, struct lookup *l, struct err *e)
{
	char *pem[FILES] = { NULL };
	size_t len[FILES] = { 0 };
	SSL_CTX *c = NULL;
	int i = 0;

	for (; i < FILES; i++) {
		if (t->path[i])
			pem[i] = l ? lookup_read(l, t->path[i], PEM_MAX, &len[i], ERR_INVALID_ARGUMENT, e)
				   : small_file_read(t->path[i], PEM_MAX, &len[i], ERR_INVALID_ARGUMENT, e);
		if (t->path[i] && !pem[i])
			break;
	}
	if (i == FILES)
		c = tls_context(t, (const char *const *)pem, e);
	for (i = 0; i < FILES; i++) {
		if (pem[i])
			explicit_bzero(pem[i], len[i]);
		free(pem[i]);
	}
	return c;
}

/* 0: there is no such file. False: that is not known now. */
static bool changed_at(struct lookup_memo *memo, int64_t *at_ns)
{
	struct err ignored;
	const struct looked *f = lookup_memo_get(memo, &ignored);

	if (f)
		*at_ns = f->error ? 0 : f->mtime_ns;
	return f;
}

static void tls_replace(struct tls_server *t, SSL_CTX *fresh, const struct err *e)
{
	if (!fresh) {
		t->why = *e;
		if (t->context)
			log_warn("tls_reload error=%s effect=\"the old certificate stays\"", log_quote(e->msg));
		return;
	}
	log_info("tls_reload cert=%s", t->path[CERT]);
	SSL_CTX_free(t->context);
	t->context = fresh;
}

static void on_tls_looked(void *arg, const struct err *e);

/* Takes l. */
static void tls_load_by(struct tls_server *t, struct lookup *l)
{
	struct err e;
	SSL_CTX *fresh = tls_load(t, l, &e);

	if (!fresh && e.code == ERR_UNAVAILABLE) {
		t->loading = l;
		return lookup_start(l, on_tls_looked, t);
	}
	lookup_free(l);
	tls_replace(t, fresh, &e);
}

static void on_tls_looked(void *arg, const struct err *e)
{
	struct tls_server *t = arg;
	struct lookup *l = take_ptr(&t->loading);

	if (!e)
		return tls_load_by(t, l);
	lookup_free(l);
	t->at_ns[CERT] = -1; /* the next connection tries it again */
	tls_replace(t, NULL, e);
}

/* Whoever replaces the files writes one of them first. What does not match is tried again when a file changes again. */
static void tls_reload(struct tls_server *t)
{
	int64_t at_ns[FILES] = { 0 };

	if (t->loading)
		return;
	for (int i = 0; i < FILES; i++)
		if (t->path[i] && !changed_at(t->memo[i], &at_ns[i]))
			return;
	if (memcmp(at_ns, t->at_ns, sizeof(at_ns)) == 0)
		return;
	memcpy(t->at_ns, at_ns, sizeof(at_ns));
	tls_load_by(t, lookup_new("tls_server"));
}

static void tls_name(struct tls_server *t, const struct tls_files *files)
{
	t->path[CERT] = own_must(strdup(files->cert));
	t->path[KEY] = own_must(strdup(files->key));
	t->path[CLIENT_CA] = *files->client_ca ? own_must(strdup(files->client_ca)) : NULL;
}

struct tls_server *tls_server_new(const struct tls_files *files)
{
	struct tls_server *t = new_zero(struct tls_server);

	tls_name(t, files);
	for (int i = 0; i < FILES; i++) {
		t->memo[i] = t->path[i] ? lookup_memo_new(t->path[i], NULL, NULL) : NULL;
		if (t->path[i] && !changed_at(t->memo[i], &t->at_ns[i]))
			t->at_ns[CERT] = -1;
	}
	t->context = tls_load(t, NULL, &t->why);
	return t;
}

int tls_server_ready(struct tls_server *t, struct err *e)
{
	if (!t->context) {
		t->at_ns[CERT] = -1;
		tls_reload(t);
	}
	return t->context ? 0 : err_set(e, ERR_UNAVAILABLE, "%s", t->why.msg);
}

int tls_server_check(const struct tls_files *files, struct err *e)
{
	struct tls_server t = { .context = NULL };
	SSL_CTX *c;

	tls_name(&t, files);
	c = tls_load(&t, NULL, e);
	for (int i = 0; i < FILES; i++)
		free(t.path[i]);
	SSL_CTX_free(c);
	return c ? 0 : -1;
}

void tls_server_free(struct tls_server *t)
{
	if (!t)
		return;
	SSL_CTX_free(t->context);
	lookup_free(t->loading);
	for (int i = 0; i < FILES; i++) {
		lookup_memo_free(t->memo[i]);
		free(t->path[i]);
	}
	free(t);
}

/* ---- one connection ---- */

static void tls_step(struct tls_conn *c);
static void tls_be_patient(struct tls_conn *c);

static void tls_conn_free(struct tls_conn *c)
{
	timer_clear(&c->timer);
	fd_watch_clear(&c->peer_watch);
	fd_watch_clear(&c->plain_watch);
	SSL_free(c->ssl);
	ERR_clear_error();
	close(c->peer);
	close(c->plain);
	buf_free(&c->in);
	buf_free(&c->out);
	free(c);
}

static bool is_hung_up(int fd)
{
	struct pollfd p = { fd, 0, 0 };

	return poll(&p, 1, 0) > 0 && p.revents & (POLLHUP | POLLERR);
}

/* The payload counts, not what comes in: a record of 16 KiB may come byte by byte. Nobody counts a connection whose
 * plain side is closed, so it must end. While that side is open, a peer may take its time. */
static void on_tls_patience_over(struct timer *t)
{
	struct tls_conn *c = container_of(t, struct tls_conn, timer);

	if (!c->open)
		return tls_conn_free(c);
	if (!c->out.len && !c->plain_ended)
		return;
	if (!c->moved && (c->plain_ended || is_hung_up(c->plain)))
		return tls_conn_free(c);
	tls_be_patient(c);
}

static void tls_be_patient(struct tls_conn *c)
{
	c->moved = false;
	timer_set(&c->timer, PATIENCE_MS, on_tls_patience_over);
}

static void on_tls_again(struct timer *t)
{
	tls_step(container_of(t, struct tls_conn, timer));
}

static void on_tls_peer(struct fd_watch *w, int events)
{
	(void)events;
	tls_step(container_of(w, struct tls_conn, peer_watch));
}

static void on_tls_plain(struct fd_watch *w, int events)
{
	(void)events;
	tls_step(container_of(w, struct tls_conn, plain_watch));
}

/* The result of an SSL call. 1: done. 2: the peer sent close_notify. 0: it waits for the peer's socket. -1: broken. */
static int tls_judge(struct tls_conn *c, int rc)
{
	int error = rc > 0 ? SSL_ERROR_NONE : SSL_get_error(c->ssl, rc);

	ERR_clear_error();
	c->wants_write = error == SSL_ERROR_WANT_WRITE;
	if (error == SSL_ERROR_WANT_READ || error == SSL_ERROR_WANT_WRITE)
		return 0;
	return error == SSL_ERROR_NONE ? 1 : error == SSL_ERROR_ZERO_RETURN ? 2 : -1;
}

static int tls_handshake(struct tls_conn *c)
{
	int rc = tls_judge(c, SSL_do_handshake(c->ssl));

	if (rc != 1)
		return rc < 0 || rc == 2 ? -1 : 0;
	c->open = true;
	timer_clear(&c->timer);
	return 0;
}

/* Moves the peer's bytes to the plain side. -1: broken. *more: OpenSSL may have more bytes already. */
static int tls_move_in(struct tls_conn *c, bool *more)
{
	for (int i = 0; i < PIECES_A_TURN; i++) {
		int rc;

		if (c->in.len) {
			if (buf_write(&c->in, c->plain) < 0)
				return errno == EAGAIN || errno == EINTR ? 0 : -1;
			c->moved = true;
		}
		if (c->in.len || c->peer_ended)
			break;
		rc = SSL_read(c->ssl, buf_room(&c->in, PIECE), PIECE);
		if (rc > 0)
			buf_added(&c->in, (size_t)rc);
		rc = tls_judge(c, rc);
		if (rc < 0)
			return -1;
		if (rc == 0)
			return 0;
		c->peer_ended = rc == 2;
	}
	*more = !c->peer_ended;
	if (c->peer_ended && !c->in.len && !c->told_plain) {
		c->told_plain = true;
		shutdown(c->plain, SHUT_WR);
	}
	return 0;
}

static int tls_move_out(struct tls_conn *c, bool *more)
{
	for (int i = 0; i < PIECES_A_TURN; i++) {
		ssize_t n = 0;
		int rc;

		if (!c->out.len && !c->plain_ended) {
			n = buf_read(&c->out, c->plain, PIECE);
			if (n < 0 && (errno == EAGAIN || errno == EINTR))
				return 0;
			if (n < 0)
				return -1;
			c->plain_ended = n == 0;
			c->moved = true;
		}
		if (!c->out.len)
			break;
		rc = SSL_write(c->ssl, c->out.at, (int)c->out.len);
		if (rc > 0) {
			buf_consume(&c->out, (size_t)rc);
			c->moved = true;
		}
		rc = tls_judge(c, rc);
		if (rc != 1)
			return rc == 0 ? 0 : -1;
	}
	*more = *more || !c->plain_ended || c->out.len;
	if (c->plain_ended && !c->out.len && !c->told_peer) {
		c->told_peer = true;
		SSL_shutdown(c->ssl);
		ERR_clear_error();
		shutdown(c->peer, SHUT_WR);
	}
	return 0;
}

static void tls_watch(struct tls_conn *c, bool more)
{
	bool writes = c->wants_write || (c->open && c->out.len);

	fd_watch_set(&c->peer_watch, c->peer, (c->in.len || c->peer_ended ? 0 : FD_READ) | (writes ? FD_WRITE : 0),
		     on_tls_peer);
	fd_watch_set(&c->plain_watch, c->plain,
		     c->open ? (c->out.len || c->plain_ended ? 0 : FD_READ) | (c->in.len ? FD_WRITE : 0) : 0,
		     on_tls_plain);
	if (more && !c->told_peer)
		timer_set(&c->timer, 0, on_tls_again); /* bytes that OpenSSL has read already make no fd readable */
	else if ((c->out.len || c->plain_ended) && !timer_is_set(&c->timer))
		tls_be_patient(c);
}

static void tls_step(struct tls_conn *c)
{
	bool more = false, more_out = false;

	if (!c->open && tls_handshake(c) < 0)
		return tls_conn_free(c);
	if (c->open && (tls_move_in(c, &more) < 0 || tls_move_out(c, &more_out) < 0))
		return tls_conn_free(c);
	if (c->told_plain && c->told_peer)
		return tls_conn_free(c);
	tls_watch(c, more || more_out);
}

int tls_server_wrap(struct tls_server *t, int fd, struct err *e)
{
	auto_fd int owned = fd;
	struct tls_conn *c;
	int ends[2];

	tls_reload(t);
	if (!t->context)
		return err_set(e, ERR_UNAVAILABLE, "%s", t->why.msg);
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends) < 0)
		return err_os(e, ERR_RESOURCE_EXHAUSTED, "socket pair for TLS");
	c = new_zero(struct tls_conn);
	c->peer = take_fd(&owned);
	c->plain = ends[0];
	c->ssl = own_must(SSL_new(t->context));
	SSL_set_fd(c->ssl, c->peer);
	SSL_set_accept_state(c->ssl);
	timer_set(&c->timer, PATIENCE_MS, on_tls_patience_over);
	fd_watch_set(&c->peer_watch, c->peer, FD_READ, on_tls_peer);
	return ends[1];
}
