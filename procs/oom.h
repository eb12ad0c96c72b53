/* oom.h - did the kernel's OOM killer take processes of a container? Also when nobody can read its group any more.
 *
 * systemd removes a scope the moment its last process is gone, and the group's own counter with it. The pod's group
 * above counts the kills of all that ever were below it (cgroup-v2.rst, memory.events), so what no living container of
 * the pod accounts for is the dead one's. Both calls are made around the life of a container, in that order. */
#ifndef PROCS_OOM_H
#define PROCS_OOM_H

#include <stdbool.h>

#include "procs/container.h"

/* Before its first process: notes what was counted until now, c->oom_floor. The caller saves the record. */
void oom_begin(struct container *c);

/* Its first process has ended. */
bool oom_happened(struct container *c);

#endif
