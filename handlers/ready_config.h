/* ready_config.h - the copy of the configuration with which crispd is READY, for the keeper and for the next reload. */
#ifndef HANDLERS_READY_CONFIG_H
#define HANDLERS_READY_CONFIG_H

#include "handlers/config.h"

/* Writes <state>/config.ready: a first line that names the file, then what it and the directory beside it have. The
 * same under `root`, for the first start after a reboot, which empties `state`. A failure is logged: without the copy
 * crisp runs as well, but a later bad configuration stays. (ARCHITECTURE R150) */
void ready_config_keep(const struct config *config, const char *file);

const char *ready_config_path(const struct config *config, struct arena *arena);

/* One line of words for the keeper (KEEPER_WHY_ENV), for when crispd cannot get READY. */
void ready_config_why_not(const char *why);

#endif
