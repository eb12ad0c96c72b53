/* volume.h - host paths whose files have shifted owners inside a container: idmapped copies of their mounts, in the
 * bundle.
 *
 * crispd makes them and not the OCI runtime, so that they work with every runtime: runc can from 1.2 on only, and crun
 * wants another syntax.
 * Specs: CRI v1 Mount.uidMappings, gidMappings; mount_setattr(2), MOUNT_ATTR_IDMAP (Linux 5.12; tmpfs 6.3). */
#ifndef PROCS_VOLUME_H
#define PROCS_VOLUME_H

#include <stdbool.h>
#include <stddef.h>

#include "procs/container.h"
#include "reactor/lookup.h"
#include "reactor/err.h"

bool volume_is_shifted(const struct mount_config *mount); /* it asks for mappings */
enum lookup_kind volume_lookup(const struct mount_config *mount); /* as what its host_path is looked up */

/* <bundle>/volumes/<nth>, the mount point of the container's nth mount (also of an image volume). In the container's
 * arena. */
const char *volume_path(struct container *container, size_t nth);
int volume_make_parent(struct container *container, struct err *e); /* <bundle>/volumes; may exist already */

/* Whether the nth mount may be shifted; userns is the pod's. INVALID_ARGUMENT: mappings that are not the pod's; a
 * propagation that a copy cannot have. */
int volume_check(const struct container *container, size_t nth, int userns, struct err *e);

/* Mounts a copy of the nth mount's host_path, which container->lookup has, there; it was checked. Errors:
 *   INVALID_ARGUMENT  what mount_host_path() says
 *   INTERNAL          the kernel refuses: the file system has no idmapped mounts, for example */
int volume_mount(struct container *container, size_t nth, int userns, struct err *e);
/* Mounts a directory there, as it is: VOLUME nth of the image comes behind the mounts of the config. INTERNAL. */
size_t volume_of_image(const struct container *container, size_t nth);
int volume_bind(struct container *container, size_t nth, const char *dir, struct err *e);
int volume_unmount(struct container *container, size_t nth, struct err *e); /* not mounted is fine; INTERNAL */

#endif
