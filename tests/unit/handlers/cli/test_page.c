/* test_page.c - one page over a unix socket, from servers that behave and from others. */
#include "handlers/cli/page.h"

#include <stdbool.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "reactor/loop.h"
#include "reactor/own.h"
#include "tests/tap.h"

enum { TURNS = 100000 };

static char dir[] = "/tmp/test_cli_page.XXXXXX", path[64], request[512];
static int done;
static struct err err;
static char body[64];

static void on_done(void *arg, const struct err *e, const char *text, size_t len)
{
	(void)arg;
	done++;
	err.code = ERR_OK;
	if (e)
		err = *e;
	snprintf(body, sizeof(body), "%.*s", (int)len, e ? "" : text);
}

/* Answers one request with `text`, which may be cut in two by '|'. */
static void ask(const char *text)
{
	struct sockaddr_un sa = { .sun_family = AF_UNIX };
	auto_fd int listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	const char *cut = strchr(text, '|');
	size_t first = cut ? (size_t)(cut - text) : strlen(text);
	int fd = -1;

	unlink(path);
	snprintf(sa.sun_path, sizeof(sa.sun_path), "%s", path);
	if (bind(listener, (const struct sockaddr *)&sa, sizeof(sa)) < 0 || listen(listener, 1) < 0)
		abort();
	done = 0;
	cli_page_start(path, "/debug/pulls", on_done, NULL);
	for (int i = 0; i < 3; i++)
		loop_turn();
	fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
	memset(request, 0, sizeof(request));
	if (read(fd, request, sizeof(request) - 1) < 0 || write(fd, text, first) < 0)
		abort();
	for (int i = 0; i < 3; i++)
		loop_turn();
	if (cut && write(fd, cut + 1, strlen(cut + 1)) < 0)
		abort();
	close(fd);
	for (int i = 0; !done && i < TURNS; i++)
		loop_turn();
}

static void a_page(void)
{
	ask("HTTP/1.1 200 OK\r\nContent-Length: 7\r\n\r\n{\"n|\":5}");
	ok(done == 1 && err.code == ERR_OK);
	is_str(body, "{\"n\":5}");
	is_str(request, "GET /debug/pulls HTTP/1.1\r\nHost: crisp\r\nConnection: close\r\n\r\n");
}

static void no_page(void)
{
	ask("HTTP/1.1 404 Not Found\r\n\r\n{\"n\":5}");
	ok(done == 1 && err.code == ERR_INTERNAL);
	ask("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n7\r\n{\"n\":5}\r\n0\r\n\r\n");
	ok(done == 1 && err.code == ERR_INTERNAL);
	ask("HTTP/1.1 200 OK\r\n");
	ok(done == 1 && err.code == ERR_INTERNAL);
	ask("");
	ok(done == 1 && err.code != ERR_OK);
}

static void nobody(void)
{
	unlink(path);
	done = 0;
	cli_page_start(path, "/", on_done, NULL);
	ok(done == 0);
	for (int i = 0; !done && i < TURNS; i++)
		loop_turn();
	ok(done == 1 && err.code == ERR_UNAVAILABLE);
	cli_page_cancel(cli_page_start(path, "/", on_done, NULL));
	for (int i = 0; i < 10; i++)
		loop_turn();
	ok(done == 1);
}

int main(void)
{
	if (!mkdtemp(dir))
		return 1;
	snprintf(path, sizeof(path), "%s/s", dir);
	a_page();
	no_page();
	nobody();
	unlink(path);
	rmdir(dir);
	return tap_end();
}
