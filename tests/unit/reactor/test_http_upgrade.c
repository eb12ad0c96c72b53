/* test_http_upgrade.c - requests that switch their connection to another protocol, and requests that are refused. */
#include "reactor/http_upgrade.h"

#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "reactor/http_server.h"
#include "reactor/listen.h"
#include "reactor/loop.h"
#include "tests/tap.h"

/* h2o 2.2.5 never frees the 88 bytes of a context's message queue. */
const char *__lsan_default_suppressions(void);
const char *__lsan_default_suppressions(void)
{
	return "leak:h2o_multithread_create_queue";
}

static char dir[] = "/tmp/crisp-test-XXXXXX", address[64];
static struct http_server *server;
static struct conduit *conduit;
static char bytes_in[256], seen[256];
static int accepted, gones;

static void on_data(void *arg, uint8_t *p, size_t n)
{
	(void)arg;
	strncat(bytes_in, (char *)p, n < 200 ? n : 200);
}

static void on_room(void *arg)
{
	(void)arg;
}

static void on_gone(void *arg)
{
	(void)arg;
	gones++;
}

static void on_accepted(void *arg, struct conduit *c)
{
	static const struct conduit_events events = { on_data, on_room, on_gone };

	(void)arg;
	accepted++;
	conduit = c;
	if (c)
		conduit_listen(c, &events, NULL);
}

static void on_ask(void *arg, struct http_ask *a)
{
	static struct pair one = { "X-Answer", "yes" };
	static const struct pairs headers = { &one, 1 };
	const char *list = http_ask_header(a, "x-list");

	(void)arg;
	snprintf(seen, sizeof(seen), "%s %s", http_ask_path(a), list ? list : "none");
	if (http_ask_upgrades_to(a, "ECHO/1"))
		http_ask_accept(a, "ECHO/1", &headers, on_accepted, NULL);
	else if (strcmp(http_ask_path(a), "/silent") != 0)
		http_ask_refuse(a, 403, &headers, "no");
}

static void turns(void)
{
	for (int i = 0; i < 30; i++)
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

static const char *ask(int fd, const char *request)
{
	static char answer[4096];
	ssize_t n;

	answer[0] = '\0';
	ok(write(fd, request, strlen(request)) == (ssize_t)strlen(request));
	turns();
	n = read(fd, answer, sizeof(answer) - 1);
	answer[n > 0 ? n : 0] = '\0';
	return answer;
}

static void an_upgrade_and_what_came_behind_it(void)
{
	int fd = dial();
	const char *answer =
		ask(fd, "POST /a?q HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: other, echo/1\r\n"
			"X-List: one\r\nX-List: two, three\r\nContent-Length: 0\r\n\r\nearly bytes");
	char heard[16] = "";

	ok(strncmp(answer, "HTTP/1.1 101 ", 13) == 0 && strstr(answer, "\r\nX-Answer: yes\r\n"));
	ok(strcasestr(answer, "\r\nupgrade: ECHO/1\r\n") && strcasestr(answer, "\r\nconnection: upgrade\r\n"));
	is_str(seen, "/a one, two, three");
	is_str(bytes_in, "early bytes");
	ok(write(fd, " and more", 9) == 9);
	turns();
	is_str(bytes_in, "early bytes and more");
	conduit_send(conduit, "answer", 6);
	ok(read(fd, heard, sizeof(heard)) == 6);
	close(fd);
	turns();
	ok(gones == 1 && accepted == 1);
	conduit_close(conduit);
	turns();
}

/* A body is a part of the request, in whatever pieces it comes. What stands behind it is the protocol's. */
static void an_upgrade_with_a_body(void)
{
#define HEAD "POST /c HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: echo/1\r\n"
#define CHUNKED HEAD "Transfer-Encoding: chunked\r\n\r\n"
	static const struct {
		const char *pieces[3], *behind;
	} requests[] = {
		{ { HEAD "Content-Length: 5\r\n\r\nhello", "", "" }, "" },
		{ { HEAD "Content-Length: 5\r\n\r\n", "he", "llo" }, "" },
		{ { HEAD "Content-Length: 5\r\n\r\nhe", "llo and more", "" }, " and more" },
		{ { CHUNKED "5\r\nhello\r\n0\r\n\r\n", "", "" }, "" },
		{ { CHUNKED "5\r\nhel", "lo\r\n0\r", "\n\r\nand more" }, "and more" },
		{ { CHUNKED "5;x=y\r\nhello\r\n10\r\n0123456789", "abcdef\r\n0\r\n\r\n", "and more" }, "and more" },
	};

	for (size_t i = 0; i < sizeof(requests) / sizeof(requests[0]); i++) {
		int fd = dial(), before = accepted;

		bytes_in[0] = '\0';
		for (int k = 0; k < 3; k++)
			ask(fd, requests[i].pieces[k]);
		ok(accepted == before + 1);
		is_str(bytes_in, requests[i].behind);
		if (accepted > before)
			conduit_close(conduit);
		close(fd);
		turns();
	}
}

static void refusals(void)
{
	int fd = dial();

	ok(strncmp(ask(fd, "GET /b HTTP/1.1\r\nHost: x\r\n\r\n"), "HTTP/1.1 403 Forbidden\r\n", 24) == 0);
	close(fd);
	fd = dial();
	/* no Connection: Upgrade */
	ok(strncmp(ask(fd, "GET /b HTTP/1.1\r\nHost: x\r\nUpgrade: ECHO/1\r\n\r\n"), "HTTP/1.1 403 ", 13) == 0);
	close(fd);
	fd = dial();
	ok(strncmp(ask(fd, "GET /silent HTTP/1.1\r\nHost: x\r\n\r\n"), "HTTP/1.1 500 ", 13) == 0);
	close(fd);
	turns();
}

#define UPGRADE_TO(protocols) "GET /b HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: " protocols "\r\n\r\n"

static void a_protocol_is_a_whole_word(void)
{
	static const char *const others[] = { UPGRADE_TO("echo/10"), UPGRADE_TO("xecho/1,echo"), UPGRADE_TO("") };

	for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
		int fd = dial();

		ok(strncmp(ask(fd, others[i]), "HTTP/1.1 403 ", 13) == 0);
		close(fd);
	}
	turns();
}

static void a_list_needs_no_blanks(void)
{
	int fd = dial();

	ok(strncmp(ask(fd, UPGRADE_TO("other,Echo/1")), "HTTP/1.1 101 ", 13) == 0);
	conduit_close(conduit);
	close(fd);
	turns();
}

int main(void)
{
	struct err e;

	signal(SIGPIPE, SIG_IGN);
	ok(mkdtemp(dir) != NULL);
	snprintf(address, sizeof(address), "unix://%s/s", dir);
	server = http_server_new();
	http_server_asks(server, on_ask, NULL);
	ok(http_server_listen(server, address, &e) == 0);
	an_upgrade_and_what_came_behind_it();
	an_upgrade_with_a_body();
	refusals();
	a_protocol_is_a_whole_word();
	a_list_needs_no_blanks();
	http_server_free(server);
	turns();
	rmdir(dir);
	return tap_end();
}
