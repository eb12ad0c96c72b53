/* remote_end.h - how a command in a container ended: the status at the end of an exec, and the exit codes that crisp
 * makes of a refusal.
 *
 * Spec: v4.channel.k8s.io, a meta/v1 Status in JSON on the error stream; docker-run(1), "Exit Status". */
#ifndef HANDLERS_CLI_REMOTE_END_H
#define HANDLERS_CLI_REMOTE_END_H

#include <stddef.h>

#include "reactor/err.h"

/* The exit code, or -1 with INTERNAL: the command did not run, with the server's words, or the text is no status. */
int cli_remote_end(const char *text, size_t len, struct err *e);

enum { CLI_FAILURE = 125, CLI_NOT_EXECUTABLE = 126, CLI_NOT_FOUND = 127 };

/* Of a command that could not be run: 127 when the runtime found no such program, 126 when it may not be executed, else
 * 125. Runtimes tell it in words only. */
int cli_refused_code(const struct err *e);

#endif
