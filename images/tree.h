/* tree.h - removes, measures and labels directory trees of any depth; for the workers for files.
 *
 * Only one directory is open at a time and no function recurses, so the depth has no limit. Links are not followed, and
 * other mounts are entered for labels only. On the way up each directory's inode number is checked: if the tree is
 * moved meanwhile, the walk ends and does not leave the tree. */
#ifndef IMAGES_TREE_H
#define IMAGES_TREE_H

#include <stdint.h>

#include "reactor/err.h"

/* Removes `name` in dir_fd, a file or a tree; a missing name is success. The flags immutable and append-only are taken
 * off if the capabilities allow it. After a file that cannot be removed it goes on with the others; INTERNAL then names
 * the first such file and how many there were. */
int tree_remove(int dir_fd, const char *name, struct err *e);

struct tree_usage {
	uint64_t bytes, inodes;
};

/* Disk blocks and inodes of `path` and everything below it, each inode counted once. Files that vanish meanwhile are
 * left out. */
int tree_usage(const char *path, struct tree_usage *out, struct err *e);

/* Gives `path` and everything below it, also in other mounts, the SELinux label. Files that have it already, files on
 * file systems without labels (ENOTSUP) and files that vanish meanwhile are skipped. After a failure it goes on with
 * the others; INTERNAL as above. */
int tree_label(const char *path, const char *label, struct err *e);

#endif
