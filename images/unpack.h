/* unpack.h - crispd's end of crisp-unpack, the worker for files: every job on files that could block the loop.
 *
 * The jobs: unpacking, merging and verifying layers, copying the content of VOLUMEs, removing, measuring and labelling
 * trees, syncfs(2), fsync(2) of records;
 * archive.h has the tars of checkpoints. Each job is one child process. To unpack a layer, its compressed bytes are fed
 * into a pipe as they arrive; a confined child checks both digests while it inflates and untars into
 * <root>/ingest/<name>, and crispd renames the result to <root>/layers/<name>. No other program of crisp parses tar,
 * gzip or zstd.
 * Specs: OCI image-spec layer.md (media types, whiteouts), descriptor.md (digest, size), config.md (diff_id).
 *
 * A tar is self-contained when it names every directory above its entries and the target of every hard link. A layer
 * whose tar is not takes the missing parts from the layers below it, so its directory fits only above those parents.
 * (ARCHITECTURE I5) */
#ifndef IMAGES_UNPACK_H
#define IMAGES_UNPACK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "reactor/err.h"

enum { UNPACK_NAME_SIZE = 21 }; /* a layer directory's name with its NUL */

/* Call once, before anything else here and after images_configure(). The half unpacked layers that an earlier crispd
 * left are renamed away at once and removed in a child. */
void unpack_open(void);

/* A new name for a layer directory. It begins with 8 digits of the digest, so that a reader of the disk finds it. */
void unpack_new_name(const char *digest, char out[UNPACK_NAME_SIZE]);

struct unpack_spec {
	const char *digest;         /* of the compressed blob; verified */
	const char *diff_id;        /* of the plain tar; verified */
	const char *file;           /* NULL, or: the blob is no tar, but this file, the only one of the layer; the
				       diff_id is a name that the caller gives it */
	uint64_t size_bytes;        /* compressed; verified */
	const char *const *parents; /* directory names below <root>/layers, all in place, lowest first, NULL-terminated
				       (none at all: the lowest layer); or NULL while they are not known */
	int blob_fd;                /* >= 0: a file with the blob's first bytes, which the child reads before those that
				       are fed; -1: none. It may grow meanwhile */
	uint64_t blob_bytes;        /* how many of the blob's first bytes that file has now */
	bool grows;                 /* unpack_grown() tells how many more bytes it has got, until the first feed */
};

struct unpack_result {
	const char *dir;     /* name below <root>/layers, at most 20 bytes; valid for the call */
	uint64_t bytes;      /* disk space, files rounded up to 4 KiB */
	uint64_t inodes;
	bool self_contained; /* the directory fits above any parents: it is found by its diff_id */
	const char *sum;     /* of a finished layer, as unpack_sum() gives it */
	bool finished;       /* false: not usable yet; unpack_merge_start() makes a directory for given parents from it.
				true and not self_contained: it fits above spec.parents only, and is found by its
				chain_id */
};

struct unpack; /* opaque; gone once `done` ran or unpack_cancel() returned */

/* Errors:
 *   DATA_LOSS          digest, diff_id or size does not match, or the stream ends early
 *   INVALID_ARGUMENT   a hostile or damaged layer, a media type that is unknown or not what the bytes are
 *   RESOURCE_EXHAUSTED max_layer_bytes, min_free, or a flood of inodes or device nodes
 *   UNAVAILABLE        no keeper
 *   INTERNAL           an error of the disk, or the child died
 * All name the cause and, where there is one, the entry. r is NULL with an error; nothing is left on disk then. */
typedef void unpack_done(void *arg, const struct err *e, const struct unpack_result *r);

/* All of spec is copied; blob_fd is borrowed for the call. `done` may run before all bytes are fed: then no more bytes
 * are needed. */
struct unpack *unpack_start(const struct unpack_spec *spec, unpack_done *done, void *arg);

/* The next n bytes of the blob. true: all taken; false: none taken, wait for unpack_on_space(). */
bool unpack_feed(struct unpack *unpack, const void *p, size_t n);

/* fn runs once, never inside this call, when unpack_feed() would take bytes again. fn NULL takes the request back. */
void unpack_on_space(struct unpack *unpack, void (*fn)(void *arg), void *arg);

/* With spec.grows: the file has the blob's first `bytes` bytes. No effect after the first unpack_feed(). */
void unpack_grown(struct unpack *unpack, uint64_t bytes);

void unpack_finish(struct unpack *unpack); /* the blob is complete; no unpack_feed() after this call */
void unpack_cancel(struct unpack *unpack); /* kills the child and removes what it wrote; `done` never runs */

/* The one-shot jobs. `done` exactly once, never inside the call, never after unpack_task_cancel(). */
struct unpack_task;
void unpack_task_cancel(struct unpack_task *task);

/* Makes layers/<name>, finished for these parents, from the unfinished layers/<dir>, which stays as it is (files are
 * shared by hard links) for other parents and may be removed at any time after `done`. Errors as above:
 * INVALID_ARGUMENT when a hard link's target is in no parent either. */
struct unpack_task *unpack_merge_start(const char *dir, const char *const *parents, const char *name, unpack_done *done,
				       void *arg);

/* What one or two trees use: disk blocks and inodes, each inode counted once. Other mounts are not entered. path2 NULL:
 * none. INTERNAL. */
typedef void unpack_usage_done(void *arg, const struct err *e, uint64_t bytes, uint64_t inodes);
struct unpack_task *unpack_usage(const char *path, const char *path2, unpack_usage_done *done, void *arg);

/* Copies directories of an image, merged from its layers: what its VOLUMEs hold when a container is made. Path i
 * becomes the directory <i> of `dir`. The caller may rename `dir` in the call of `done`, after which it is removed.
 * INVALID_ARGUMENT: a path that leads out of the image, or is a file there; RESOURCE_EXHAUSTED: over max_layer_bytes,
 * less than min_free; UNAVAILABLE; INTERNAL. */
struct unpack_volumes_spec {
	const char *const *layers, *const *paths; /* lowest first; both NULL-terminated, 1000 paths at most */
	const char *uids, *gids; /* lines as in /proc/<pid>/uid_map by which owners are shifted; "": none */
};
typedef void unpack_volumes_done(void *arg, const struct err *e, const char *dir);
struct unpack_task *unpack_volumes(const struct unpack_volumes_spec *spec, unpack_volumes_done *done, void *arg);

/* The sum of layers/<dir>, read from the disk by a child of the lowest priority: the one that its unpack_result had, if
 * nothing has changed it. DATA_LOSS: a file of it cannot be read; UNAVAILABLE; INTERNAL. */
typedef void unpack_sum_done(void *arg, const struct err *e, const char *sum);
struct unpack_task *unpack_sum(const char *dir, unpack_sum_done *done, void *arg);

/* syncfs(2) of root: afterwards the layers that were renamed into layers/ before the call are on the disk. */
typedef void unpack_sync_done(void *arg, const struct err *e);
struct unpack_task *unpack_sync(unpack_sync_done *done, void *arg);

/* fsync(2) of these files (absolute paths, NULL-terminated; a missing file is success), then of their directories. */
struct unpack_task *unpack_sync_files(const char *const *paths, unpack_sync_done *done, void *arg);

/* The trees at these real paths, NULL-terminated, get the SELinux label. INTERNAL names the first file that could not
 * get it. */
struct unpack_task *unpack_label(const char *label, const char *const *paths, unpack_sync_done *done, void *arg);

/* Removes a tree of any depth, which the caller has renamed away. Links are not followed, other mounts not entered.
 * Many calls share one child. Files that cannot be removed (a mount inside) are logged; a missing path is success. */
void unpack_remove_tree(const char *path);

#endif
