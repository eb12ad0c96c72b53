/* oom.h - whether the kernel's OOM killer took processes of a container; also when the container's group is gone.
 *
 * systemd removes a scope, and so the group with its counter, the moment the last process is gone. The pod's group
 * above counts the kills of all groups that ever were below it (cgroup-v2.rst, memory.events). Kills that no living
 * container of the pod has counted are the dead container's. oom_begin() is called before the start, oom_happened()
 * at the end. (ARCHITECTURE P12, X18) */
#ifndef PROCS_OOM_H
#define PROCS_OOM_H

#include <stdbool.h>

#include "procs/container.h"

/* Before its first process: notes the kills counted until now in container->oom_floor. The caller saves the record. */
void oom_begin(struct container *container);

/* Its first process has ended. */
bool oom_happened(struct container *container);

#endif
