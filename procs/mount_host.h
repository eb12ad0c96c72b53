/* mount_host.h - the host's side of a mount: the real path, and the propagation of the mount below it. */
#ifndef PROCS_MOUNT_HOST_H
#define PROCS_MOUNT_HOST_H

#include <stdbool.h>

#include "reactor/lookup.h"
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

/* All mounts of this process, in the order of their ids. */
struct mount_table {
	struct mount_entry {
		uint64_t id;
		struct mount_peers peers;
	} *at;
	size_t n;
};
int mount_table_read(struct mount_table *out, struct arena *arena, struct err *e); /* INTERNAL */

/* Of the mount with that id. INTERNAL when the table does not have it. */
int mount_peers(const struct mount_table *table, uint64_t mount_id, struct mount_peers *out, struct err *e);

int mount_id_at(const char *path, uint64_t *id, struct err *e); /* of a mount point in `state`; INTERNAL */

#endif
