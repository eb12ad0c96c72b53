/* overlay.h - the overlayfs mounts of snapshots. Layer names are directories below <root>/layers, lowest first.
 *
 * Specs: Linux Documentation/filesystems/overlayfs.rst; fsopen(2), fsconfig(2), mount_setattr(2). */
#ifndef IMAGES_OVERLAY_H
#define IMAGES_OVERLAY_H

#include <stdbool.h>

#include "reactor/err.h"
#include "reactor/fields.h"

/* How overlays are mounted: by fsopen(2) with one option lowerdir+ per layer (kernel 6.5), or by mount(2), whose
 * options have to fit into one page. (ARCHITECTURE I9) */
enum overlay_way { OVERLAY_FSOPEN, OVERLAY_MOUNT };

/* Finds out by a whole mount in a scratch directory below root which way works. root is borrowed for ever.
 * FAILED_PRECONDITION names what the kernel or the file system lacks. */
int overlay_open(const char *root, struct err *e);
enum overlay_way overlay_way(void);
void overlay_force(enum overlay_way way); /* for tests of both ways */

/* upper: a directory with fs/ and work/ in it, on a file system that overlayfs takes as upper. INTERNAL.
 * userns: -1, or the fd of a user namespace, by whose mappings the owners of the layers' files are shifted: uid 0 of a
 * layer appears as the root of this namespace. upper/fs gets the shifted owner of the topmost layer; files written
 * there have the host's ids.
 * label: a SELinux context, which every file in it has while it is mounted (mount(8), "context="); "": none. */
int overlay_mount(const struct strings *layers, const char *upper, int userns, const char *label, const char *target,
		  struct err *e);

/* Without an upper part: a read-only bind mount of one layer, or a read-only overlay of several. With a label one layer
 * becomes an overlay too, because the option context= belongs to a whole file system. INTERNAL. (ARCHITECTURE I12) */
int overlay_mount_readonly(const struct strings *layers, int userns, const char *label, const char *target,
			   struct err *e);

/* Tries with a whole mount, as overlay_open() does, whether owners can be shifted by this user namespace. INTERNAL
 * names what does not work. */
int overlay_probe_userns(int userns, struct err *e);

#endif
