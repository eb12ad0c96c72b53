/* view.h - finds files in a stack of layer directories as overlayfs would show them, without a mount.
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

/* Finds `path` (canonical); a symlink itself, not its target. 1: found, *hit is set; 0: there is no such file; -1,
 * errno. */
int view_look(const struct view *view, const char *path, struct view_hit *hit);

/* The same, but symlinks above the last component are followed inside the view. 0 also for a loop of symlinks. */
int view_find(const struct view *view, const char *path, struct view_hit *hit);

#endif
