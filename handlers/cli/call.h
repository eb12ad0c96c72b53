/* call.h - one RPC of CRI from the CLI: packed, called, unpacked.
 *
 * A method is named as in api.proto; its service and messages come from the generated descriptors. */
#ifndef HANDLERS_CLI_CALL_H
#define HANDLERS_CLI_CALL_H

#include <protobuf-c/protobuf-c.h>
#include <stdbool.h>
#include <stdint.h>

#include "reactor/arena.h"
#include "reactor/err.h"
#include "reactor/grpc_client.h"

/* What all commands share. */
struct cli {
	const char *address;
	int64_t timeout_ms; /* of each call; 0: two minutes, plus the grace of a stop; none for a pull and an exec */
	bool json;
	struct grpc_client *client;
	struct arena *arena; /* lives as long as the program */
	int failure;         /* exit code for failures of our own */
};

struct cli_call; /* gone once `done` ran or cli_call_cancel() returned */

/* The response is borrowed for the call; NULL exactly when e is not. Errors are the server's, and those of
 * grpc_client.h. */
typedef void cli_call_done(void *arg, const struct err *e, const void *response);

/* `request` is the method's request message; it is packed at once. `done` never runs inside this call. */
struct cli_call *cli_call_start(struct cli *c, const char *method, const void *request, cli_call_done *done, void *arg);
void cli_call_cancel(struct cli_call *call);

/* Runs the loop until the answer is here: for commands that have nothing else to do. The response lives in c->arena.
 * NULL: e says why. */
void *cli_call(struct cli *c, const char *method, const void *request, struct err *e);

/* The same request message for many ids at once; `set` fills the i-th in. Responses by index, NULL where it failed. */
void **cli_call_all(struct cli *c, const char *method, void *request, size_t n,
		    void (*set)(void *request, void *arg, size_t i), void *arg);

/* Prints `crisp: WHAT: CODE: message` on stderr; returns c->failure. */
int cli_fail(const struct cli *c, const struct err *e, const char *fmt, ...) __attribute__((format(printf, 3, 4)));

/* Indented JSON of a message, or of any other value, on stdout. */
void cli_print(const void *message);

#endif
