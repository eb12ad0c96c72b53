/* snapshot.h - a container's root file system: an overlay of the image's layers and a writable directory.
 *
 * The writable part is <root>/snapshots/<id>/{fs,work}. The overlay is mounted at a path of the caller, in crispd's
 * mount namespace, with the option `volatile`: nothing of it is needed after a power cut. overlay.h says how it is
 * mounted. While a snapshot exists its layers are not removed, even if the image is. */
#ifndef IMAGES_SNAPSHOT_H
#define IMAGES_SNAPSHOT_H

#include <stdbool.h>
#include <stdint.h>

#include "reactor/arena.h"
#include "reactor/err.h"
#include "reactor/fields.h"

/* Probes overlayfs below `root` by a whole mount, then reads the records of the snapshots. FAILED_PRECONDITION names
 * what the kernel or the file system lacks. */
int snapshot_open(const char *root, struct err *e);
bool snapshot_is_open(void);
bool snapshot_any_lost(void); /* a snapshot is there whose record could not be read: its layers are not known */

/* Makes the directories and the record; both arguments are copied. INVALID_ARGUMENT: id is not [0-9a-zA-Z_-]{1,128};
 * ALREADY_EXISTS; INTERNAL. */
int snapshot_prepare(const char *id, const struct strings *layers, struct err *e);
bool snapshot_exists(const char *id);

/* target is an existing directory. A second mount at it is an error; to unmount a target that is not mounted is
 * success.
 * userns: -1, or the fd of the user namespace that it is mounted for: this namespace's root owns the files that root
 * owns in the image.
 * label: the SELinux context that every file in it gets; "": the files keep their own. */
int snapshot_mount(const char *id, int userns, const char *label, const char *target, struct err *e);
int snapshot_unmount(const char *target, struct err *e); /* MNT_DETACH, all that is mounted upon it; INTERNAL */

/* A read-only view of an image's layers (an image volume): one bind or overlay without an upper part. */
int snapshot_mount_readonly(const struct strings *layers, int userns, const char *label, const char *target,
			    struct err *e);

/* Tries with a whole mount whether snapshots can be mounted for a user namespace. INTERNAL names what the kernel or the
 * file system lacks. */
int snapshot_probe_userns(int userns, struct err *e);

/* Renames its directory away at once; a child removes the tree. An unknown id is success. The snapshot must not be
 * mounted. INTERNAL: it is still there. */
int snapshot_remove(const char *id, struct err *e);

/* The path of its writable part; and its layers as a NULL-terminated list, lowest first (NULL: no such snapshot). Both
 * live in the arena. */
const char *snapshot_upper(const char *id, struct arena *arena);
const char *const *snapshot_layers(const char *id, struct arena *arena);

/* `fs`, a directory of the same file system, becomes the writable part of a snapshot that was prepared and never
 * mounted. INTERNAL. */
int snapshot_replace(const char *id, const char *fs, struct err *e);

/* `dir` of the same file system, whose directory <i> is the image's VOLUME i, becomes a part of the snapshot: it counts
 * in snapshot_usage() and is removed with it. Once for a snapshot that was prepared. INTERNAL. */
int snapshot_take_volumes(const char *id, const char *dir, struct err *e);
const char *snapshot_volume(const char *id, size_t nth, struct arena *arena); /* the path of VOLUME nth */

/* These layers stay as long as the snapshot, as its own do: an image volume of its container is about to show them.
 * INTERNAL. (ARCHITECTURE I65) */
int snapshot_borrow(const char *id, const struct strings *layers, struct err *e);

void snapshot_each(void (*fn)(void *arg, const char *id), void *arg);
void snapshot_each_layers(void (*fn)(void *arg, const struct strings *layers), void *arg);

/* Bytes and inodes of the writable part as a child measured them last, and when (CLOCK_REALTIME); 0: not measured yet.
 * Asks for a new measurement if the last one was begun more than 10 s ago. */
void snapshot_usage(const char *id, uint64_t *bytes, uint64_t *inodes, int64_t *at_ns);

#endif
