/* fuzz_grpc_client.c - any bytes as a server's answers to three calls. One call is cancelled meanwhile; each of
 * the others must end exactly once. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "reactor/grpc_client.h"
#include "reactor/listen.h"
#include "reactor/loop.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static char dir[] = "/tmp/crisp-fuzz-XXXXXX";
static char address[80];
static struct grpc_request *victim; /* cancelled by the first message of another */
static int done[3];

static void on_message(void *arg, const uint8_t *msg, size_t len)
{
	(void)arg;
	if (len && msg[0] + msg[len - 1] > 510) /* never true: both ends were read */
		abort();
	if (victim)
		grpc_request_cancel(victim);
	victim = NULL;
}

static void on_done(void *arg, const struct err *e)
{
	int *times = arg;

	(void)e;
	(*times)++;
	if (times == &done[2])
		victim = NULL;
}

static void clean_up(void)
{
	rmdir(dir);
}

static int serve(struct grpc_client *c, int listener, const uint8_t *data, size_t size)
{
	int fd = -1;

	for (int i = 0; i < 3; i++) {
		struct grpc_handlers h = { on_message, on_done, &done[i] };
		struct grpc_request *r = grpc_request(c, "/a.B/C", (const uint8_t *)"x", 1, 0, &h);

		victim = i == 2 ? r : NULL;
	}
	loop_turn();
	fd = accept(listener, NULL, NULL);
	if (fd < 0)
		abort();
	send(fd, data, size, MSG_NOSIGNAL);
	for (int i = 0; i < 3; i++)
		loop_turn();
	return fd;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static int listener;
	struct grpc_client *c;
	struct err e;
	int fd;

	if (!address[0]) {
		if (!mkdtemp(dir))
			abort();
		atexit(clean_up);
		snprintf(address, sizeof(address), "unix://%s/s", dir);
	}
	listener = listen_open(address, NULL, &e);
	c = grpc_client_new(address, &e);
	if (listener < 0 || !c)
		abort();
	done[0] = done[1] = done[2] = 0;
	fd = serve(c, listener, data, size);
	close(fd);
	for (int i = 0; i < 3; i++)
		loop_turn();
	if (done[0] != 1 || done[1] != 1 || done[2] > 1 || victim)
		abort();
	grpc_client_free(c);
	listen_close(listener, address);
	return 0;
}
