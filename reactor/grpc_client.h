/* grpc_client.h - calls to a gRPC server on the same loop: the CLI and the benchmarks. */
#ifndef REACTOR_GRPC_CLIENT_H
#define REACTOR_GRPC_CLIENT_H

#include <stddef.h>
#include <stdint.h>

#include "reactor/err.h"

struct grpc_client;
struct grpc_request; /* gone once `done` ran or grpc_request_cancel() returned */

/* Connects at the first call: "unix:///path" or "tcp://host:port" (a literal address). A lost connection fails the
 * calls in flight with UNAVAILABLE; the next call connects anew. INVALID_ARGUMENT for a malformed address. */
struct grpc_client *grpc_client_new(const char *address, struct err *e);
void grpc_client_free(struct grpc_client *client); /* cancels what is in flight */

struct grpc_handlers {
	void (*message)(void *arg, const uint8_t *message, size_t len); /* each response message, borrowed */
	/* e NULL: status OK. Runs exactly once, never inside grpc_request(). Both handlers may cancel calls or free the
	 * client. */
	void (*done)(void *arg, const struct err *e);
	void *arg;
};

/* Any number of calls at once. timeout_ms 0: none; else it is sent as grpc-timeout and enforced here
 * (DEADLINE_EXCEEDED). The request bytes are copied. A response message over 16 MiB is RESOURCE_EXHAUSTED. */
struct grpc_request *grpc_request(struct grpc_client *client, const char *path, const uint8_t *message, size_t len,
				  int64_t timeout_ms, const struct grpc_handlers *handlers);
void grpc_request_cancel(struct grpc_request *request); /* RST_STREAM(CANCEL); nothing is called any more */

#endif
