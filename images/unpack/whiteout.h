/* whiteout.h - the names by which a layer deletes what is below it.
 * Spec: OCI image-spec layer.md "Whiteouts": ".wh.NAME" hides NAME, ".wh..wh..opq" all that a directory has below.
 * Both apply to lower layers only, never to entries of the same layer, in whatever order they stand. */
#ifndef IMAGES_UNPACK_WHITEOUT_H
#define IMAGES_UNPACK_WHITEOUT_H

#include "reactor/err.h"

enum whiteout {
	WHITEOUT_NONE,   /* an entry like any other */
	WHITEOUT_NAME,   /* *hidden is the name in the same directory */
	WHITEOUT_OPAQUE, /* the directory it is in */
	WHITEOUT_SKIP,   /* aufs's own files (".wh..wh.plnk"), which old images carry */
};

/* path is canonical; *hidden points into it. INVALID_ARGUMENT: a whiteout of nothing or ".", or with entries inside. */
int whiteout_of(const char *path, enum whiteout *kind, const char **hidden, struct err *e);

#endif
