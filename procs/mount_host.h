/* mount_host.h - the host's side of a mount: the real path, and the propagation of the mount below it. */
#ifndef PROCS_MOUNT_HOST_H
#define PROCS_MOUNT_HOST_H

#include <stdbool.h>

#include "procs/lookup.h"
#include "reactor/arena.h"
#include "reactor/err.h"

/* The facts of host_path, as LOOKUP_PLACE or LOOKUP_MOUNT has them. NULL on an error. */
struct looked *mount_host_path(struct lookup *lookup, enum lookup_kind kind, const char *host_path, struct err *e);

/* sub resolved below dir as if dir were the root, so that no symbolic link leads out; it must exist. In the arena; NULL
 * with the reason "ImageVolumeMountFailed". */
const char *mount_inside(struct arena *arena, const char *dir, const char *sub, struct err *e);

struct mount_peers {
	bool shared, slave;
};

void mount_peers_parse(const char *line, struct mount_peers *out); /* of a line of mountinfo */

/* Of the mount with that id. INTERNAL when /proc/self/mountinfo does not tell. */
int mount_peers(uint64_t mount_id, struct mount_peers *out, struct err *e);

/* Of the mount at path, a mount point in `state`. INTERNAL. */
int mount_peers_at(const char *path, struct mount_peers *out, struct err *e);

#endif
