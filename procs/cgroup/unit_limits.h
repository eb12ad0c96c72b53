/* unit_limits.h - CRI's resource numbers as properties of a systemd unit.
 *
 * systemd writes all that it knows of a unit's limits whenever it looks at it again (daemon-reload), so those that it
 * has a property for must be told to it; the others are written into the files. Spec: systemd.resource-control(5). */
#ifndef PROCS_CGROUP_UNIT_LIMITS_H
#define PROCS_CGROUP_UNIT_LIMITS_H

#include "procs/cri_config.h"
#include "reactor/bus.h"

/* Appends them to an open array of (sv). What is unset, or no number that systemd takes, is left out. */
void unit_limits_put(sd_bus_message *m, const struct resources *r);

/* "0-2,5" as bits, the lowest first; the number of bytes, 0 when it is no such list or a number is too high. */
enum { CPU_BYTES_MAX = 128 };
size_t unit_limits_bits(const char *list, uint8_t bits[CPU_BYTES_MAX]);

#endif
