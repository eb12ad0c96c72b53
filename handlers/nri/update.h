/* update.h - private to handlers/nri/: updates and evictions of containers that plugins ask for. */
#ifndef HANDLERS_NRI_UPDATE_H
#define HANDLERS_NRI_UPDATE_H

#include "nri.pb-c.h"
#include "procs/cri_config.h"
#include "reactor/err.h"
#include "reactor/ttrpc.h"

typedef void nri_updates_done(void *arg, const struct err *e);

/* Each container gets its update; `done` (may be NULL) runs once all have ended, never inside the call, with the first
 * failure of those whose failure counts; more than 4096 are refused as one. plugin and list are borrowed. */
void nri_updates_apply(const char *plugin, Nri__ContainerUpdate **list, size_t n, nri_updates_done *done, void *arg);

/* A plugin asks for UpdateContainers by itself. Takes the request; plugin is borrowed for the call. */
void nri_serve_update(const char *plugin, struct ttrpc_request *request, const uint8_t *body, size_t len);

/* Stops each container that runs, with 10 s of grace; nobody waits. More than 4096 at once are refused. */
void nri_evict(const char *plugin, Nri__ContainerEviction **list, size_t n);

#endif
