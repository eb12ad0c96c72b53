/* tls_server.c - see tls_server.h. Each connection:
 *
 *   HANDSHAKE ---done---> OPEN ---both directions at end of file, error---> freed
 *     |                    |
 *     +---10 s, error      +---the plain side is at end of file, and the peer sends no byte for 10 s---> freed
 *
 * Waits on: the peer's socket, the plain socket, one timer. Spec: RFC 8446, section 6.1 (close_notify). */
#include "reactor/tls_server.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "reactor/buf.h"
#include "reactor/list.h"
#include "reactor/log.h"
#include "reactor/loop.h"
#include "reactor/own.h"

enum { PATIENCE_MS = 10000, PIECE = 16384, PIECES_A_TURN = 4 };

struct tls_server {
	char *cert_path, *key_path;
	struct timespec cert_at, key_at; /* mtimes at the last try to load them */
	SSL_CTX *context;
};

struct tls_conn {
	SSL *ssl;
	int peer, plain;
	struct fd_watch peer_watch, plain_watch;
	struct timer timer;
	struct buf in, out; /* in: from the peer to the plain side; out: the other way */
	bool open, peer_ended, plain_ended, told_plain, told_peer;
	bool wants_write; /* the last SSL call ended with SSL_ERROR_WANT_WRITE */
};

/* ---- certificates ---- */

static const char *tls_why(void)
{
	const char *text = ERR_reason_error_string(ERR_peek_last_error());

	ERR_clear_error();
	return text ? text : "unknown reason";
}

static SSL_CTX *tls_load(const struct tls_server *t, struct err *e)
{
	SSL_CTX *c = SSL_CTX_new(TLS_server_method());

	if (!c)
		abort();
	SSL_CTX_set_min_proto_version(c, TLS1_2_VERSION);
	SSL_CTX_set_options(c, SSL_OP_NO_RENEGOTIATION | SSL_OP_CIPHER_SERVER_PREFERENCE);
	SSL_CTX_set_mode(c, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER |
				    SSL_MODE_RELEASE_BUFFERS);
	if (SSL_CTX_use_certificate_chain_file(c, t->cert_path) == 1 &&
	    SSL_CTX_use_PrivateKey_file(c, t->key_path, SSL_FILETYPE_PEM) == 1 && SSL_CTX_check_private_key(c) == 1)
		return c;
	err_set(e, ERR_INVALID_ARGUMENT, "certificate %s with key %s: %s", t->cert_path, t->key_path, tls_why());
	SSL_CTX_free(c);
	return NULL;
}

static struct timespec changed_at(const char *path)
{
	struct stat st = { 0 };

	return stat(path, &st) < 0 ? (struct timespec){ 0 } : st.st_mtim;
}

static bool same_time(struct timespec a, struct timespec b)
{
	return a.tv_sec == b.tv_sec && a.tv_nsec == b.tv_nsec;
}

static void tls_reload(struct tls_server *t)
{
	struct timespec cert_at = changed_at(t->cert_path), key_at = changed_at(t->key_path);
	SSL_CTX *fresh;
	struct err e;

	if (same_time(cert_at, t->cert_at) && same_time(key_at, t->key_at))
		return;
	/* Whoever replaces the pair writes one file first. A pair that does not match is tried again when a file
	 * changes again. */
	t->cert_at = cert_at;
	t->key_at = key_at;
	fresh = tls_load(t, &e);
	if (!fresh) {
		log_warn("tls_reload error=%s effect=\"the old certificate stays\"", log_quote(e.msg));
		return;
	}
	log_info("tls_reload cert=%s", t->cert_path);
	SSL_CTX_free(t->context);
	t->context = fresh;
}

struct tls_server *tls_server_new(const char *cert_path, const char *key_path, struct err *e)
{
	struct tls_server *t = new_zero(struct tls_server);

	t->cert_path = own_must(strdup(cert_path));
	t->key_path = own_must(strdup(key_path));
	t->cert_at = changed_at(cert_path);
	t->key_at = changed_at(key_path);
	t->context = tls_load(t, e);
	if (t->context)
		return t;
	tls_server_free(t);
	return NULL;
}

void tls_server_free(struct tls_server *t)
{
	if (!t)
		return;
	SSL_CTX_free(t->context);
	free(t->cert_path);
	free(t->key_path);
	free(t);
}

/* ---- one connection ---- */

static void tls_step(struct tls_conn *c);

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

static void on_tls_patience_over(struct timer *t)
{
	tls_conn_free(container_of(t, struct tls_conn, timer));
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

		if (c->in.len && buf_write(&c->in, c->plain) < 0)
			return errno == EAGAIN || errno == EINTR ? 0 : -1;
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
		}
		if (!c->out.len)
			break;
		rc = SSL_write(c->ssl, c->out.at, (int)c->out.len);
		if (rc > 0)
			buf_consume(&c->out, (size_t)rc);
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
	if (c->told_peer)
		timer_set(&c->timer, PATIENCE_MS, on_tls_patience_over);
	else if (more)
		timer_set(&c->timer, 0, on_tls_again); /* bytes that OpenSSL has read already make no fd readable */
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
