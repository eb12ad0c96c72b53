/* test_http_tls.c - https against `openssl s_server` with a CA of the test: which servers are trusted, which are not,
 * and with what error. */
#include <arpa/inet.h>
#include <curl/curl.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include "reactor/http_client.h"
#include "reactor/loop.h"
#include "reactor/own.h"
#include "reactor/small_file.h"
#include "tests/tap.h"

enum { PATIENCE_MS = 30000 };

static char dir[] = "/tmp/crisp-test-XXXXXX";

/* Where the system's CAs are, for the tests about them; NULL: as libcurl was built. */
static const char *system_bundle, *system_dir;

curl_version_info_data *__real_curl_version_info(CURLversion v);
curl_version_info_data *__wrap_curl_version_info(CURLversion v);
curl_version_info_data *__wrap_curl_version_info(CURLversion v)
{
	static curl_version_info_data d;

	d = *__real_curl_version_info(v);
	if (system_bundle || system_dir) {
		d.cainfo = system_bundle;
		d.capath = system_dir;
	}
	return &d;
}

/* A path in the test's directory; the eighth call after this one overwrites it. */
static char *in_dir(const char *name)
{
	static char ring[8][128];
	static int next;
	char *out = ring[next++ % 8];

	snprintf(out, sizeof(ring[0]), "%s/%s", dir, name);
	return out;
}

static pid_t spawn(char *const *argv, int out)
{
	posix_spawn_file_actions_t fa;
	pid_t pid;

	posix_spawn_file_actions_init(&fa);
	posix_spawn_file_actions_addchdir_np(&fa, dir); /* what `s_server -WWW` serves */
	posix_spawn_file_actions_addopen(&fa, 0, "/dev/null", O_RDONLY, 0);
	posix_spawn_file_actions_adddup2(&fa, out, 1);
	posix_spawn_file_actions_addopen(&fa, 2, "/dev/null", O_WRONLY, 0);
	if (posix_spawnp(&pid, argv[0], &fa, NULL, argv, environ) != 0)
		abort();
	posix_spawn_file_actions_destroy(&fa);
	return pid;
}

#define run(...) run_((char *const[]){ __VA_ARGS__, NULL })
static void run_(char *const *argv)
{
	auto_fd int null = open("/dev/null", O_WRONLY | O_CLOEXEC);
	int status = -1;

	waitpid(spawn(argv, null), &status, 0);
	ok(status == 0);
}

#define S(literal) ((char *)(literal))

static void make_ca(const char *name)
{
	char key[64], pem[64], subject[64];

	snprintf(subject, sizeof(subject), "/CN=test CA %s", name);
	snprintf(key, sizeof(key), "%s.key", name);
	snprintf(pem, sizeof(pem), "%s.pem", name);
	run(S("openssl"), S("req"), S("-x509"), S("-newkey"), S("ec"), S("-pkeyopt"), S("ec_paramgen_curve:P-256"),
	    S("-nodes"), S("-days"), S("2"), S("-subj"), subject, S("-keyout"), in_dir(key), S("-out"),
	    in_dir(pem));
}

static void make_cert(const char *ca, const char *name, const char *alt_name)
{
	char key[64], pem[64], alt[128], ca_key[64], ca_pem[64];

	snprintf(key, sizeof(key), "%s.key", name);
	snprintf(pem, sizeof(pem), "%s.pem", name);
	snprintf(ca_key, sizeof(ca_key), "%s.key", ca);
	snprintf(ca_pem, sizeof(ca_pem), "%s.pem", ca);
	snprintf(alt, sizeof(alt), "subjectAltName=%s", alt_name);
	run(S("openssl"), S("req"), S("-x509"), S("-CA"), in_dir(ca_pem), S("-CAkey"), in_dir(ca_key), S("-newkey"),
	    S("ec"), S("-pkeyopt"), S("ec_paramgen_curve:P-256"), S("-nodes"), S("-days"), S("2"), S("-subj"),
	    S("/CN=crisp test"), S("-addext"), alt, S("-addext"), S("basicConstraints=CA:FALSE"), S("-keyout"),
	    in_dir(key), S("-out"), in_dir(pem));
}

struct server {
	pid_t pid;
	int port;
};

/* mode "-www": answers each GET with a page; "-WWW": with a file. ask_client: the server demands a certificate of the
 * test's CA. */
static struct server server_start(const char *cert, const char *mode, bool ask_client)
{
	char key[64], pem[64], line[256] = "";
	char *argv[20] = { S("openssl"), S("s_server"), S("-accept"), S("127.0.0.1:0"), S(mode) };
	int n = 5, pipe_fds[2];
	struct server s = { 0 };
	FILE *f;

	snprintf(key, sizeof(key), "%s.key", cert);
	snprintf(pem, sizeof(pem), "%s.pem", cert);
	argv[n++] = S("-cert"), argv[n++] = in_dir(pem), argv[n++] = S("-key"), argv[n++] = in_dir(key);
	if (ask_client) {
		argv[n++] = S("-Verify"), argv[n++] = S("1"), argv[n++] = S("-verify_return_error");
		argv[n++] = S("-CAfile"), argv[n++] = in_dir("ca.pem");
	}
	if (pipe2(pipe_fds, O_CLOEXEC) < 0)
		abort();
	s.pid = spawn(argv, pipe_fds[1]);
	close(pipe_fds[1]);
	f = fdopen(pipe_fds[0], "r");
	while (!s.port && fgets(line, sizeof(line), f))
		sscanf(line, "ACCEPT 127.0.0.1:%d", &s.port);
	/* The pipe stays open: s_server prints later, and SIGPIPE would end it. */
	ok(s.port != 0);
	return s;
}

static void server_stop(struct server s)
{
	kill(s.pid, SIGKILL);
	waitpid(s.pid, NULL, 0);
}

/* A file of the directory, as http_request wants it; it stays until the test ends. */
static const struct http_pem *pem(const char *name)
{
	static struct http_pem all[32];
	static size_t n;
	struct http_pem *p = &all[n++];
	struct err e;

	if (n > sizeof(all) / sizeof(*all))
		abort();

	p->name = name;
	p->text = small_file_read(in_dir(name), 65536, &p->len_bytes, ERR_INTERNAL, &e);
	ok(p->text != NULL);
	return p;
}

struct seen {
	int status, dones, calls;
	size_t bytes;
	bool refuse, damaged; /* refuse each second piece; the pattern of make_file() was broken */
	struct err err;
};

static void on_head(void *arg, struct http *h, int status)
{
	(void)h;
	((struct seen *)arg)->status = status;
}

static bool on_data(void *arg, const void *p, size_t n)
{
	struct seen *s = arg;

	if (s->refuse && s->calls++ % 2 == 0)
		return false;
	for (size_t i = 0; i < n; i++)
		s->damaged |= ((const uint8_t *)p)[i] != (s->bytes + i) * 7 % 251;
	s->bytes += n;
	return true;
}

static void on_done(void *arg, const struct err *e)
{
	struct seen *s = arg;

	s->dones++;
	if (e)
		s->err = *e;
	loop_stop();
}

static void stop_loop(struct timer *t)
{
	(void)t;
	loop_stop();
}

static struct http *start(int port, const char *path, struct http_request r, struct seen *s)
{
	struct http_events ev = { on_head, on_data, on_done, s };
	char url[64];

	snprintf(url, sizeof(url), "https://127.0.0.1:%d/%s", port, path);
	r.method = "GET";
	r.url = url;
	return http_start(&r, &ev);
}

static struct seen fetch(int port, struct http_request r)
{
	struct seen s = { 0 };
	struct timer bail = { 0 };

	start(port, "", r, &s);
	timer_set(&bail, PATIENCE_MS, stop_loop);
	loop_run();
	timer_clear(&bail);
	ok(s.dones == 1);
	if (s.err.code)
		printf("# %s\n", s.err.msg);
	return s;
}

static bool failed_by(struct seen s, enum err_code code, const char *cause)
{
	return s.err.code == code && strstr(s.err.msg, "127.0.0.1:") && strstr(s.err.msg, cause);
}

static bool failed(struct seen s, const char *cause)
{
	return failed_by(s, ERR_FAILED_PRECONDITION, cause);
}

/* ---- stories ---- */

static void only_a_known_ca_is_trusted(void)
{
	static const struct http_pem rubbish = { "rubbish.pem", "rubbish", 7 };
	struct server srv = server_start("server", "-www", false);

	ok(failed(fetch(srv.port, (struct http_request){ 0 }), "certificate problem"));
	ok(failed(fetch(srv.port, (struct http_request){ .ca = pem("other.pem") }), "certificate problem"));
	ok(failed(fetch(srv.port, (struct http_request){ .ca = &rubbish }), "rubbish.pem"));
	ok(fetch(srv.port, (struct http_request){ .ca = pem("ca.pem") }).status == 200);
	/* The CA file of one request does not count for the next. */
	ok(failed(fetch(srv.port, (struct http_request){ 0 }), "certificate problem"));
	ok(fetch(srv.port, (struct http_request){ .skip_verify = true }).status == 200);
	ok(failed(fetch(srv.port, (struct http_request){ 0 }), "certificate problem"));
	server_stop(srv);
}

static void the_name_must_match(void)
{
	struct server srv = server_start("elsewhere", "-www", false);

	ok(failed(fetch(srv.port, (struct http_request){ .ca = pem("ca.pem") }), "127.0.0.1"));
	ok(fetch(srv.port, (struct http_request){ .skip_verify = true }).status == 200);
	server_stop(srv);
}

static void a_client_certificate(void)
{
	struct server srv = server_start("server", "-www", true);
	struct http_pair good = { *pem("client.pem"), *pem("client.key") };
	struct http_pair bad = { *pem("client.pem"), *pem("ca.key") };
	struct http_pair strange = { *pem("stranger.pem"), *pem("stranger.key") };
	struct http_request with = { .ca = pem("ca.pem"), .clients = &good, .nclients = 1 };
	struct http_request broken = { .ca = pem("ca.pem"), .clients = &bad, .nclients = 1 };
	/* The server names the CA of the second one. */
	struct http_pair right[] = { strange, good }, wrong[] = { strange, strange }, faulty[] = { good, bad };
	struct http_request both = { .ca = pem("ca.pem"), .clients = right, .nclients = 2 };
	struct http_request none = { .ca = pem("ca.pem"), .clients = wrong, .nclients = 2 };
	struct http_request half = { .ca = pem("ca.pem"), .clients = faulty, .nclients = 2 };

	ok(fetch(srv.port, both).status == 200);
	ok(failed_by(fetch(srv.port, none), ERR_UNAVAILABLE, "certificate required"));
	ok(failed(fetch(srv.port, half), "ca.key"));
	ok(fetch(srv.port, with).status == 200);
	ok(failed_by(fetch(srv.port, (struct http_request){ .ca = pem("ca.pem") }), ERR_UNAVAILABLE,
		     "certificate required"));
	ok(failed(fetch(srv.port, broken), "private key"));
	server_stop(srv);
}

static void the_systems_cas(void)
{
	struct server srv = server_start("server", "-www", false);

	http_client_close();
	system_bundle = in_dir("ca.pem");
	system_dir = in_dir("nowhere");
	http_client_warm();
	ok(fetch(srv.port, (struct http_request){ 0 }).status == 200);
	ok(fetch(srv.port, (struct http_request){ .ca = pem("other.pem") }).status == 200);
	server_stop(srv);
	srv = server_start("stranger", "-www", false);
	ok(failed(fetch(srv.port, (struct http_request){ 0 }), "certificate problem"));
	ok(fetch(srv.port, (struct http_request){ .ca = pem("other.pem") }).status == 200);
	ok(failed(fetch(srv.port, (struct http_request){ 0 }), "certificate problem"));
	server_stop(srv);
	srv = server_start("server", "-www", false);

	http_client_close();
	run(S("mkdir"), in_dir("hashed"));
	run(S("cp"), in_dir("ca.pem"), in_dir("hashed"));
	run(S("openssl"), S("rehash"), in_dir("hashed"));
	system_bundle = in_dir("other.pem");
	system_dir = in_dir("hashed");
	http_client_warm();
	ok(fetch(srv.port, (struct http_request){ 0 }).status == 200);
	ok(fetch(srv.port, (struct http_request){ .ca = pem("other.pem") }).status == 200);

	http_client_close();
	system_bundle = in_dir("other.pem");
	system_dir = in_dir("nowhere");
	ok(failed(fetch(srv.port, (struct http_request){ 0 }), "certificate problem"));
	http_client_close();
	system_bundle = system_dir = NULL;
	server_stop(srv);
}

/* A listening socket on which the kernel completes connections and no process answers. */
static void a_handshake_that_hangs(void)
{
	struct sockaddr_in sa = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t len = sizeof(sa);
	auto_fd int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	struct timer t = { 0 };
	struct seen s = { 0 };
	struct http *h;

	ok(bind(fd, (struct sockaddr *)&sa, len) == 0 && listen(fd, 8) == 0 &&
	   getsockname(fd, (struct sockaddr *)&sa, &len) == 0);
	ok(failed_by(fetch(ntohs(sa.sin_port), (struct http_request){ .connect_timeout_ms = 150 }), ERR_UNAVAILABLE,
		     "time"));
	h = start(ntohs(sa.sin_port), "", (struct http_request){ 0 }, &s);
	timer_set(&t, 50, stop_loop);
	loop_run();
	http_cancel(h);
	timer_set(&t, 50, stop_loop);
	loop_run();
	ok(s.dones == 0);
}

static void make_file(const char *name, size_t size)
{
	auto_file FILE *f = fopen(in_dir(name), "we");

	for (size_t i = 0; i < size; i++)
		fputc((int)(i * 7 % 251), f);
}

/* Bytes that OpenSSL has decrypted already make no fd readable; after a pause they must come all the same. */
static void refusals_over_tls(void)
{
	struct server srv = server_start("server", "-WWW", false);
	struct seen s = { .refuse = true };
	struct http *h;

	make_file("blob", 3000000);
	h = start(srv.port, "blob", (struct http_request){ .ca = pem("ca.pem") }, &s);
	for (int i = 0; i < 100000000 && !s.dones; i++) {
		http_resume(h);
		loop_turn();
	}
	ok(s.status == 200 && s.bytes == 3000000 && !s.damaged && s.err.code == ERR_OK && s.calls > 100);
	server_stop(srv);
}

static uint64_t longest_callback_ns(void)
{
	struct loop_stats s;

	loop_stats(&s);
	return s.cpu.max_ns;
}

int main(void)
{
	signal(SIGPIPE, SIG_IGN);
	own_must(mkdtemp(dir));
	make_ca("ca");
	make_ca("other");
	make_cert("ca", "server", "IP:127.0.0.1");
	make_cert("ca", "elsewhere", "DNS:elsewhere.test");
	make_cert("ca", "client", "DNS:client.test");
	make_cert("other", "stranger", "IP:127.0.0.1");
	only_a_known_ca_is_trusted();
	the_name_must_match();
	a_client_certificate();
	a_handshake_that_hangs();
	refusals_over_tls();
	printf("# longest callback: %llu us of CPU\n", (unsigned long long)longest_callback_ns() / 1000);
	the_systems_cas();
	run(S("rm"), S("-r"), dir);
	return tap_end();
}
