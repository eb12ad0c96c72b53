/* debug_rpc.h - what `crisp debug bundle` asks the daemon for. */
#ifndef HANDLERS_CLI_DEBUG_RPC_H
#define HANDLERS_CLI_DEBUG_RPC_H

#include "handlers/cli/bundle.h"
#include "handlers/cli/call.h"

/* Puts versions, conditions, pods, containers, images and the pages of http.sock into the bundle. Each call has 5 s, or
 * cli->timeout_ms; what cannot be got is a problem of the bundle. The configuration as Status tells it: a new
 * reference; NULL: the daemon did not answer.
 *
 * Of pods, containers and images only the members that are known to be harmless are taken: no environment, no
 * arguments, no labels, no annotations. */
json_t *debug_rpc(struct cli *cli, struct bundle *bundle);

#endif
