/* test_http_client.c - transfers against a server on the same loop: the good ones, each way to fail, cancel in each
 * state. */
#include <netdb.h>
#include <signal.h>
#include <spawn.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>

#include "reactor/http_client.h"
#include "reactor/list.h"
#include "reactor/loop.h"
#include "reactor/own.h"
#include "tests/fakes/http_peer.h"
#include "tests/tap.h"

enum { RESOLVER_HANGS_S = 6, PATIENCE_MS = 30000 };

static int port;

/* What libcurl's thread calls: slow.test hangs, other names in .test are 127.0.0.1, nothing else exists. */
int getaddrinfo(const char *name, const char *service, const struct addrinfo *hints, struct addrinfo **res)
{
	const struct timespec hang = { RESOLVER_HANGS_S, 0 };
	const char *dot = strrchr(name, '.');
	struct addrinfo *a;
	struct sockaddr_in *sa;

	(void)hints;
	if (!dot || strcmp(dot, ".test") != 0)
		return EAI_NONAME;
	if (strcmp(name, "slow.test") == 0)
		nanosleep(&hang, NULL);
	a = own_must(calloc(1, sizeof(*a) + sizeof(*sa))); /* one piece, as freeaddrinfo(3) of glibc expects */
	sa = (struct sockaddr_in *)(a + 1);
	sa->sin_family = AF_INET;
	sa->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	sa->sin_port = htons((uint16_t)strtol(service ? service : "0", NULL, 10));
	a->ai_family = AF_INET;
	a->ai_socktype = SOCK_STREAM;
	a->ai_addr = (struct sockaddr *)sa;
	a->ai_addrlen = sizeof(*sa);
	*res = a;
	return 0;
}

/* ---- one transfer and what was seen of it ---- */

struct seen {
	struct http *h;
	int heads, datas, refusals, dones, status;
	size_t bytes;
	bool damaged;    /* a byte of the pattern was wrong */
	bool refuse;     /* refuse each second data() */
	struct err err;  /* code OK: a complete response */
	char text[4096]; /* start of the body */
	char header[256];
	const char *want_header;
	struct seen *cancel_in_head, *cancel_in_data, *cancel_in_done; /* whom */
};

static void give_up(struct timer *t)
{
	(void)t;
	printf("Bail out! nothing happens any more\n");
	exit(1);
}

static void cancel(struct seen *s)
{
	http_cancel(s->h);
	s->h = NULL;
}

static void on_head(void *arg, struct http *h, int status)
{
	struct seen *s = arg;
	const char *value = s->want_header ? http_header(h, s->want_header) : NULL;

	s->heads++;
	s->status = status;
	snprintf(s->header, sizeof(s->header), "%s", value ? value : "(none)");
	if (s->cancel_in_head)
		cancel(s->cancel_in_head);
}

static bool on_data(void *arg, const void *p, size_t n)
{
	struct seen *s = arg;

	if (s->refuse && (s->datas + s->refusals) % 2 == 0) {
		s->refusals++;
		return false;
	}
	for (size_t i = 0; i < n; i++)
		s->damaged |= ((const uint8_t *)p)[i] != (s->bytes + i) * 7 % 251;
	if (s->bytes < sizeof(s->text) - 1)
		memcpy(s->text + s->bytes, p, n < sizeof(s->text) - 1 - s->bytes ? n : sizeof(s->text) - 1 - s->bytes);
	s->datas++;
	s->bytes += n;
	if (s->cancel_in_data)
		cancel(s->cancel_in_data);
	return true;
}

static void on_done(void *arg, const struct err *e)
{
	struct seen *s = arg;

	s->dones++;
	s->h = NULL;
	if (e)
		s->err = *e;
	if (s->cancel_in_done)
		cancel(s->cancel_in_done);
	loop_stop();
}

static void start(struct seen *s, struct http_request r)
{
	struct http_events ev = { on_head, on_data, on_done, s };

	if (!r.method)
		r.method = "GET";
	s->h = http_start(&r, &ev);
}

/* "http://127.0.0.1:port/path", good until eight more calls. */
static const char *url(const char *host, const char *path)
{
	static char ring[8][256];
	static int next;
	char *out = ring[next++ % 8];

	snprintf(out, sizeof(ring[0]), "http://%s:%d%s", host, port, path);
	return out;
}

static void start_path(struct seen *s, const char *path)
{
	start(s, (struct http_request){ .url = url("127.0.0.1", path) });
}

static void run_until(const int *counter, int value)
{
	struct timer bail = { 0 };

	timer_set(&bail, PATIENCE_MS, give_up);
	while (*counter < value)
		loop_run();
	timer_clear(&bail);
}

static void stop_loop(struct timer *t)
{
	(void)t;
	loop_stop();
}

/* The world's time, not ours: the peer and libcurl run meanwhile. */
static void run_ms(int64_t ms)
{
	struct timer t = { 0 };

	timer_set(&t, ms, stop_loop);
	loop_run();
	timer_clear(&t);
}

static void fetch(struct seen *s, struct http_request r)
{
	start(s, r);
	run_until(&s->dones, 1);
}

static void fetch_path(struct seen *s, const char *path)
{
	fetch(s, (struct http_request){ .url = url("127.0.0.1", path) });
}

static int open_fds(void)
{
	auto_dir DIR *d = opendir("/proc/self/fd");
	int n = 0;

	while (readdir(d))
		n++;
	return n;
}

static void turn_until(const int *counter, int value)
{
	for (int i = 0; i < 1000000 && *counter < value; i++)
		loop_turn();
	ok(*counter >= value);
}

/* ---- responses ---- */

static void a_get(void)
{
	struct seen s = { .want_header = "CONTENT-length" };

	start_path(&s, "/hello");
	ok(s.heads == 0 && s.dones == 0);
	run_until(&s.dones, 1);
	ok(s.heads == 1 && s.status == 200 && s.dones == 1 && s.err.code == ERR_OK);
	is_str(s.text, "hello");
	is_str(s.header, "5");
}

static void a_head(void)
{
	struct seen s = { .want_header = "Content-Length" };

	fetch(&s, (struct http_request){ .method = "HEAD", .url = url("127.0.0.1", "/hello") });
	ok(s.status == 200 && s.bytes == 0 && s.err.code == ERR_OK);
	is_str(s.header, "5");
}

static void a_post_is_sent_as_given(void)
{
	struct seen s = { 0 };
	const char *headers[] = { "Authorization: Bearer abc", "Accept: application/json", NULL };

	fetch(&s, (struct http_request){ .method = "POST", .url = url("127.0.0.1", "/echo"), .headers = headers,
					 .body = "grant_type=x", .body_len = 12 });
	ok(s.status == 200 && s.err.code == ERR_OK);
	ok(strncmp(s.text, "POST /echo HTTP/1.1\r\n", 21) == 0);
	ok(strstr(s.text, "\r\nAuthorization: Bearer abc\r\n") && strstr(s.text, "\r\nAccept: application/json\r\n"));
	ok(strstr(s.text, "\r\nUser-Agent: crisp/") && !strstr(s.text, "Expect:") &&
	   !strstr(s.text, "Accept-Encoding"));
	ok(strstr(s.text, "\r\n\r\ngrant_type=x"));
}

static void a_redirect_is_handed_up(void)
{
	struct seen s = { .want_header = "location" };
	int before = http_peer.requests;

	fetch_path(&s, "/status/307");
	ok(s.status == 307 && s.err.code == ERR_OK && http_peer.requests == before + 1);
	is_str(s.header, "http://elsewhere.test/x");
}

static void header_lines_of_one_name_are_joined(void)
{
	struct seen s = { .want_header = "Www-Authenticate" };

	fetch_path(&s, "/status/401");
	ok(s.status == 401);
	is_str(s.header, "Basic realm=\"b\", Bearer realm=\"t\"");
}

static void interim_responses_are_skipped(void)
{
	struct seen s = { .want_header = "X-Hint" };

	fetch_path(&s, "/continue");
	ok(s.heads == 1 && s.status == 200);
	is_str(s.text, "hello");
	is_str(s.header, "(none)");
}

static void chunks_and_trailers(void)
{
	struct seen s = { 0 };

	fetch_path(&s, "/chunked/100000");
	ok(s.heads == 1 && s.bytes == 100000 && !s.damaged && s.err.code == ERR_OK);
}

static void an_empty_body(void)
{
	struct seen s = { 0 };

	fetch_path(&s, "/bytes/0");
	ok(s.status == 200 && s.datas == 0 && s.dones == 1 && s.err.code == ERR_OK);
}

/* ---- failures ---- */

/* Every error names the host; `cause` is a word of the reason. */
static void fails(struct http_request r, enum err_code code, const char *cause)
{
	struct seen s = { 0 };

	fetch(&s, r);
	printf("# %s\n", s.err.msg);
	ok(s.dones == 1 && s.err.code == code);
	ok(strstr(s.err.msg, cause));
	ok(strstr(s.err.msg, "127.0.0.1:") || strstr(s.err.msg, ".test") || strstr(s.err.msg, ".invalid") ||
	   code != ERR_UNAVAILABLE);
}

static void path_fails(const char *path, const char *cause)
{
	fails((struct http_request){ .url = url("127.0.0.1", path), .stall_timeout_ms = 100 }, ERR_UNAVAILABLE, cause);
}

static void each_failure_names_host_and_cause(void)
{
	path_fails("/short", "90 bytes remaining");
	path_fails("/reset", "reset");
	path_fails("/rubbish", "HTTP/0.9");
	path_fails("/silent", "stalled: no data for 100 ms");
	path_fails("/stall", "stalled: no data for 100 ms");
	fails((struct http_request){ .url = "http://127.0.0.1:1/" }, ERR_UNAVAILABLE, "Connection refused");
	fails((struct http_request){ .url = "http://nowhere.invalid/" }, ERR_UNAVAILABLE, "Could not resolve host");
	fails((struct http_request){ .url = "ftp://127.0.0.1/x" }, ERR_INVALID_ARGUMENT, "neither http nor https");
	fails((struct http_request){ .url = "file:///etc/passwd" }, ERR_INVALID_ARGUMENT, "neither http nor https");
	fails((struct http_request){ .url = "http://[bad/" }, ERR_INVALID_ARGUMENT, "URL: cannot be parsed");
}

static void a_line_break_cannot_be_smuggled_in(void)
{
	const char *headers[] = { "Authorization: Bearer a\r\nHost: evil", NULL };
	int before = http_peer.requests;

	fails((struct http_request){ .url = url("127.0.0.1", "/hello"), .headers = headers }, ERR_INVALID_ARGUMENT,
	      "line break");
	ok(http_peer.requests == before);
}

static void a_byte_a_second_is_no_stall(void)
{
	struct seen s = { 0 };

	fetch(&s, (struct http_request){ .url = url("127.0.0.1", "/slow"), .stall_timeout_ms = 200 });
	ok(s.err.code == ERR_OK && s.bytes == 100);
}

/* ---- pause ---- */

static void fifty_megabytes_with_refusals(void)
{
	struct seen s = { .refuse = true };
	size_t sent = http_peer.sent_bytes;

	start_path(&s, "/bytes/52428800");
	turn_until(&s.refusals, 1);
	run_ms(100);
	ok(s.bytes == 0 && http_peer.sent_bytes - sent < 16 << 20); /* what the sockets hold, not the body */
	for (int i = 0; i < 10000000 && !s.dones; i++) {
		if (s.h)
			http_resume(s.h);
		loop_turn();
	}
	ok(s.bytes == 52428800 && !s.damaged && s.err.code == ERR_OK && s.dones == 1);
	ok(s.refusals > 100);
}

static void chunks_with_refusals(void)
{
	struct seen s = { .refuse = true };

	start_path(&s, "/chunked/1000000");
	for (int i = 0; i < 1000000 && !s.dones; i++) {
		if (s.h)
			http_resume(s.h);
		loop_turn();
	}
	ok(s.bytes == 1000000 && !s.damaged && s.err.code == ERR_OK && s.heads == 1 && s.refusals > 10);
}

static void a_pause_is_no_stall(void)
{
	struct seen s = { .refuse = true };

	start(&s, (struct http_request){ .url = url("127.0.0.1", "/bytes/1000"), .stall_timeout_ms = 50 });
	run_ms(300);
	ok(s.refusals == 1 && s.dones == 0);
	http_resume(s.h);
	run_until(&s.dones, 1);
	ok(s.bytes == 1000 && !s.damaged && s.err.code == ERR_OK);
}

static void a_paused_transfer_holds_up_no_other(void)
{
	struct seen paused = { .refuse = true }, other = { 0 };

	start_path(&paused, "/bytes/1000000");
	turn_until(&paused.refusals, 1);
	fetch_path(&other, "/bytes/1000000");
	ok(other.bytes == 1000000 && paused.dones == 0);
	cancel(&paused);
}

/* ---- cancel ---- */

static void cancelled_before_it_began(void)
{
	struct seen s = { 0 };
	int before = http_peer.requests;

	start_path(&s, "/hello");
	cancel(&s);
	run_ms(20);
	ok(s.heads == 0 && s.dones == 0 && http_peer.requests == before);
}

static void cancelled_while_waiting_for_the_response(void)
{
	struct seen s = { 0 };
	int before = http_peer.requests;

	start_path(&s, "/silent");
	turn_until(&http_peer.requests, before + 1);
	cancel(&s);
	run_ms(20);
	ok(s.heads == 0 && s.dones == 0);
}

static void cancelled_in_the_body_and_while_paused(void)
{
	struct seen body = { 0 }, paused = { .refuse = true };

	start_path(&body, "/stall");
	turn_until(&body.datas, 1);
	cancel(&body);
	start_path(&paused, "/bytes/1000000");
	turn_until(&paused.refusals, 1);
	http_resume(paused.h);
	cancel(&paused);
	run_ms(20);
	ok(body.dones == 0 && paused.dones == 0 && paused.bytes == 0);
}

static void cancelled_inside_callbacks(void)
{
	struct seen head = { 0 }, data = { 0 }, victim = { 0 }, paused = { .refuse = true }, killer = { 0 };

	head.cancel_in_head = &head;
	start_path(&head, "/bytes/100000");
	data.cancel_in_data = &data;
	start_path(&data, "/bytes/100000");
	turn_until(&head.heads, 1);
	turn_until(&data.datas, 1);
	start_path(&paused, "/bytes/1000000");
	turn_until(&paused.refusals, 1);
	start_path(&victim, "/silent");
	killer.cancel_in_head = &victim;
	killer.cancel_in_done = &paused;
	fetch_path(&killer, "/hello");
	run_ms(20);
	ok(head.datas == 0 && head.dones == 0 && data.datas == 1 && data.dones == 0);
	ok(victim.dones == 0 && paused.dones == 0 && killer.dones == 1 && killer.err.code == ERR_OK);
}

static void cancel_does_not_wait_for_the_resolver(void)
{
	struct seen slow = { 0 }, other = { 0 };
	int64_t t0;

	start(&slow, (struct http_request){ .url = "http://slow.test/" });
	run_ms(50);
	t0 = loop_mono_ns();
	cancel(&slow);
	printf("# cancel took %lld us\n", (long long)(loop_mono_ns() - t0) / 1000);
	ok(loop_mono_ns() - t0 < 50000000);
	fetch_path(&other, "/hello");
	ok(loop_mono_ns() - t0 < 1000000000 && other.status == 200 && slow.dones == 0);
}

static void a_connect_timeout_does_not_wait_for_the_resolver(void)
{
	int64_t t0 = loop_mono_ns();

	fails((struct http_request){ .url = "http://slow.test/", .connect_timeout_ms = 100 }, ERR_UNAVAILABLE,
	      "timed out");
	ok(loop_mono_ns() - t0 < 1000000000);
}

/* The other half of this story is main() with an argument. */
static void exit_does_not_wait_for_the_resolver(void)
{
	char *argv[] = { (char *)"test_http_client", (char *)"exit", NULL };
	int64_t t0 = loop_mono_ns();
	int status = -1;
	pid_t pid;

	ok(posix_spawn(&pid, "/proc/self/exe", NULL, NULL, argv, environ) == 0);
	ok(waitpid(pid, &status, 0) == pid && status == 0);
	ok(loop_mono_ns() - t0 < 3000000000);
}

static int exit_with_a_hanging_resolver(void)
{
	struct seen slow = { 0 };

	start(&slow, (struct http_request){ .url = "http://slow.test/" });
	run_ms(50);
	cancel(&slow);
	http_client_close();
	return 0;
}

/* ---- connections ---- */

static void a_thousand_requests_on_one_connection(void)
{
	int fds, accepted, bad = 0;
	struct seen first = { 0 };

	fetch_path(&first, "/hello");
	fds = open_fds();
	accepted = http_peer.accepted;
	for (int i = 0; i < 1000; i++) {
		struct seen s = { 0 };

		fetch_path(&s, i % 2 ? "/hello" : "/bytes/20000");
		bad += s.status != 200 || s.err.code != ERR_OK;
	}
	ok(bad == 0 && open_fds() == fds && http_peer.accepted == accepted);
}

static void a_kept_connection_that_the_peer_closed(void)
{
	struct seen first = { 0 }, second = { 0 };
	int accepted;

	fetch_path(&first, "/hello");
	accepted = http_peer.accepted;
	http_peer_hang_up();
	fetch_path(&second, "/hello");
	ok(second.status == 200 && second.err.code == ERR_OK && http_peer.accepted == accepted + 1);
}

static void eight_connections_a_host(void)
{
	static struct seen s[40];
	int done = 0, bad = 0, most = 0;

	http_client_close();
	memset(s, 0, sizeof(s));
	for (int i = 0; i < 40; i++)
		start_path(&s[i], "/bytes/300000");
	for (int i = 0; i < 40; i++) {
		run_until(&s[i].dones, 1);
		done += s[i].dones;
		bad += s[i].bytes != 300000 || s[i].damaged;
		most = http_peer.open > most ? http_peer.open : most;
	}
	ok(done == 40 && bad == 0 && most > 1 && most <= 8);
}

static void one_that_waits_for_a_connection_gets_a_cancelled_one(void)
{
	static struct seen s[8];
	struct seen ninth = { 0 };

	http_client_close();
	memset(s, 0, sizeof(s));
	for (int i = 0; i < 8; i++)
		start_path(&s[i], "/silent");
	start_path(&ninth, "/hello");
	run_ms(50);
	ok(ninth.dones == 0);
	cancel(&s[3]);
	run_until(&ninth.dones, 1);
	ok(ninth.status == 200);
	for (int i = 0; i < 8; i++)
		if (s[i].h)
			cancel(&s[i]);
}

static void a_proxy_is_used_but_not_for_loopback(void)
{
	char proxy[64];
	struct seen by_proxy = { 0 }, direct = { 0 }, excepted = { 0 };

	snprintf(proxy, sizeof(proxy), "http://127.0.0.1:%d", port);
	setenv("HTTP_PROXY", proxy, 1);
	fetch(&by_proxy, (struct http_request){ .url = "http://registry.test/hello" });
	ok(by_proxy.status == 200 &&
	   strncmp(http_peer.last_request, "GET http://registry.test/hello HTTP/1.1", 39) == 0);
	setenv("HTTP_PROXY", "http://127.0.0.1:1", 1);
	fetch(&direct, (struct http_request){ .url = url("localhost", "/hello") });
	ok(direct.status == 200);
	setenv("NO_PROXY", "other.test,registry.test", 1);
	fetch(&excepted, (struct http_request){ .url = url("registry.test", "/hello") });
	ok(excepted.status == 200 && strncmp(http_peer.last_request, "GET /hello HTTP/1.1", 19) == 0);
	fails((struct http_request){ .url = "http://third.test/hello" }, ERR_UNAVAILABLE, "port 1 ");
	unsetenv("HTTP_PROXY");
	unsetenv("NO_PROXY");
}

int main(int argc, char **argv)
{
	(void)argv;
	signal(SIGPIPE, SIG_IGN);
	if (argc > 1)
		return exit_with_a_hanging_resolver();
	port = http_peer_open();
	a_get();
	a_head();
	a_post_is_sent_as_given();
	a_redirect_is_handed_up();
	header_lines_of_one_name_are_joined();
	interim_responses_are_skipped();
	chunks_and_trailers();
	an_empty_body();
	each_failure_names_host_and_cause();
	a_line_break_cannot_be_smuggled_in();
	a_byte_a_second_is_no_stall();
	fifty_megabytes_with_refusals();
	chunks_with_refusals();
	a_pause_is_no_stall();
	a_paused_transfer_holds_up_no_other();
	cancelled_before_it_began();
	cancelled_while_waiting_for_the_response();
	cancelled_in_the_body_and_while_paused();
	cancelled_inside_callbacks();
	a_thousand_requests_on_one_connection();
	a_kept_connection_that_the_peer_closed();
	eight_connections_a_host();
	one_that_waits_for_a_connection_gets_a_cancelled_one();
	a_proxy_is_used_but_not_for_loopback();
	cancel_does_not_wait_for_the_resolver(); /* its threads, and their fds, stay for a while: the last stories */
	a_connect_timeout_does_not_wait_for_the_resolver();
	exit_does_not_wait_for_the_resolver();
	http_client_close();
	http_peer_close();
	return tap_end();
}
