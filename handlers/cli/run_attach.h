/* run_attach.h - stdin of this process for the container of `crisp run -i`, and the size of its terminal.
 *
 * Output comes from the log (log_copy.h), where nothing is missing: what a container has written before a client is
 * attached would not come by the attach. */
#ifndef HANDLERS_CLI_RUN_ATTACH_H
#define HANDLERS_CLI_RUN_ATTACH_H

#include "handlers/cli/call.h"

struct cli_run_attach;

/* The container runs; with `tty` the terminal of stdin is raw as long as the attach lasts. A lost connection is made
 * again: the daemon may be restarting. Other failures are printed, and the container goes on without input. */
struct cli_run_attach *cli_run_attach_start(struct cli *cli, const char *container_id, bool tty);

/* The terminal is as it was. */
void cli_run_attach_free(struct cli_run_attach *attach);

#endif
