/* units.h - systemd's slices and scopes of ours, by its bus: made, limited, stopped. For the cgroup driver systemd.
 *
 * Containers' scopes are made and stopped by the OCI runtimes themselves; here are the slices of sandboxes, the scope
 * of a pause, and what is left over.
 * Specs: org.freedesktop.systemd1(5), systemd.resource-control(5), systemd.slice(5). */
#ifndef PROCS_CGROUP_UNITS_H
#define PROCS_CGROUP_UNITS_H

#include <sys/types.h>

#include "procs/cgroup.h"
#include "procs/cri_config.h"
#include "reactor/err.h"

/* done: exactly once, never inside the call, when systemd has done it. Errors: UNAVAILABLE the bus is away or went
 * away; INTERNAL with systemd's words, or the result of its job; DEADLINE_EXCEEDED. Names and limits are copied. */
struct unit_op;

/* One that exists already is success. Its parents are in its name. limits: NULL, or what of them systemd knows. */
struct unit_op *unit_slice(const char *name, const struct resources *limits, unit_done *done, void *arg);
struct unit_op *unit_limit(const char *name, const struct resources *limits, unit_done *done, void *arg);
struct unit_op *unit_scope(const char *name, const char *slice, pid_t pid, unit_done *done, void *arg);

/* With all that is in it; one that is not there is success, one that failed is forgotten. */
struct unit_op *unit_stop(const char *name, unit_done *done, void *arg);

void unit_cancel(struct unit_op *op); /* `done` never runs; systemd may do it all the same */

#endif
