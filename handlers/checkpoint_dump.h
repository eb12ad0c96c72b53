/* checkpoint_dump.h - the small files of a checkpoint archive, which describe the checkpointed container, and the
 * programs that read each file.
 *
 *     config.dump      id, names of the image, runtime, times         checkpointctl lib/metadata.go ContainerConfig
 *     spec.dump        config.json of the bundle                       containerd, CRI-O, Podman
 *     status.dump      CRI's ContainerStatus                           containerd
 *     status           containerd's own record of a container          checkpointctl
 *     crisp.dump       CRIU's names of the container's stdio           crisp alone (procs/criu.h)
 *
 * CRIU and images/archive.h make the other files: checkpoint/, dump.log, stats-dump, rootfs-diff.tar, deleted.files,
 * container.log. */
#ifndef HANDLERS_CHECKPOINT_DUMP_H
#define HANDLERS_CHECKPOINT_DUMP_H

#include "procs/container.h"
#include "reactor/arena.h"
#include "reactor/err.h"
#include "reactor/json.h"

/* Writes the files of a running container into `dir`. INTERNAL: a file cannot be written. */
int checkpoint_dump_write(const struct container *container, const char *dir, struct err *e);

/* What a restore needs of an unpacked archive. The archive comes from outside, so none of it is trusted. Strings live
 * in the arena; the struct owns spec and streams. */
struct checkpoint_dump {
	const char *image;      /* of the root file system, as the client of CreateContainer named it; "": unknown */
	const char *image_ref;  /* NAME@DIGEST, or an id; "": unknown */
	const char *image_name; /* NAME:TAG; "": unknown */
	json_t *spec;           /* an object */
	json_t *streams;        /* NULL: the archive was not made by crisp */
	bool terminal;
	struct strings args;    /* of the first process, as it was started */
	struct strings deleted; /* paths */
};

/* INVALID_ARGUMENT names the file that is missing, is not JSON, is too long or has another shape.
 * checkpoint_dump_free() is due after a failure too. */
int checkpoint_dump_read(struct checkpoint_dump *dump, const char *dir, struct arena *arena, struct err *e);
void checkpoint_dump_free(struct checkpoint_dump *dump);

#endif
