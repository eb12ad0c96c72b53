/* config_rpc.h - Version, Status, RuntimeConfig and UpdateRuntimeConfig. */
#ifndef HANDLERS_CONFIG_RPC_H
#define HANDLERS_CONFIG_RPC_H

#include <stdbool.h>

#include "handlers/config.h"

/* config: borrowed for ever. /metrics has the conditions of Status then (crisp_condition). To be called once. */
void config_rpc_open(const struct config *config);

/* Why the condition RuntimeReady of Status is false; "": crispd is ready. It is "starting" until main.c says otherwise.
 * Borrowed for ever. */
void config_rpc_not_ready(const char *why);

/* Why the condition ConfigurationUsed is false: crispd runs with another configuration than that of the file, and what
 * refused the file. "": it is true. Borrowed for ever. */
void config_rpc_other(const char *why);

#endif
