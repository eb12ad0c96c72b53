/* whiteout.h - how a layer hides files of the layers below it: in a tar, and on disk for overlayfs.
 * Specs: OCI image-spec layer.md "Whiteouts": ".wh.NAME" hides NAME, ".wh..wh..opq" hides everything that lower layers
 * have in this directory. Both hide files of lower layers only, never of the same layer, in any order of the entries.
 * Kernel Documentation/filesystems/overlayfs.rst, "whiteouts and opaque directories". */
#ifndef IMAGES_UNPACK_WHITEOUT_H
#define IMAGES_UNPACK_WHITEOUT_H

#include <stdbool.h>
#include <sys/stat.h>

#include "reactor/err.h"

enum whiteout {
	WHITEOUT_NONE,   /* an ordinary entry */
	WHITEOUT_NAME,   /* hides *hidden, a name in the same directory */
	WHITEOUT_OPAQUE, /* makes its directory opaque */
	WHITEOUT_SKIP,   /* a file of aufs (".wh..wh.plnk"), which old images contain */
};

/* path is canonical; *hidden points into it. INVALID_ARGUMENT: a whiteout of nothing or ".", or with entries inside. */
int whiteout_of(const char *path, enum whiteout *kind, const char **hidden, struct err *e);

bool whiteout_is_device(const struct stat *st); /* a character device 0/0: overlayfs's whiteout */
bool whiteout_is_opaque(int dir_fd);            /* the directory has overlayfs's mark of opaque directories */

#endif
