/* config_import.h - `crisp config import`. */
#ifndef HANDLERS_CLI_CONFIG_IMPORT_H
#define HANDLERS_CLI_CONFIG_IMPORT_H

#include "handlers/cli/call.h"
#include "reactor/fields.h"

/* Prints the configuration on stdout, and on stderr what has no counterpart. Returns the exit code. */
int cli_config_import(struct cli *c, const struct strings *files);

#endif
