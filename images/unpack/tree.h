/* tree.h - whole directory trees of any depth: removing, measuring, labelling.
 *
 * One directory is open at a time and nothing recurses, so no depth is too deep. Links are not followed, other mounts
 * entered for labels only, and the way up is checked by inode number: a tree that is moved meanwhile ends the walk and
 * does not lead it out. */
#ifndef IMAGES_UNPACK_TREE_H
#define IMAGES_UNPACK_TREE_H

#include <stdint.h>

#include "reactor/err.h"

/* Removes `name` in dir_fd, whatever it is; not there is success. Takes immutable and append-only flags off if we may.
 * Goes on behind what it cannot remove; INTERNAL then names the first such and how many there were. */
int tree_remove(int dir_fd, const char *name, struct err *e);

struct tree_usage {
	uint64_t bytes, inodes;
};

/* Disk blocks and inodes below and with `path`, each inode once. What vanishes meanwhile is left out. */
int tree_usage(const char *path, struct tree_usage *out, struct err *e);

/* `path` and everything below it, other mounts too, gets the SELinux label; what has it already is left alone, and so
 * is what has no labels (ENOTSUP). What vanishes meanwhile is no failure. Goes on behind one; INTERNAL as above. */
int tree_label(const char *path, const char *label, struct err *e);

#endif
