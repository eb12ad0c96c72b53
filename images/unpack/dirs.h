/* dirs.h - the directories of the layer being written: finding the one an entry goes to, and their times.
 *
 * The rule for a symlink above an entry is containerd's (continuity fs.RootPath): one that this layer brought is
 * followed, inside the layer's root; a directory that is not there is made. Links of lower layers are not known here:
 * overlayfs shows the made directory in their place, as it does under containerd and Docker. */
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
	char asked[PATH_MAX];  /* as dirs_enter() was asked for it */
	char path[PATH_MAX];   /* canonical, free of symlinks */
	bool setgid;           /* new entries take its group */
	uint64_t made;         /* how many directories were invented */
	uint64_t text_bytes;   /* what the names in `times` take */
	struct dir_time {
		const char *path;
		struct timespec mtime;
	} *times;
	size_t ntimes, room_times;
};

void dirs_open(struct dirs *d, int root, struct report *report);
void dirs_close(struct dirs *d);

/* Makes d->fd the directory `dir` (canonical), inventing what is missing with this mtime.
 * INVALID_ARGUMENT: something else is in the way, or links that go round in circles; INTERNAL. */
int dirs_enter(struct dirs *d, const char *dir, const struct timespec *mtime, struct err *e);

/* To be set by dirs_finish(), when nothing is created inside any more. The last one of a path counts. */
void dirs_time(struct dirs *d, const char *path, const struct timespec *mtime);
void dirs_finish(struct dirs *d);

/* A character device 0/0: how overlayfs marks a name as deleted. */
bool is_whiteout_at(int fd, const char *name);

#endif
