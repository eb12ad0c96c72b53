/* fuzz_http.c - any bytes from a client of an HTTP server, with the engine that is built (HTTP=), and targets of
 * requests. Bits of the first byte: bit 0 sends the rest in two pieces, bit 1 accepts every upgrade, bit 2 hangs up
 * without reading. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "reactor/http_path.h"
#include "reactor/http_server.h"
#include "reactor/listen.h"
#include "reactor/loop.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static char dir[] = "/tmp/crisp-fuzz-XXXXXX";
static char address[80];
static struct conduit *conduit;
static bool accepts;
static int open_upgrades;

static void on_data(void *arg, uint8_t *bytes, size_t len)
{
	(void)arg;
	conduit_send(conduit, bytes, len);
}

static void on_room(void *arg)
{
	(void)arg;
}

static void on_gone(void *arg)
{
	(void)arg;
	conduit_close(conduit);
	conduit = NULL;
}

static void on_accepted(void *arg, struct conduit *c)
{
	static const struct conduit_events events = { on_data, on_room, on_gone };

	(void)arg;
	open_upgrades--;
	conduit = c;
	if (c)
		conduit_listen(c, &events, NULL);
}

static void on_ask(void *arg, struct http_ask *a)
{
	const char *list = http_ask_header(a, "x-list");

	(void)arg;
	if (http_ask_path(a)[0] != '/')
		abort();
	if (accepts && http_ask_upgrades_to(a, "echo") && (!list || strlen(list) < 100)) {
		open_upgrades++;
		http_ask_accept(a, "echo", NULL, on_accepted, NULL);
	} else {
		http_ask_refuse(a, 403, NULL, "no");
	}
}

static int page(void *arg, const char *path, struct buf *body, const char **type)
{
	(void)arg;
	(void)type;
	buf_puts(body, path);
	return 200;
}

static void clean_up(void)
{
	unlink(address + strlen("unix://"));
	rmdir(dir);
}

static int dial(void)
{
	struct listen_address to;
	struct err e;
	int fd;

	if (listen_parse(address, &to, &e) < 0)
		abort();
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);
	if (connect(fd, (struct sockaddr *)&to.sa, to.len) < 0)
		abort();
	return fd;
}

static void turns(int n)
{
	while (n-- > 0)
		loop_turn();
}

static void one_target(const uint8_t *data, size_t size)
{
	char *target = strndup((const char *)data, size);

	if (http_path_of(target) && (target[0] != '/' || strstr(target, "/../") || strstr(target, "/./")))
		abort();
	free(target);
}

static void one_client(const uint8_t *data, size_t size, int how)
{
	size_t first = how & 1 ? size / 2 : size;
	char bytes[4096];
	int fd = dial();

	send(fd, data, first, MSG_NOSIGNAL);
	turns(4);
	send(fd, data + first, size - first, MSG_NOSIGNAL);
	turns(4);
	while (!(how & 4) && recv(fd, bytes, sizeof(bytes), 0) > 0)
		;
	close(fd);
	turns(4);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct http_server *server;
	struct err e;

	if (size < 1)
		return 0;
	if (!server) {
		if (!mkdtemp(dir))
			abort();
		atexit(clean_up);
		snprintf(address, sizeof(address), "unix://%s/s", dir);
		server = http_server_new();
		http_server_page(server, "/page", page, NULL);
		http_server_asks(server, on_ask, NULL);
		if (http_server_listen(server, address, &e) < 0)
			abort();
	}
	accepts = data[0] & 2;
	one_target(data + 1, size - 1);
	one_client(data + 1, size - 1, data[0]);
	if (open_upgrades || conduit)
		abort(); /* every upgrade must end */
	return 0;
}
