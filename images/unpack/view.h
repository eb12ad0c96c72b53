/* view.h - what a stack of layer directories shows together, read without mounting it.
 * Spec: kernel Documentation/filesystems/overlayfs.rst, "whiteouts and opaque directories". */
#ifndef IMAGES_UNPACK_VIEW_H
#define IMAGES_UNPACK_VIEW_H

#include <limits.h>
#include <stddef.h>
#include <sys/stat.h>

#include "reactor/err.h"

struct view {
	const int *layers; /* directory fds, lowest first; borrowed */
	size_t n;
};

struct view_hit {
	size_t layer;        /* index of the topmost layer that has it */
	char path[PATH_MAX]; /* canonical, through directories only */
	struct stat st;
};

/* What is at `path` (canonical), itself and not where it points to. 1 and *hit; 0: nothing is seen there; -1, errno. */
int view_look(const struct view *v, const char *path, struct view_hit *hit);

/* The same, following symlinks above the last component inside the view. Links that go round in circles: 0. */
int view_find(const struct view *v, const char *path, struct view_hit *hit);

#endif
