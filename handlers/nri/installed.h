/* installed.h - private to handlers/nri/: plugins that are files of a directory. */
#ifndef HANDLERS_NRI_INSTALLED_H
#define HANDLERS_NRI_INSTALLED_H

#include "handlers/nri.h"

/* Starts them all; `done` runs once each is synchronized or given up, never inside the call. */
void nri_installed_start(const struct nri_config *config, void (*done)(void *arg), void *arg);
void nri_installed_stop(void);

#endif
