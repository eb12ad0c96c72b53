/* test_http_llhttp.c - what http_llhttp.c does itself: limits, trailers, the wait for 100, pieces of any size. */
#include <signal.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "reactor/http_server.h"
#include "reactor/listen.h"
#include "reactor/loop.h"
#include "reactor/own.h"
#include "tests/tap.h"
#include "tests/unit/reactor/loop_run.h"

static char dir[] = "/tmp/crisp-test-XXXXXX", address[64], seen[512];
static int asked;

static void on_ask(void *arg, struct http_ask *a)
{
	const char *one = http_ask_header(a, "x-one"), *late = http_ask_header(a, "x-late");

	(void)arg;
	asked++;
	snprintf(seen, sizeof(seen), "%s %s %s", http_ask_path(a), one ? one : "none", late ? late : "none");
	http_ask_refuse(a, 403, NULL, "no");
}

static void turns(int n)
{
	while (n-- > 0)
		loop_turn();
}

static int dial(void)
{
	struct listen_address to;
	struct err e;
	int fd;

	ok(listen_parse(address, &to, &e) == 0);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	ok(connect(fd, (struct sockaddr *)&to.sa, to.len) == 0);
	return fd;
}

/* What the server has sent so far. */
static const char *hear(int fd)
{
	static char answer[4096];
	ssize_t n;

	turns(40);
	n = read(fd, answer, sizeof(answer) - 1);
	answer[n > 0 ? n : 0] = '\0';
	return answer;
}

static void say(int fd, const char *text, size_t len)
{
	while (len > 0) {
		ssize_t n = send(fd, text, len, MSG_NOSIGNAL);

		if (n <= 0)
			break;
		text += n;
		len -= (size_t)n;
		loop_turn();
	}
}

static const char *ask(const char *request)
{
	int fd = dial();
	const char *answer;

	say(fd, request, strlen(request));
	answer = hear(fd);
	close(fd);
	turns(5);
	return answer;
}

static bool answers(const char *request, const char *status)
{
	const char *answer = ask(request);

	if (strncmp(answer, "HTTP/1.1 ", 9) == 0 && strncmp(answer + 9, status, strlen(status)) == 0)
		return true;
	printf("# %s\n", answer);
	return false;
}

static void byte_by_byte(void)
{
	static const char request[] = "GET /a/./b?q HTTP/1.1\r\nHost: x\r\nX-One: 1\r\nX-EMPTY:\r\nx-one:  2 \r\n\r\n";
	int fd = dial();

	for (size_t i = 0; i < sizeof(request) - 1; i++) {
		say(fd, request + i, 1);
		turns(2);
	}
	ok(strncmp(hear(fd), "HTTP/1.1 403 Forbidden\r\n", 24) == 0);
	is_str(seen, "/a/b 1, 2 none");
	close(fd);
	turns(5);
}

static void trailers_are_no_headers(void)
{
	ok(answers("POST /t HTTP/1.1\r\nHost: x\r\nX-One: 1\r\nTransfer-Encoding: chunked\r\n\r\n"
		   "2\r\nhi\r\n0\r\nX-One: 2\r\nX-Late: yes\r\n\r\n", "403 "));
	is_str(seen, "/t 1 none");
}

static void what_is_refused(void)
{
	int before = asked;

	ok(answers("GET /a HTTP/2.0\r\nHost: x\r\n\r\n", "505 "));
	ok(answers("GET /a HTTP/0.9\r\nHost: x\r\n\r\n", "505 "));
	ok(answers("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "400 "));
	ok(answers("GET * HTTP/1.1\r\nHost: x\r\n\r\n", "400 "));
	ok(answers("GET /a%00b HTTP/1.1\r\nHost: x\r\n\r\n", "400 "));
	ok(answers("GET /a HTTP/1.1\r\nHost : x\r\n\r\n", "400 "));
	ok(answers("GET /a HTTP/1.1\nHost: x\n\n", "400 "));
	/* two lengths: what one of two servers in a row takes for a second request */
	ok(answers("POST /a HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n"
		   "0\r\n\r\n", "400 "));
	ok(answers("POST /a HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\nabc", "400 "));
	ok(answers("POST /a HTTP/1.1\r\nHost: x\r\nContent-Length: 65537\r\n\r\n", "413 "));
	ok(asked == before);
}

static void limits_of_a_head(void)
{
	struct buf b = { 0 };
	int before = asked;

	buf_puts(&b, "GET / HTTP/1.1\r\n");
	for (int i = 0; i < 100; i++)
		buf_printf(&b, "X-%d: y\r\n", i);
	buf_puts(&b, "\r\n");
	ok(answers(buf_str(&b), "403 ") && asked == before + 1);
	buf_free(&b);
	buf_puts(&b, "GET / HTTP/1.1\r\n");
	for (int i = 0; i < 101; i++)
		buf_printf(&b, "X-%d: y\r\n", i);
	buf_puts(&b, "\r\n");
	ok(answers(buf_str(&b), "431 "));
	buf_free(&b);
	buf_puts(&b, "GET /");
	memset(buf_room(&b, 90000), 'a', 90000);
	buf_added(&b, 90000);
	ok(answers(buf_str(&b), "431 ") && asked == before + 1);
	buf_free(&b);
}

static void a_body_has_an_end(void)
{
	struct buf b = { 0 };
	int before = asked;

	buf_puts(&b, "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n");
	for (int i = 0; i < 65; i++) {
		buf_puts(&b, "400\r\n");
		memset(buf_room(&b, 1024), 'a', 1024);
		buf_added(&b, 1024);
		buf_puts(&b, "\r\n");
	}
	ok(answers(buf_str(&b), "413 "));
	buf_free(&b);
	/* a chunk's extension is no body, and has an end too */
	buf_puts(&b, "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n1;");
	memset(buf_room(&b, 300000), 'a', 300000);
	buf_added(&b, 300000);
	ok(answers(buf_str(&b), "413 ") && asked == before);
	buf_free(&b);
}

static void a_client_that_waits_for_100(void)
{
	static const char head[] = "POST / HTTP/1.1\r\nHost: x\r\nExpect: 100-Continue\r\nContent-Length: 2\r\n\r\n";
	int fd = dial();

	say(fd, head, sizeof(head) - 1);
	is_str(hear(fd), "HTTP/1.1 100 Continue\r\n\r\n");
	say(fd, "hi", 2);
	ok(strncmp(hear(fd), "HTTP/1.1 403 ", 13) == 0);
	close(fd);
	turns(5);
}

/* RFC 9110, section 7.8: of a request with HTTP/1.0 the header is ignored. */
static void on_ask_upgrade(void *arg, struct http_ask *a)
{
	(void)arg;
	http_ask_refuse(a, http_ask_upgrades_to(a, "echo") ? 400 : 403, NULL, "no");
}

static void no_upgrade_in_1_0(struct http_server *s)
{
	http_server_asks(s, on_ask_upgrade, NULL);
	ok(answers("GET / HTTP/1.1\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n", "400 "));
	ok(answers("GET / HTTP/1.0\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n", "403 "));
}

int main(void)
{
	struct http_server *s = http_server_new();
	struct err e;
	int fds;

	signal(SIGPIPE, SIG_IGN);
	own_must(mkdtemp(dir));
	snprintf(address, sizeof(address), "unix://%s/s", dir);
	http_server_asks(s, on_ask, NULL);
	loop_turn(); /* libev opens its own */
	fds = open_fds();
	ok(http_server_listen(s, address, &e) == 0);
	byte_by_byte();
	trailers_are_no_headers();
	what_is_refused();
	limits_of_a_head();
	a_body_has_an_end();
	a_client_that_waits_for_100();
	no_upgrade_in_1_0(s);
	http_server_free(s);
	turns(5);
	ok(open_fds() == fds);
	rmdir(dir);
	return tap_end();
}
