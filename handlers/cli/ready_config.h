/* ready_config.h - where a daemon that does not answer has its directories: the copy of its configuration,
 * <state>/config.ready, which it leaves when it is ready. */
#ifndef HANDLERS_CLI_READY_CONFIG_H
#define HANDLERS_CLI_READY_CONFIG_H

#include "reactor/arena.h"
#include "reactor/err.h"
#include "reactor/json.h"

/* The directory of the CRI socket. NULL: the address is no unix socket. In the arena. */
const char *cli_state_dir(const char *address, struct arena *arena);

/* The keys that are not at their defaults: a new reference. NULL, with INTERNAL: there is no such file, or it is
 * damaged. *file: the path of the configuration file, in the arena; NULL: not known. */
json_t *cli_ready_config(const char *state, const char **file, struct arena *arena, struct err *e);

/* A string of the configuration, which may be NULL, or `otherwise`. section NULL: of the top level. In the arena. */
const char *cli_config_word(struct arena *arena, const json_t *config, const char *section, const char *key,
			    const char *otherwise);

#endif
