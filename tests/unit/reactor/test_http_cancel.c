/* test_http_cancel.c - transfers given up in each state, even while the resolver hangs; and the connections that they
 * share (http_run.h). */
#include <netdb.h>
#include <signal.h>
#include <spawn.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>

#include "tests/unit/reactor/http_run.h"

enum { RESOLVER_HANGS_S = 6 };

/* Takes the place of glibc's for libcurl's thread: slow.test hangs, other names in .test are 127.0.0.1, no other name
 * exists. */
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

static void a_name_that_nobody_knows(void)
{
	fails((struct http_request){ .url = "http://nowhere.invalid/" }, ERR_NOT_FOUND, "Could not resolve host");
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

/* Runs this program again with an argument, which main() takes for the second half of this test. */
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
	a_name_that_nobody_knows();
	cancelled_before_it_began();
	cancelled_while_waiting_for_the_response();
	cancelled_in_the_body_and_while_paused();
	cancelled_inside_callbacks();
	a_thousand_requests_on_one_connection();
	a_kept_connection_that_the_peer_closed();
	eight_connections_a_host();
	one_that_waits_for_a_connection_gets_a_cancelled_one();
	a_proxy_is_used_but_not_for_loopback();
	cancel_does_not_wait_for_the_resolver(); /* last: the resolver's threads and their fds stay for a while */
	a_connect_timeout_does_not_wait_for_the_resolver();
	exit_does_not_wait_for_the_resolver();
	http_client_close();
	http_peer_close();
	return tap_end();
}
