/* update.h - UpdateContainerResources: new limits in config.json, in the record and, for a running container, in the
 * kernel; in all of them or in none.
 *
 * Spec: CRI v1 RuntimeService.UpdateContainerResources. 0 and "" leave a limit as it is. oom_score_adj is ignored: no
 * runtime changes it later. On cgroup v1 the OCI runtime writes memory and memory+swap in the right order. */
#ifndef PROCS_UPDATE_H
#define PROCS_UPDATE_H

#include "procs/container.h"
#include "reactor/err.h"

typedef void update_done(void *arg, const struct err *e);

/* Borrows the container, which is not being removed; `asked` is copied. The update takes its turn on
 * container->lane, so no start or removal comes between. `done` runs exactly once, never inside the call. Errors:
 *   INVALID_ARGUMENT  limits that contradict each other or the limits that are set already
 *   INTERNAL          the runtime's words, or the disk; changes were undone */
void update_start(struct container *container, const struct resources *asked, update_done *done, void *arg);

/* `into` with what `asked` names, in the arena; shares strings with both. */
struct resources resources_merge(const struct resources *into, const struct resources *asked, struct arena *arena);

#endif
