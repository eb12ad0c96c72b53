/* archive.h - tars of a snapshot's changes and of a directory of files, written and read by children (crisp-unpack).
 *
 * A checkpoint on disk consists of these. `dir` is a directory of crispd below the images' root; the files
 * rootfs-diff.tar and deleted.files in it hold what a snapshot has changed. Podman, CRI-O and checkpointctl
 * (lib/metadata.go) use the same names and formats. (ARCHITECTURE C5) */
#ifndef IMAGES_ARCHIVE_H
#define IMAGES_ARCHIVE_H

#include <stdint.h>

#include "reactor/err.h"
#include "reactor/fields.h"

struct archive; /* one job; gone once `done` ran or archive_cancel() returned */
typedef void archive_done(void *arg, const struct err *e);

/* All jobs: `done` exactly once, never inside the call, never after archive_cancel(). Strings are copied. */
void archive_cancel(struct archive *archive); /* kills the child and removes what it was making */

/* Writes rootfs-diff.tar and deleted.files of a snapshot into dir. Only while no process writes to the snapshot is the
 * result the state of one moment. RESOURCE_EXHAUSTED (the disk is full), INTERNAL, UNAVAILABLE. */
struct archive *archive_diff(const char *snapshot, const char *dir, archive_done *done, void *arg);

/* Writes all of dir as the tar `location`, mode 0600. The tar gets its name when it is whole and on the disk; after a
 * failure an older file of this name is unchanged. log: NULL, or a file that is added as container.log. Errors as
 * above. */
struct archive *archive_pack(const char *dir, const char *location, const char *log, archive_done *done, void *arg);

/* Unpacks the tar `location` (plain, gzip or zstd) into the new directory dir. INVALID_ARGUMENT (it is damaged, leads
 * out of the directory, or holds anything but files and directories), RESOURCE_EXHAUSTED (images.max_layer_bytes,
 * min_free), FAILED_PRECONDITION (it cannot be opened, or is not a file), INTERNAL, UNAVAILABLE. */
struct archive *archive_unpack(const char *location, const char *dir, archive_done *done, void *arg);

/* The same from an image that was made of an archive; layers: directory names, lowest first. Errors as above. */
struct archive *archive_take(const struct strings *layers, const char *dir, archive_done *done, void *arg);

/* The reverse of archive_diff(): dir/rootfs-diff.tar, if it exists, becomes the writable part of a snapshot that was
 * prepared and never mounted, with the paths of `deleted` removed. Errors as above. */
struct archive *archive_apply(const char *dir, const struct strings *deleted, const char *snapshot, archive_done *done,
			      void *arg);

#endif
