/* image_volumes.h - the VOLUMEs of an image. By the key images.volumes each becomes a directory of the container's own
 * that is mounted there, filled with what the image has (bind), a directory in its root file system (mkdir), or nothing
 * (ignore). The names are CRI-O's, the filling is containerd's.
 *
 * A mounted one is not on overlayfs, so an overlay can be made upon it, and it can be written to with a read-only root.
 * Spec: OCI image-spec config.md "Volumes". */
#ifndef HANDLERS_IMAGE_VOLUMES_H
#define HANDLERS_IMAGE_VOLUMES_H

#include "images/store.h"
#include "procs/container.h"
#include "reactor/arena.h"
#include "reactor/err.h"

bool image_volumes_known(const char *how); /* "bind", "mkdir" or "ignore" */
void image_volumes_open(const char *how);

/* bind: the paths, clean and absolute, in the arena, without those at which the config mounts something; none for the
 * others. INVALID_ARGUMENT: more than 256. */
int image_volumes(const struct image *image, const struct container_config *config, struct arena *arena,
		  struct strings *out, struct err *e);

/* mkdir: makes them below rootfs, where the container's root file system is mounted; nothing for the others. INTERNAL;
 * INVALID_ARGUMENT as above. */
int image_volumes_mkdir(struct container *container, const char *rootfs, struct err *e);

#endif
