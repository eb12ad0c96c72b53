/* volume.h - host paths whose files' owners a container sees shifted: idmapped copies of their mounts, in the bundle.
 *
 * Made here and not by the OCI runtime, so that every runtime has them: runc only from 1.2, crun in its own dialect.
 * Specs: CRI v1 Mount.uidMappings, gidMappings; mount_setattr(2), MOUNT_ATTR_IDMAP (Linux 5.12; tmpfs 6.3). */
#ifndef PROCS_VOLUME_H
#define PROCS_VOLUME_H

#include <stdbool.h>
#include <stddef.h>

#include "procs/container.h"
#include "reactor/err.h"

bool volume_is_shifted(const struct mount_config *m); /* it asks for mappings */

/* <bundle>/volumes/<nth>, where the nth mount of c stands, or an image volume. In the container's arena. */
const char *volume_path(struct container *c, size_t nth);
int volume_make_parent(struct container *c, struct err *e); /* <bundle>/volumes; there already is fine */

/* Mounts a copy of the nth mount's host_path there; userns is the pod's. Errors:
 *   INVALID_ARGUMENT  mappings that are not the pod's; a propagation that a copy cannot have; what mount_host_path()
 *                     says
 *   INTERNAL          the kernel: its file system has no such mounts, and the like */
int volume_mount(struct container *c, size_t nth, int userns, struct err *e);
void volume_unmount(struct container *c, size_t nth); /* not mounted is fine */

#endif
