/* archive.h - a snapshot's changes and a directory of files as tars, and back again; by children (crisp-unpack).
 *
 * What a checkpoint on disk is made of: DIR is a directory of ours, below the images' root; in it rootfs-diff.tar and
 * deleted.files say what a snapshot has changed, as Podman, CRI-O and checkpointctl (lib/metadata.go) name and read
 * them. */
#ifndef IMAGES_ARCHIVE_H
#define IMAGES_ARCHIVE_H

#include <stdint.h>

#include "reactor/err.h"
#include "reactor/fields.h"

struct archive; /* one job; gone once `done` ran or archive_cancel() returned */
typedef void archive_done(void *arg, const struct err *e);

/* All: `done` exactly once, never inside the call, never after archive_cancel(). Strings are copied. */
void archive_cancel(struct archive *a); /* the child is killed; what it was making goes */

/* Into dir: rootfs-diff.tar and deleted.files of a snapshot. For the right moment nobody should be writing to it.
 * RESOURCE_EXHAUSTED (the disk is full), INTERNAL, UNAVAILABLE. */
struct archive *archive_diff(const char *snapshot, const char *dir, archive_done *done, void *arg);

/* All of dir as the tar `location`, mode 0600: there at once and on the disk, or not at all, and then what had the
 * name before is untouched. log: NULL, or a file that is added as container.log. Errors as above. */
struct archive *archive_pack(const char *dir, const char *location, const char *log, archive_done *done, void *arg);

/* The tar `location` becomes the new directory dir; plain, gzip or zstd. INVALID_ARGUMENT (damaged, leads out of the
 * directory, holds something else than files and directories), RESOURCE_EXHAUSTED (images.max_layer_bytes, min_free),
 * FAILED_PRECONDITION (it cannot be opened, is no file), INTERNAL, UNAVAILABLE. */
struct archive *archive_unpack(const char *location, const char *dir, archive_done *done, void *arg);

/* The same from an image that was made of an archive; layers: directory names, lowest first. Errors as above. */
struct archive *archive_take(const struct strings *layers, const char *dir, archive_done *done, void *arg);

/* The other way round: dir/rootfs-diff.tar, if there is one, becomes the writable part of a prepared snapshot that
 * was never mounted, and the paths of `deleted` disappear from it. Errors as above. */
struct archive *archive_apply(const char *dir, const struct strings *deleted, const char *snapshot, archive_done *done,
			      void *arg);

#endif
