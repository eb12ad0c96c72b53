/* run_options.h - the values of --publish and --volume of `crisp run`. */
#ifndef HANDLERS_CLI_RUN_OPTIONS_H
#define HANDLERS_CLI_RUN_OPTIONS_H

#include "api.pb-c.h"
#include "reactor/arena.h"
#include "reactor/err.h"

/* "[IP:]PORT:PORT[/tcp|udp|sctp]", the node's port first; the IP is a literal address, of IPv6 in brackets. NULL with
 * INVALID_ARGUMENT. */
Runtime__V1__PortMapping *cli_run_port(const char *word, struct arena *arena, struct err *e);

/* "PATH:PATH[:ro|rw]", the node's path first; it may be relative to the working directory. NULL with INVALID_ARGUMENT;
 * INTERNAL: the node has no such file. */
Runtime__V1__Mount *cli_run_volume(const char *word, struct arena *arena, struct err *e);

#endif
