/* archive.h - the jobs of crisp-unpack that make tars: of a container's writable part, and of a directory of
 * files.
 *
 * layer_untar() reads them, and so do Podman, CRI-O and containerd, whose checkpoints have the same layout. */
#ifndef IMAGES_UNPACK_ARCHIVE_H
#define IMAGES_UNPACK_ARCHIVE_H

#include "images/unpack/layer.h"
#include "reactor/err.h"

/* Into the directory `to`: rootfs-diff.tar, all that the overlayfs upper directory `upper` holds, and deleted.files,
 * a JSON array of the paths ("/etc/motd") that it hides. A name that is not UTF-8 cannot be written in JSON; it becomes
 * a whiteout entry of the tar. s: root and parents, the layers below, of which opaque directories hide files. Sockets
 * are left out. INTERNAL, RESOURCE_EXHAUSTED, with the name. */
int archive_diff(const struct layer_spec *s, const char *upper, const char *to, struct answer *out,
		 struct err *e);

/* Writes <root>/layers/LAYER as the tar of a layer, with whiteouts and opaque marks, to the new file `to`, and sets
 * out->digest. Names are sorted: the same layer gives the same tar everywhere. Attributes as archive_diff(), and POSIX
 * ACLs. INTERNAL, RESOURCE_EXHAUSTED, with the name. Spec: OCI image-spec layer.md. */
int archive_layer(const struct layer_spec *s, const char *layer, const char *to, struct answer *out,
		  struct err *e);

/* Writes the files of `from`, and of the directories in it (two levels of them), as the tar `location`, mode 0600. The
 * tar gets its name when it is whole and on the disk; after a failure an older file of this name is unchanged. log:
 * NULL, or a file whose present content becomes "container.log" in the tar. */
int archive_write(const char *from, const char *location, const char *log, struct answer *out, struct err *e);

#endif
