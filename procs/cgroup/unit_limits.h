/* unit_limits.h - CRI's resource numbers as properties of a systemd unit.
 *
 * On each daemon-reload systemd writes the limits that it knows of a unit into the files again. So a limit for which
 * systemd has a property is told to systemd as well; the others are only written into the files. Spec:
 * systemd.resource-control(5). (ARCHITECTURE P16) */
#ifndef PROCS_CGROUP_UNIT_LIMITS_H
#define PROCS_CGROUP_UNIT_LIMITS_H

#include "procs/cri_config.h"
#include "reactor/bus.h"

/* Appends the limits to an open array of (sv). Left out: unset limits, and values that systemd does not take. */
void unit_limits_put(sd_bus_message *message, const struct resources *limits);

/* "0-2,5" as bits, the lowest first. Returns the number of bytes; 0: not such a list, or a number is too high. */
enum { CPU_BYTES_MAX = 128 };
size_t unit_limits_bits(const char *list, uint8_t bits[CPU_BYTES_MAX]);

#endif
