/* mount_host.h - the host's side of a mount: the real path, and the propagation of the mount below it. */
#ifndef PROCS_MOUNT_HOST_H
#define PROCS_MOUNT_HOST_H

#include <stdbool.h>

#include "reactor/arena.h"
#include "reactor/err.h"

/* host_path without symbolic links; if nothing is there a directory is made, 0755, with its parents. In the arena;
 * NULL on an error. */
const char *mount_host_path(struct arena *arena, const char *host_path, struct err *e);

/* sub resolved below dir as if dir were the root, so that no symbolic link leads out; it must exist. In the arena; NULL
 * with the reason "ImageVolumeMountFailed". */
const char *mount_inside(struct arena *arena, const char *dir, const char *sub, struct err *e);

struct mount_peers {
	bool shared, slave;
};

/* Of the mount that path is on. INTERNAL when /proc/self/mountinfo does not tell. */
int mount_peers(const char *path, struct mount_peers *out, struct err *e);

#endif
