/* snapshot.h - a container's root file system: an image's layers below, a writable directory on top, overlayfs
 * between.
 *
 * <root>/snapshots/<id>/{fs,work} is the upper part; mounted at a path the caller names, in our mount namespace.
 * Overlay options: fsopen with lowerdir+ where the kernel takes it (6.5), else mount(2) with paths relative to the
 * layers directory; which one is probed once by a whole mount at start-up. Mounted `volatile`: nothing of it is
 * needed after a power cut. While a snapshot exists its layers stay, whatever happens to the image. */
#ifndef IMAGES_SNAPSHOT_H
#define IMAGES_SNAPSHOT_H

#include <stdbool.h>
#include <stdint.h>

#include "reactor/arena.h"
#include "reactor/err.h"
#include "reactor/fields.h"

/* Probes overlay below `root`. FAILED_PRECONDITION names what the kernel or file system lacks. Also re-reads the
 * snapshots that exist. */
int snapshot_open(const char *root, struct err *e);
bool snapshot_is_open(void);

/* id is [0-9a-zA-Z_-]+, new. Makes the directories and its record; borrows nothing afterwards. */
int snapshot_prepare(const char *id, const struct strings *layers, struct err *e);
bool snapshot_exists(const char *id);

/* target exists and is a directory. Mounting twice is an error; unmounting what is not mounted is fine.
 * userns: -1, or the fd of the user namespace that it is mounted for: its root owns what root owns in the image.
 * label: the SELinux context of every file in it; "": as they are. */
int snapshot_mount(const char *id, int userns, const char *label, const char *target, struct err *e);
int snapshot_unmount(const char *target, struct err *e); /* MNT_DETACH */

/* A read-only view of an image's layers (an image volume): one bind or overlay without an upper part. */
int snapshot_mount_readonly(const struct strings *layers, int userns, const char *label, const char *target,
			    struct err *e);

/* Is all of this possible for user namespaces? A whole mount. INTERNAL names what kernel or file system lack. */
int snapshot_probe_userns(int userns, struct err *e);

/* Renames it away at once and removes the tree in a child; unknown is fine. The snapshot must not be mounted. */
void snapshot_remove(const char *id);

/* Its writable part as a directory, and the layers below it as a NULL-terminated list, lowest first (NULL: no such
 * snapshot); both in the arena. */
const char *snapshot_upper(const char *id, struct arena *a);
const char *const *snapshot_layers(const char *id, struct arena *a);

/* `fs`, a directory of the same file system, becomes the writable part of a prepared one that was never mounted.
 * INTERNAL. */
int snapshot_replace(const char *id, const char *fs, struct err *e);

void snapshot_each(void (*fn)(void *arg, const char *id), void *arg);
bool snapshot_uses_layer(const char *layer); /* some snapshot does: gc must leave it */
void snapshot_each_layers(void (*fn)(void *arg, const struct strings *layers), void *arg);

/* Bytes and inodes of the upper part, as measured by a child at most 10 s ago or 0 when never. Asks for a new
 * measure.
 * */
void snapshot_usage(const char *id, uint64_t *bytes, uint64_t *inodes, int64_t *at_ns);

#endif
