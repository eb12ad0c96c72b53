/* config_rpc.h - Version, Status and the configuration RPCs. */
#ifndef HANDLERS_CONFIG_RPC_H
#define HANDLERS_CONFIG_RPC_H

#include <stdbool.h>

#include "handlers/config.h"

void config_rpc_open(const struct config *c); /* borrowed for ever */

/* RuntimeReady with a reason until recovery has ended and the listeners stand: "" is ready. Static strings. */
void config_rpc_not_ready(const char *why);

#endif
