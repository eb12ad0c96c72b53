/* checkpoint_dump.h - the small files of a checkpoint archive, which say what was checkpointed.
 *
 *     config.dump      id, names of the image, runtime, times         checkpointctl lib/metadata.go ContainerConfig
 *     spec.dump        config.json of the bundle                       containerd, CRI-O, Podman
 *     status.dump      CRI's ContainerStatus                           containerd
 *     status           containerd's own record of a container          checkpointctl
 *     crisp.dump       CRIU's names of our stdio                       crisp alone (procs/criu.h)
 *
 * Beside them stand, made by others: checkpoint/, dump.log, stats-dump, rootfs-diff.tar, deleted.files,
 * container.log. */
#ifndef HANDLERS_CHECKPOINT_DUMP_H
#define HANDLERS_CHECKPOINT_DUMP_H

#include "procs/container.h"
#include "reactor/arena.h"
#include "reactor/err.h"
#include "reactor/json.h"

/* Of a running container, into `dir`. INTERNAL. */
int checkpoint_dump_write(const struct container *c, const char *dir, struct err *e);

/* What a restore needs of an unpacked archive: bytes from outside. All in the arena, streams and spec owned by the
 * struct. */
struct checkpoint_dump {
	const char *image, *image_ref,
		*image_name; /* of the root file system, as asked, NAME@DIGEST or id, NAME:TAG; or "" */
	json_t *spec;        /* an object */
	json_t *streams;     /* NULL: not made by crisp */
	bool terminal;
	struct strings args;    /* of the first process, as it was started */
	struct strings deleted; /* paths */
};

/* INVALID_ARGUMENT names the file that is missing, no JSON, too long, or not what it should be. dump_free() in any
 * case. */
int checkpoint_dump_read(struct checkpoint_dump *d, const char *dir, struct arena *a, struct err *e);
void checkpoint_dump_free(struct checkpoint_dump *d);

#endif
