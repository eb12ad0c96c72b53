/* config_try.h - what a configuration would do, short of using it: `crispd --check`. Runs in a process of its own. */
#ifndef HANDLERS_CONFIG_TRY_H
#define HANDLERS_CONFIG_TRY_H

#include "handlers/config.h"

/* Looks for the cgroup driver, reads the files of runtime handlers and of TLS, and binds each address that `running`
 * does not have; the sockets are closed again. running: the configuration of the crispd that serves; NULL: none does.
 * What stays untried: the bus of systemd, and whether the programs of runtimes work (a condition of Status). */
int config_try(const struct config *next, const struct config *running, struct err *e);

#endif
