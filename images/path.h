/* path.h - paths inside a layer: made canonical, and opened so that no path leads out of the layer. */
#ifndef IMAGES_PATH_H
#define IMAGES_PATH_H

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>

#include "reactor/err.h"

/* A canonical path has no leading, trailing or double slash, no "." and no ".."; "" is the layer's root. */

/* Works on the text alone, as containerd does: "./a//b/../c" and "/a/c" are "a/c". INVALID_ARGUMENT: a path that leads
 * above the root, or a name that is too long for Linux file systems. */
int path_clean(const char *raw, char out[PATH_MAX], struct err *e);
bool path_is_clean(const char *p);

const char *path_base(const char *path);                  /* the part after the last slash */
void path_dir(const char *path, char out[PATH_MAX]);      /* the part before it; "" without a slash */
int path_join(char out[PATH_MAX], const char *dir, const char *name); /* -1, ENAMETOOLONG */

/* openat2(2) below the directory `root`: symlinks are not followed, mounts not entered. "" is root itself. -1 with
 * errno. */
int path_open(int root, const char *path, int flags);

/* Opens the directory that contains `path`; *base is the name in it. -1, errno. */
int path_open_dir(int root, const char *path, const char **base);

/* The same for a hard link's target: symlinks above the last component are followed, as if root were "/". */
int path_open_target(int root, const char *path, const char **base);

#endif
