/* bridge.c - carries raw gRPC calls from its standard input to a server, many at once, for tests in Python.
 *
 * usage: cri-bridge ADDRESS
 *
 * In:  struct ask, then the path and the message. Out: struct answer, then the answer's last message, or with a code
 * that is not 0 the words of the error. It ends with its input. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "reactor/buf.h"
#include "reactor/grpc_client.h"
#include "reactor/loop.h"
#include "reactor/own.h"

struct ask {
	uint32_t id, timeout_ms, path_len, len;
};

struct answer {
	uint32_t id, code, len;
};

struct call {
	uint32_t id;
	struct buf message;
};

static struct grpc_client *client;
static struct buf in;

static void write_all(const void *bytes, size_t len)
{
	for (size_t at = 0; at < len;) {
		ssize_t n = write(STDOUT_FILENO, (const char *)bytes + at, len - at);

		if (n <= 0)
			exit(1);
		at += (size_t)n;
	}
}

static void on_message(void *arg, const uint8_t *message, size_t len)
{
	struct call *c = arg;

	buf_consume(&c->message, c->message.len);
	buf_append(&c->message, message, len);
}

static void on_done(void *arg, const struct err *e)
{
	struct call *c = arg;
	struct answer a = { c->id, e ? e->code : 0, (uint32_t)(e ? strlen(e->msg) : c->message.len) };

	write_all(&a, sizeof(a));
	write_all(e ? (const void *)e->msg : c->message.at, a.len);
	buf_free(&c->message);
	free(c);
}

/* false: the rest of the call has not come. */
static bool take_one(void)
{
	struct ask a;
	char path[256];
	struct call *c;

	if (in.len < sizeof(a))
		return false;
	memcpy(&a, in.at, sizeof(a));
	if (a.path_len >= sizeof(path))
		exit(2);
	if (in.len < sizeof(a) + a.path_len + a.len)
		return false;
	memcpy(path, in.at + sizeof(a), a.path_len);
	path[a.path_len] = '\0';
	c = new_zero(struct call);
	c->id = a.id;
	grpc_request(client, path, in.at + sizeof(a) + a.path_len, a.len, a.timeout_ms,
		     &(struct grpc_handlers){ on_message, on_done, c });
	buf_consume(&in, sizeof(a) + a.path_len + a.len);
	return true;
}

static void on_input(struct fd_watch *w, int events)
{
	char bytes[65536];
	ssize_t n = read(STDIN_FILENO, bytes, sizeof(bytes));

	(void)w;
	(void)events;
	if (n <= 0)
		return loop_stop();
	buf_append(&in, bytes, (size_t)n);
	while (take_one())
		;
}

int main(int argc, char **argv)
{
	static struct fd_watch watch;
	struct err e;

	client = argc == 2 ? grpc_client_new(argv[1], &e) : NULL;
	if (!client) {
		fprintf(stderr, "usage: cri-bridge ADDRESS\n");
		return 2;
	}
	fd_watch_set(&watch, STDIN_FILENO, FD_READ, on_input);
	loop_run();
	grpc_client_free(client);
	return 0;
}
