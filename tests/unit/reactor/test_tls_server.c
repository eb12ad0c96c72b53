/* test_tls_server.c - a TLS client against a wrapped socket: bytes both ways, half-closes, certificates that change. */
#include "reactor/tls_server.h"

#include <fcntl.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "reactor/loop.h"
#include "tests/tap.h"

static char dir[] = "/tmp/crisp-test-XXXXXX", cert[64], key[64], ca[64];

/* A file that is written twice within a tick of the kernel's clock has one time. */
static void set_another_time(const char *path)
{
	static time_t at = 1000000;
	const struct timespec then = { ++at, 0 }, times[2] = { then, then };

	ok(utimensat(AT_FDCWD, path, times, 0) == 0);
}

/* A self-signed certificate for that name, with a new key. */
static void make_certificate(const char *name)
{
	EVP_PKEY *k = EVP_EC_gen("P-256");
	X509 *x = X509_new();
	FILE *f;

	X509_set_version(x, 2);
	ASN1_INTEGER_set(X509_get_serialNumber(x), 1);
	X509_gmtime_adj(X509_getm_notBefore(x), 0);
	X509_gmtime_adj(X509_getm_notAfter(x), 3600);
	X509_set_pubkey(x, k);
	X509_NAME_add_entry_by_txt(X509_get_subject_name(x), "CN", MBSTRING_ASC, (const unsigned char *)name, -1, -1,
				   0);
	X509_set_issuer_name(x, X509_get_subject_name(x));
	X509_sign(x, k, EVP_sha256());
	f = fopen(cert, "we");
	PEM_write_X509(f, x);
	fclose(f);
	f = fopen(key, "we");
	PEM_write_PrivateKey(f, k, NULL, NULL, 0, NULL, NULL);
	fclose(f);
	X509_free(x);
	EVP_PKEY_free(k);
	set_another_time(cert);
	set_another_time(key);
}

/* A self-signed certificate is its own CA. */
static void copy_certificate(const char *to)
{
	char text[4096];
	FILE *f = fopen(cert, "re");
	size_t n = fread(text, 1, sizeof(text), f);

	fclose(f);
	f = fopen(to, "we");
	fwrite(text, 1, n, f);
	fclose(f);
	set_another_time(to);
}

static struct {
	SSL_CTX *context;
	SSL *ssl;
	int plain, sock;
} w;

static void turns(void)
{
	for (int i = 0; i < 20; i++)
		loop_turn();
}

static int begin_with(struct tls_server *t, bool certificate)
{
	struct err e;
	int ends[2];

	socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends);
	w.sock = ends[1];
	w.plain = tls_server_wrap(t, ends[0], &e);
	w.context = SSL_CTX_new(TLS_client_method());
	if (certificate)
		ok(SSL_CTX_use_certificate_file(w.context, cert, SSL_FILETYPE_PEM) == 1 &&
		   SSL_CTX_use_PrivateKey_file(w.context, key, SSL_FILETYPE_PEM) == 1);
	w.ssl = SSL_new(w.context);
	SSL_set_fd(w.ssl, w.sock);
	SSL_set_connect_state(w.ssl);
	for (int i = 0; i < 20; i++) {
		if (SSL_do_handshake(w.ssl) == 1)
			return 0;
		turns();
	}
	return -1;
}

static int begin(struct tls_server *t)
{
	return begin_with(t, false);
}

static void end(void)
{
	SSL_free(w.ssl);
	SSL_CTX_free(w.context);
	close(w.sock);
	if (w.plain >= 0)
		close(w.plain);
	turns();
}

static bool is_name(const char *want)
{
	X509 *x = SSL_get1_peer_certificate(w.ssl);
	char name[64] = "";

	if (x)
		X509_NAME_get_text_by_NID(X509_get_subject_name(x), NID_commonName, name, sizeof(name));
	X509_free(x);
	return strcmp(name, want) == 0;
}

static void both_ways(struct tls_server *t)
{
	static char big[600000], heard[65536];
	size_t sent = 0, got = 0;
	ssize_t n;
	int rc;

	ok(begin(t) == 0);
	for (int i = 0; i < 2000 && got < sizeof(big); i++) {
		if (sent < sizeof(big) &&
		    (rc = SSL_write(w.ssl, big + sent,
				    sizeof(big) - sent < 50000 ? (int)(sizeof(big) - sent) : 50000)) > 0)
			sent += (size_t)rc;
		loop_turn();
		while ((n = read(w.plain, heard, sizeof(heard))) > 0)
			got += (size_t)n;
	}
	ok(got == sizeof(big));
	ok(write(w.plain, "answer", 6) == 6);
	turns();
	ok(SSL_read(w.ssl, heard, sizeof(heard)) == 6 && memcmp(heard, "answer", 6) == 0);
	end();
}

static void the_client_ends_first(struct tls_server *t)
{
	char heard[16];

	ok(begin(t) == 0);
	SSL_shutdown(w.ssl);
	turns();
	ok(read(w.plain, heard, sizeof(heard)) == 0);
	ok(write(w.plain, "after", 5) == 5);
	turns();
	ok(SSL_read(w.ssl, heard, sizeof(heard)) == 5);
	end();
}

static void the_plain_end_ends_first(struct tls_server *t)
{
	char heard[16];
	int rc;

	ok(begin(t) == 0);
	shutdown(w.plain, SHUT_WR);
	turns();
	rc = SSL_read(w.ssl, heard, sizeof(heard));
	ok(rc == 0 && SSL_get_error(w.ssl, rc) == SSL_ERROR_ZERO_RETURN);
	ok(SSL_write(w.ssl, "late", 4) == 4);
	turns();
	ok(read(w.plain, heard, sizeof(heard)) == 4);
	end();
}

static void the_client_breaks_off(struct tls_server *t)
{
	char heard[16];

	ok(begin(t) == 0);
	close(w.sock);
	w.sock = -1;
	turns();
	ok(read(w.plain, heard, sizeof(heard)) <= 0);
	end();
}

static void no_tls_at_all(struct tls_server *t)
{
	struct err e;
	char heard[256];
	int ends[2], plain;

	socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends);
	plain = tls_server_wrap(t, ends[0], &e);
	ok(write(ends[1], "GET / HTTP/1.1\r\n\r\n", 18) == 18);
	turns();
	ok(read(plain, heard, sizeof(heard)) == 0);
	close(plain);
	close(ends[1]);
}

static void it_never_blocks_on_a_full_plain_end(struct tls_server *t)
{
	static char big[50000];
	int rc = 1;

	ok(begin(t) == 0);
	for (int i = 0; i < 500 && rc > 0; i++) {
		rc = SSL_write(w.ssl, big, sizeof(big));
		loop_turn();
	}
	ok(rc <= 0); /* the plain end is not read, so the client cannot write more */
	end();
}

static void nothing_to_wrap_with(struct tls_server *t)
{
	struct err e;
	int ends[2];

	socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends);
	ok(tls_server_wrap(t, ends[0], &e) < 0 && e.code == ERR_UNAVAILABLE);
	close(ends[1]);
}

/* What the plain end hears of a client with the certificate of `cert` and `key`, or without one. */
static bool client_is_served(struct tls_server *t, bool with_certificate)
{
	char heard[16];
	bool served;

	begin_with(t, with_certificate);
	served = SSL_write(w.ssl, "x", 1) == 1;
	turns();
	served = served && read(w.plain, heard, sizeof(heard)) == 1;
	end();
	return served;
}

static void only_known_clients(void)
{
	const struct tls_files files = { cert, key, ca };
	struct tls_server *t;
	struct err e;
	FILE *f;

	make_certificate("client");
	ok(tls_server_check(&files, &e) < 0 && strstr(e.msg, ca));
	f = fopen(ca, "we");
	fputs("nonsense", f);
	fclose(f);
	ok(tls_server_check(&files, &e) < 0 && strstr(e.msg, ca));
	copy_certificate(ca);
	t = tls_server_new(&files);
	ok(tls_server_ready(t, &e) == 0);
	ok(client_is_served(t, true));
	ok(!client_is_served(t, false));
	make_certificate("stranger");
	ok(!client_is_served(t, true));
	copy_certificate(ca); /* the list of CAs is read again, too */
	ok(client_is_served(t, true));
	tls_server_free(t);
}

static void certificates_change(struct tls_server *t)
{
	FILE *f;

	make_certificate("second");
	ok(begin(t) == 0 && is_name("second"));
	end();
	f = fopen(cert, "we");
	fputs("nonsense", f);
	fclose(f);
	ok(begin(t) == 0 && is_name("second"));
	end();
	unlink(key);
	ok(begin(t) == 0 && is_name("second"));
	end();
}

int main(void)
{
	const struct tls_files files = { cert, key, "" };
	struct tls_server *t;
	struct err e;

	signal(SIGPIPE, SIG_IGN);
	ok(mkdtemp(dir) != NULL);
	snprintf(cert, sizeof(cert), "%s/cert", dir);
	snprintf(key, sizeof(key), "%s/key", dir);
	snprintf(ca, sizeof(ca), "%s/ca", dir);
	ok(tls_server_check(&files, &e) < 0 && e.code == ERR_INVALID_ARGUMENT && strstr(e.msg, cert));
	t = tls_server_new(&files);
	ok(tls_server_ready(t, &e) < 0 && e.code == ERR_UNAVAILABLE && strstr(e.msg, cert));
	nothing_to_wrap_with(t);
	make_certificate("first");
	ok(tls_server_check(&files, &e) == 0 && tls_server_ready(t, &e) == 0);
	both_ways(t);
	the_client_ends_first(t);
	the_plain_end_ends_first(t);
	the_client_breaks_off(t);
	no_tls_at_all(t);
	it_never_blocks_on_a_full_plain_end(t);
	certificates_change(t);
	tls_server_free(t);
	only_known_clients();
	unlink(cert);
	unlink(key);
	unlink(ca);
	rmdir(dir);
	return tap_end();
}
