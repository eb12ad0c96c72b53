/* call.h - one RPC of CRI from the CLI: packed, called, unpacked.
 *
 * A method is named as in api.proto; its service and messages come from the generated descriptors. */
#ifndef HANDLERS_CLI_CALL_H
#define HANDLERS_CLI_CALL_H

#include <protobuf-c/protobuf-c.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "reactor/arena.h"
#include "reactor/err.h"
#include "reactor/grpc_client.h"

/* What all commands share; one for the program. */
struct cli {
	const char *address;
	/* Of each call but streams. 0: two minutes; StopContainer: two minutes plus its grace; PullImage, ExecSync,
	 * Check and CheckLayers: no limit. */
	int64_t timeout_ms;
	bool json;
	struct grpc_client *client;
	struct arena *arena; /* lives as long as the program */
	int failure;         /* exit code when crisp itself fails */
};

struct cli_call; /* gone once `done` ran or cli_call_cancel() returned */

/* Exactly one of `e` and `response` is NULL. The response is valid only during this callback. Errors are the server's,
 * and those of grpc_client.h. */
typedef void cli_call_done(void *arg, const struct err *e, const void *response);

/* Each message of a stream; valid only during this callback. */
typedef void cli_call_each(void *arg, const void *response);

/* `request` is the method's request message; it is packed at once. `done` never runs inside this call. */
struct cli_call *cli_call_start(struct cli *cli, const char *method, const void *request, cli_call_done *done,
				void *arg);
void cli_call_cancel(struct cli_call *call);

/* A call that is answered by a stream, without a limit of time. At its end `done` gets no response. */
struct cli_call *cli_call_stream(struct cli *cli, const char *method, const void *request, cli_call_each *each,
				 cli_call_done *done, void *arg);

/* Runs the loop until the answer has come: for commands that have nothing else to do. The response lives in cli->arena.
 * NULL: `e` has the reason. */
void *cli_call(struct cli *cli, const char *method, const void *request, struct err *e);

/* One request message for many ids, all calls at once; `set` puts the i-th id into it. Responses are in the order of
 * the ids; a call that failed has NULL, and its error is not told. */
void **cli_call_all(struct cli *cli, const char *method, void *request, size_t n,
		    void (*set)(void *request, void *arg, size_t i), void *arg);

/* Prints `crisp: WHAT: CODE: message` on stderr (message.h), WHAT by `fmt`; returns cli->failure. */
int cli_fail(const struct cli *cli, const struct err *e, const char *fmt, ...) __attribute__((format(printf, 3, 4)));

/* Prints `crisp COMMAND: WHAT` and where the help is; returns 64. `command` may be "". */
int cli_misuse(const char *command, const char *what);

/* Registries, runtimes, pods and images have words in a text; none of them may steer the terminal. */
void cli_print_plainly(const char *text, FILE *to);

/* Indented JSON of a message, or of any other value, on stdout. */
void cli_print(const void *message);

#endif
