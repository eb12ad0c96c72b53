/* lookup_local.h - what the loop may look up itself: in the kernel's caches, and on the node's own file systems.
 *
 * Private to lookup.h, which leaves the rest to a child. */
#ifndef REACTOR_LOOKUP_LOCAL_H
#define REACTOR_LOOKUP_LOCAL_H

#include <stdbool.h>

#include "reactor/lookup.h"
#include "reactor/arena.h"
#include "reactor/buf.h"

/* more: directories on file systems of the node, NULL-terminated, beside the usual ones; borrowed for the call. */
void lookup_local_open(const char *const *more);

/* Is the file system that fd is on one of those kinds that ask no server? It may be any of them: fstatfs(2) of another
 * kind can hang, so this is for the child. */
bool lookup_fs_is_local(int fd);

/* The child has found a path on a local file system of this device: from now on the loop looks there itself. Only the
 * number of a disk is learned: the other numbers are given to file systems of any kind, one after the other. */
void lookup_learn(dev_t device);

/* Does the asker of this kind get an fd? */
bool lookup_gives_fd(enum lookup_kind kind, mode_t mode);

/* The names in a directory, each with a NUL behind it, those of directories with a slash: at most one more than
 * LOOKUP_NAMES_MAX. -1: errno. */
int lookup_list(int dir, struct buf *out);

/* True: the facts of the path are in *out, whose error may be set. False: only a child can tell. */
bool lookup_local(struct arena *arena, enum lookup_kind kind, const char *path, struct looked *out);

#endif
