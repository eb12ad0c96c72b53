/* archive.h - the jobs of crisp-unpack that make tars: of a container's writable part, and of a directory of
 * files.
 *
 * Their readers are layer_untar() and other engines: Podman, CRI-O and containerd lay checkpoints out so. */
#ifndef IMAGES_UNPACK_ARCHIVE_H
#define IMAGES_UNPACK_ARCHIVE_H

#include "images/unpack/layer.h"
#include "reactor/err.h"

/* Into the directory `to`: rootfs-diff.tar, all that the overlayfs upper directory `upper` holds, and deleted.files,
 * a JSON array of the paths ("/etc/motd") that it hides (a name that is not UTF-8 becomes a whiteout entry of the
 * tar: JSON cannot say it). s: root and parents, the layers below, for what an opaque directory hides. Sockets are
 * left out. INTERNAL, RESOURCE_EXHAUSTED, with the name. */
int archive_diff(const struct layer_spec *s, const char *upper, const char *to, struct layer_result *out,
		 struct err *e);

/* The files of `from`, and of the directories in it, as the tar `location`, mode 0600: whole and on the disk, or not
 * there and what was there before untouched. log: NULL, or a file that becomes "container.log" in it, as long as it
 * is now. */
int archive_write(const char *from, const char *location, const char *log, struct layer_result *out, struct err *e);

#endif
