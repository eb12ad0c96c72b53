/* units.h - makes, limits and stops systemd's slices and scopes over its bus. For the cgroup driver systemd.
 *
 * The OCI runtimes make and stop the scopes of containers themselves. Here are the slices of sandboxes, the scope of a
 * pause, and the end of units that are left over. (ARCHITECTURE P15) units_open() and units_close() are in cgroup.h.
 * Specs: org.freedesktop.systemd1(5), systemd.resource-control(5), systemd.slice(5). */
#ifndef PROCS_CGROUP_UNITS_H
#define PROCS_CGROUP_UNITS_H

#include <sys/types.h>

#include "procs/cgroup.h"
#include "procs/cri_config.h"
#include "reactor/err.h"

/* `done` runs exactly once, never inside the call, when systemd's job has ended. Errors: UNAVAILABLE: no connection to
 * the bus, or it was lost; INTERNAL with systemd's error or the result of its job; DEADLINE_EXCEEDED. Names and limits
 * are copied. */
struct unit_op;

/* A slice that exists already is success. Its parents follow from its name. limits: NULL, or limits of which systemd
 * gets those that it has a property for. */
struct unit_op *unit_slice(const char *name, const struct resources *limits, unit_done *done, void *arg);
struct unit_op *unit_limit(const char *name, const struct resources *limits, unit_done *done, void *arg);
struct unit_op *unit_scope(const char *name, const char *slice, pid_t pid, unit_done *done, void *arg);

/* Stops the unit and kills all processes in it. A missing unit is success; the failed state of a unit is reset. */
struct unit_op *unit_stop(const char *name, unit_done *done, void *arg);

void unit_cancel(struct unit_op *op); /* `done` never runs; systemd still carries out the request */

#endif
