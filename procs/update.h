/* update.h - UpdateContainerResources: new limits in config.json, in the record and, when it runs, in the kernel; all
 * or none.
 *
 * Spec: CRI v1 RuntimeService.UpdateContainerResources. 0 and "" leave a limit as it is; so does oom_score_adj, which
 * no runtime changes later. In which order v1 takes memory and memory+swap is the OCI runtime's business. */
#ifndef PROCS_UPDATE_H
#define PROCS_UPDATE_H

#include "procs/container.h"
#include "reactor/err.h"

typedef void update_done(void *arg, const struct err *e);

/* Borrows c, which is not being removed; `asked` is copied. It takes its turn on c->lane, so that neither a start nor a
 * removal comes between. `done` runs exactly once, never inside the call. Errors: INVALID_ARGUMENT  limits that
 * contradict themselves or what is set already INTERNAL          the runtime's words, or the disk; what had been
 * changed was changed back */
void update_start(struct container *c, const struct resources *asked, update_done *done, void *arg);

/* `into` with what `asked` names, in the arena; shares strings with both. */
struct resources resources_merge(const struct resources *into, const struct resources *asked, struct arena *a);

#endif
