/* path.h - names inside a layer, made canonical, and opened so that nothing leads out. */
#ifndef IMAGES_UNPACK_PATH_H
#define IMAGES_UNPACK_PATH_H

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>

#include "reactor/err.h"

/* A canonical path has no leading, trailing or double slash, no "." and no ".."; "" is the layer's root. */

/* By the letters alone, as containerd does: "./a//b/../c" and "/a/c" are "a/c". INVALID_ARGUMENT for what climbs above
 * the root, and for names that no Linux file system takes. */
int path_clean(const char *raw, char out[PATH_MAX], struct err *e);
bool path_is_clean(const char *p);

const char *path_base(const char *path);                  /* behind the last slash */
void path_dir(const char *path, char out[PATH_MAX]);      /* before it; "" when there is none */
int path_join(char out[PATH_MAX], const char *dir, const char *name); /* -1, ENAMETOOLONG */

/* openat2(2) below `root`, a directory: no symlink is followed, no mount entered. -1, errno. "" is root itself. */
int path_open(int root, const char *path, int flags);

/* The directory that holds `path`; *base is its name in there. -1, errno. */
int path_open_dir(int root, const char *path, const char **base);

/* The same for a hard link's target: symlinks above the last component are followed, as if root were "/". */
int path_open_target(int root, const char *path, const char **base);

#endif
