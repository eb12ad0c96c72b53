/* config_rpc.h - Version, Status, RuntimeConfig and UpdateRuntimeConfig. */
#ifndef HANDLERS_CONFIG_RPC_H
#define HANDLERS_CONFIG_RPC_H

#include <stdbool.h>

#include "handlers/config.h"

void config_rpc_open(const struct config *config); /* borrowed for ever */

/* Why the condition RuntimeReady of Status is false; "": crispd is ready. It is "starting" until main.c says otherwise.
 * Borrowed for ever. */
void config_rpc_not_ready(const char *why);

#endif
