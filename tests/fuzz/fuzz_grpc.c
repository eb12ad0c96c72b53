/* fuzz_grpc.c - any bytes from a peer of the server's socket. Bits of the first byte: bit 0 sends a preface and an
 * empty SETTINGS frame before the rest, bit 1 drains the server in the middle, bit 2 hangs up without reading. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "reactor/grpc.h"
#include "reactor/listen.h"
#include "reactor/loop.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char preface[] = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\4\0\0\0\0";
static char dir[] = "/tmp/crisp-fuzz-XXXXXX";
static char address[80];
static struct grpc_call *held;
static int open_calls;

static void on_gone(void *arg)
{
	(void)arg;
	held = NULL;
	open_calls--;
}

static void on_space(void *arg)
{
	(void)arg;
	open_calls--;
	grpc_finish(held);
	held = NULL;
}

static void on_call(void *arg, struct grpc_call *c, const char *path, const uint8_t *msg, size_t len)
{
	struct err e;

	(void)arg;
	if (len && msg[0] == 'h' && !held) {
		held = c;
		open_calls++;
		grpc_on_gone(c, on_gone, NULL);
	} else if (len && msg[0] == 's' && !held) {
		held = c;
		open_calls++;
		grpc_on_gone(c, on_gone, NULL);
		grpc_send(c, msg, len);
		grpc_on_space(c, on_space);
	} else if (len && msg[0] == 'f') {
		err_set(&e, ERR_NOT_FOUND, "%.*s", (int)len, (const char *)msg);
		grpc_fail(c, &e);
	} else {
		grpc_reply(c, (const uint8_t *)path, strlen(path));
	}
}

static void clean_up(void)
{
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

static void swallow(int fd)
{
	char bytes[4096];

	while (recv(fd, bytes, sizeof(bytes), 0) > 0)
		;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct grpc_server *server;
	struct err e;
	int fd;

	if (size < 1)
		return 0;
	if (!address[0]) {
		if (!mkdtemp(dir))
			abort();
		atexit(clean_up);
		snprintf(address, sizeof(address), "unix://%s/s", dir);
	}
	server = grpc_server_new(on_call, NULL);
	if (grpc_server_listen(server, address, &e) < 0)
		abort();
	fd = dial();
	if (data[0] & 1)
		send(fd, preface, sizeof(preface), MSG_NOSIGNAL);
	send(fd, data + 1, size - 1, MSG_NOSIGNAL);
	for (int i = 0; i < 4; i++) {
		loop_turn();
		if (i == 1 && (data[0] & 2))
			grpc_server_drain(server, NULL, NULL);
		if (!(data[0] & 4))
			swallow(fd);
	}
	close(fd);
	for (int i = 0; i < 3; i++)
		loop_turn();
	grpc_server_free(server);
	if (open_calls || held)
		abort(); /* every call must end, by an answer or by on_gone */
	return 0;
}
