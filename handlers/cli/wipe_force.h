/* wipe_force.h - for wipe --force: removes the pods of the crisp that runs, and ends it. */
#ifndef HANDLERS_CLI_WIPE_FORCE_H
#define HANDLERS_CLI_WIPE_FORCE_H

#include <stdbool.h>

#include "handlers/cli/call.h"

/* Of the crisp with these directories, real paths, which must be the one at cli->address: stops and removes all pods,
 * takes away what is of nobody (`crisp check --repair`), ends the service, and waits until the process that the
 * service manager started has ended. Where it is the main process of a unit of systemd, systemctl stops that unit, or
 * systemd would start it again. Prints what it does; with dry_run, what it would do. *ran: a crisp runs, or ran.
 * INVALID_ARGUMENT, before anything is done: the crisp of the state directory has another root, or address.
 * FAILED_PRECONDITION: there are pods again; INTERNAL, and the errors of the calls. */
int cli_wipe_force(struct cli *cli, const char *root, const char *state, bool dry_run, bool *ran, struct err *e);

#endif
