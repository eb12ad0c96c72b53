/* units.h - systemd's slices and scopes of ours, by its bus: made, limited, stopped. For the cgroup driver systemd.
 *
 * Containers' scopes are made and stopped by the OCI runtimes themselves; here are the slices of sandboxes, the scope
 * of a pause, and what is left over.
 * Specs: org.freedesktop.systemd1(5), systemd.resource-control(5), systemd.slice(5). */
#ifndef PROCS_CGROUP_UNITS_H
#define PROCS_CGROUP_UNITS_H

#include <stdbool.h>
#include <sys/types.h>

#include "procs/cri_config.h"
#include "reactor/err.h"

struct units_config { /* zeroed: the system bus */
	const char *address;
	bool peer; /* the other end is systemd itself, as at /run/systemd/private */
};

typedef void unit_done(void *arg, const struct err *e);

/* `ready` runs exactly once, never inside the call: e NULL, or FAILED_PRECONDITION with the bus that has no systemd.
 * FAILED_PRECONDITION at once: there is no such bus, by its address. */
int units_open(const struct units_config *cfg, unit_done *ready, void *arg, struct err *e);
void units_close(void); /* what was asked for is asked for; nobody is told */

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
