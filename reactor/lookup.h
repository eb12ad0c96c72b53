/* lookup.h - looks up paths of others (volumes, logs, the node's configuration), and never blocks the loop.
 *
 * Any system call that walks a path, or that asks a file for its attributes, waits for the file system below: a FUSE
 * server that never answers, or an NFS server that is away, would hold the loop and with it the whole node. So the
 * loop tries what the kernel has in its caches (openat2(2) with RESOLVE_CACHED, Linux 5.12; statx(2) with
 * AT_STATX_DONT_SYNC), and walks on only on a local file system: one that the node itself stands on (/, /dev, /etc,
 * `root`, `state`, ...). All else is left to a child, crisp-lookup, which has 10 s. A child that hangs in the kernel
 * cannot be killed: it counts until it has ended, and there are at most 64 children, and 4 of one owner. Further ones
 * wait for a place, and are refused once that many children have worked for more than a second.
 *
 * An operation names its paths by lookup_add(), and begins when they are known: lookup_try() knows them at once, or
 * lookup_start() waits. Afterwards lookup_get() has the facts. (ARCHITECTURE P40) */
#ifndef REACTOR_LOOKUP_H
#define REACTOR_LOOKUP_H

#include <dirent.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "reactor/arena.h"
#include "reactor/err.h"
#include "reactor/fields.h"

enum lookup_kind {
	LOOKUP_PLACE, /* a file or a directory; where nothing is, a directory is made, 0755, with its parents */
	LOOKUP_MOUNT, /* the same, and fd is an O_PATH fd of it */
	LOOKUP_NODE,  /* a file or a directory that must be there */
	LOOKUP_TEXT,  /* of a regular file: fd is open for reading, of it or of a copy of it (at most 16 MiB) */
	LOOKUP_LOG,   /* fd is open for appending; the file is made, 0640, with its parents */
	LOOKUP_DIR,   /* a directory that must be there; lookup_names() lists it; fd is the directory's if `local` */
};

struct looked {
	int error;	   /* 0, or an errno: then the rest means nothing */
	const char *real;  /* without symbolic links; borrowed from the lookup */
	mode_t mode;	   /* as in struct stat */
	dev_t rdev;
	uid_t uid;
	gid_t gid;
	uint64_t dev, ino, size_bytes;
	int64_t mtime_ns;
	uint64_t mount_id; /* as in /proc/self/mountinfo */
	bool local;	   /* on a file system in memory or of a disk of the node: it asks no server */
	int fd;		   /* the lookup's; the receiver may take it (sets -1); -1: none */
};

struct lookup; /* the paths of one operation; owned by its maker until lookup_free() */

/* Once at start. program: the path of crisp-lookup; local: directories on file systems of the node, NULL-terminated,
 * beside the usual ones. Both are borrowed for the call. */
void lookup_open(const char *program, const char *const *local);

struct lookup *lookup_new(const char *owner); /* on whose behalf: a uid, the name of a part; copied */
void lookup_free(struct lookup *lookup);      /* NULL is fine; `done` does not run any more */

/* path is absolute; copied. The same path twice is looked up once. */
void lookup_add(struct lookup *lookup, enum lookup_kind kind, const char *path);

/* True: all facts are known. False: lookup_start() has to ask a child. */
bool lookup_try(struct lookup *lookup);

/* `done` runs once, never inside the call; e is NULL when all facts are known. What lookup_get() then asks for in
 * vain, another lookup_start() asks a child for: an operation whose first file names further files goes on in rounds.
 * Errors:
 *   DEADLINE_EXCEEDED   the file system of the path that is named did not answer, now or for an earlier call whose
 *                       child still hangs there
 *   RESOURCE_EXHAUSTED  too many children hang, or take over a second, in all or of this owner
 *   UNAVAILABLE, INTERNAL  the child could not be run */
typedef void lookup_done(void *arg, const struct err *e);
void lookup_start(struct lookup *lookup, lookup_done *done, void *arg);

/* The facts of a path. One that was not added is tried as lookup_try() does; NULL (also for lookup NULL) with
 * UNAVAILABLE: a child would be needed. Borrowed until the next call, or from the lookup. */
struct looked *lookup_get(struct lookup *lookup, enum lookup_kind kind, const char *path, struct err *e);

/* The whole text of a regular file, as small_file_read(): owned by the caller, with a NUL behind it. NULL: e, with
 * `code`, or with UNAVAILABLE as lookup_get(). lookup_missing(): no such file. */
char *lookup_read(struct lookup *lookup, const char *path, size_t max_bytes, size_t *len_bytes, enum err_code code,
		  struct err *e);
bool lookup_missing(struct lookup *lookup, enum lookup_kind kind, const char *path);

/* The names in a directory of LOOKUP_DIR without error, in the order of bytes, in the arena; those of directories end
 * in a slash. Over LOOKUP_NAMES_MAX of them: an error with the path. */
enum { LOOKUP_NAMES_MAX = 4096 };
int lookup_names(const struct looked *fact, const char *path, struct strings *out, struct arena *arena, struct err *e);

/* opendir(3) of a directory on a local file system. NULL: errno; EAGAIN: it is on another file system. */
DIR *lookup_open_dir(const char *path);

unsigned lookup_stuck(void); /* children past their deadline that have not ended */

#endif
