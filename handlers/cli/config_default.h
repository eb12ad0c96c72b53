/* config_default.h - packaging/config.yaml: the commented default configuration, as a part of this program. */
#ifndef HANDLERS_CLI_CONFIG_DEFAULT_H
#define HANDLERS_CLI_CONFIG_DEFAULT_H

extern const char cli_config_default[]; /* ends with a NUL */

#endif
