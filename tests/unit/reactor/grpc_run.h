/* grpc_run.h - a gRPC server on a socket of the test, and a client that controls every byte that it sends
 * (tests/fakes/h2_peer.h). */
#ifndef TESTS_GRPC_RUN_H
#define TESTS_GRPC_RUN_H

#include <stdlib.h>
#include <unistd.h>

#include "reactor/grpc.h"
#include "reactor/loop.h"
#include "tests/fakes/h2_peer.h"
#include "tests/tap.h"

#define until(cond) for (int turns_ = 0; turns_ < 300000 && !(cond); turns_++) h2_peer_turn(&peer)
#define HELLO "\0\0\0\0\5hello"

static char dir[] = "/tmp/crisp-grpc-XXXXXX";
static char path[100], address[120];
static struct grpc_server *server;
static struct h2_peer peer;

static inline void place_open(void)
{
	ok(mkdtemp(dir) != NULL);
	snprintf(path, sizeof(path), "%s/s.sock", dir);
	snprintf(address, sizeof(address), "unix://%s", path);
}

static inline void place_close(void)
{
	ok(rmdir(dir) == 0);
}

/* window: bytes that the peer lets the server send. */
static inline void serve(grpc_fn *on_call, int32_t window)
{
	struct err e;

	server = grpc_server_new(on_call, NULL);
	ok(grpc_server_listen(server, address, &e) == 0);
	h2_peer_open(&peer, path, window);
}

static inline void end(void)
{
	h2_peer_close(&peer);
	for (int i = 0; i < 1000 && grpc_server_stats(server).connections; i++)
		loop_turn();
	grpc_server_free(server);
}

#endif
