/* update.h - private to handlers/nri/: updates and evictions of containers that plugins ask for. */
#ifndef HANDLERS_NRI_UPDATE_H
#define HANDLERS_NRI_UPDATE_H

#include "nri.pb-c.h"
#include "reactor/arena.h"
#include "reactor/err.h"
#include "reactor/json.h"
#include "reactor/ttrpc.h"

typedef void nri_updates_done(void *arg, const struct err *e);

/* Each container gets its update; `done` (may be NULL) runs once all have ended, never inside the call, with the first
 * failure of those whose failure counts; more than 4096 are refused as one. plugin and list are borrowed. */
void nri_updates_apply(const char *plugin, Nri__ContainerUpdate **list, size_t n, nri_updates_done *done, void *arg);

/* What plugins want done to other containers during one event: it is done once all have agreed. A zeroed one with an
 * arena is empty. */
struct nri_wishes {
	struct arena *arena;
	struct nri_wish *updates;
	struct nri_wish_evict *evictions;
	size_t n_updates, n_evictions;
};

/* Adds those of one plugin, copied; updates of the container `own` are passed over. INVALID_ARGUMENT: an earlier plugin
 * wants the same of a container (owners.h). RESOURCE_EXHAUSTED: more than 4096. */
int nri_wish_updates(struct nri_wishes *wishes, json_t *owners, const char *plugin, const char *own,
		     Nri__ContainerUpdate **list, size_t n, struct err *e);
void nri_wish_evictions(struct nri_wishes *wishes, const char *plugin, Nri__ContainerEviction **list, size_t n);
/* As nri_updates_apply(). */
void nri_wishes_apply(const struct nri_wishes *wishes, nri_updates_done *done, void *arg);
/* All updates, in the arena. */
Nri__ContainerUpdate **nri_wishes_list(const struct nri_wishes *wishes, size_t *n);

/* A plugin asks for UpdateContainers by itself. Takes the request; plugin is borrowed for the call. */
void nri_serve_update(const char *plugin, struct ttrpc_request *request, const uint8_t *body, size_t len);

/* Stops each container that runs, with 10 s of grace; nobody waits. More than 4096 at once are refused. */
void nri_evict(const char *plugin, Nri__ContainerEviction **list, size_t n);

#endif
