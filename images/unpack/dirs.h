/* dirs.h - the directories of the layer that is being written: finding the directory of an entry, and setting times.
 *
 * The rule for a symlink above an entry is containerd's (continuity fs.RootPath): a symlink of this layer is followed
 * inside the layer's root; a missing directory is made. Symlinks of lower layers are not known here: overlayfs shows
 * the new directory in their place, as it does under containerd and Docker. */
#ifndef IMAGES_UNPACK_DIRS_H
#define IMAGES_UNPACK_DIRS_H

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>

#include "images/unpack/report.h"
#include "reactor/err.h"

struct dirs {
	int root;              /* borrowed */
	struct report *report; /* borrowed */
	struct arena *arena;
	int fd;                /* O_PATH, the directory last entered; -1: none */
	char asked[PATH_MAX];  /* dirs_enter()'s argument */
	char path[PATH_MAX];   /* canonical, free of symlinks */
	bool setgid;           /* new entries take its group */
	uint64_t made;         /* how many directories were invented */
	uint64_t text_bytes;   /* the length of all names in `times` together */
	struct dir_time {
		const char *path;
		struct timespec mtime;
	} *times;
	size_t ntimes, room_times;
};

void dirs_open(struct dirs *d, int root, struct report *report);
void dirs_close(struct dirs *d);

/* Makes d->fd the directory `dir` (canonical). Missing directories are made, with this mtime.
 * INVALID_ARGUMENT: a component is not a directory, or symlinks form a loop; INTERNAL. */
int dirs_enter(struct dirs *d, const char *dir, const struct timespec *mtime, struct err *e);

/* The time is set by dirs_finish(), after the last file was made, for each new file changes it. Of several calls for
 * one path the last counts. */
void dirs_time(struct dirs *d, const char *path, const struct timespec *mtime);
void dirs_finish(struct dirs *d);


#endif
