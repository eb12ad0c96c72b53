/* remote.h - joins stdin, stdout and stderr of this process with a command in a container, over a streaming URL.
 *
 * With a tty the terminal of stdin is raw until the end, and its size goes to the container whenever it changes.
 * Spec: CRI v1 ExecResponse, AttachResponse; Kubernetes' v4.channel.k8s.io. */
#ifndef HANDLERS_CLI_REMOTE_H
#define HANDLERS_CLI_REMOTE_H

#include <stdbool.h>

#include "reactor/err.h"

struct cli_remote; /* owned by its maker until cli_remote_free() */

struct cli_remote_want {
	bool in, out, err, tty; /* a tty has one stream for all output, so tty excludes err */
};

/* None runs inside a function of this header, and cli_remote_free() is not allowed in an event. */
struct cli_remote_events {
	void (*ready)(void *arg); /* all streams are asked for */
	/* Once, and last: all output is written. `e` NULL: the exit code of the command, as the server tells it. With
	 * CANCELLED the reader of stdout or stderr is gone. */
	void (*done)(void *arg, const struct err *e, int exit_code);
	void *arg;
};

/* Errors are those of cli_spdy_start(). */
struct cli_remote *cli_remote_start(const char *url, const char *cri, const struct cli_remote_want *want,
				    const struct cli_remote_events *events, struct err *e);
void cli_remote_free(struct cli_remote *remote); /* the terminal is as it was */

#endif
