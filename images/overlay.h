/* overlay.h - the mounts behind snapshots. Layer names are directories below <root>/layers, lowest first.
 *
 * Specs: Linux Documentation/filesystems/overlayfs.rst; fsopen(2), fsconfig(2), mount_setattr(2). */
#ifndef IMAGES_OVERLAY_H
#define IMAGES_OVERLAY_H

#include <stdbool.h>

#include "reactor/err.h"
#include "reactor/fields.h"

/* How overlays are mounted: by fsopen with one lowerdir+ a layer (kernel 6.5), or by mount(2), whose options end at one
 * page. */
enum overlay_way { OVERLAY_FSOPEN, OVERLAY_MOUNT };

/* Finds the way by a whole mount in a scratch directory below root, which is borrowed for ever. FAILED_PRECONDITION
 * names what the kernel or the file system lacks. */
int overlay_open(const char *root, struct err *e);
enum overlay_way overlay_way(void);
void overlay_force(enum overlay_way way); /* for tests of both ways */

/* upper: a directory with fs/ and work/ in it, on a file system that overlayfs takes as upper. INTERNAL.
 * userns: -1, or the fd of a user namespace, by whose mappings the owners of the layers' files are shifted: 0 in the
 * layer is that one's root. upper/fs gets the shifted owner of the topmost layer; what is written there has the host's
 * ids.
 * label: a SELinux context, which every file in it has while it is mounted (mount(8), "context="); "": none. */
int overlay_mount(const struct strings *layers, const char *upper, int userns, const char *label, const char *target,
		  struct err *e);

/* Without an upper part: a read-only bind of one layer, or a read-only overlay of several. With a label one layer is an
 * overlay too, since a context belongs to a whole file system. INTERNAL. */
int overlay_mount_readonly(const struct strings *layers, int userns, const char *label, const char *target,
			   struct err *e);

/* Can layers be shifted by this user namespace? A whole mount, as at overlay_open(). INTERNAL names what is in the
 * way. */
int overlay_probe_userns(int userns, struct err *e);

#endif
