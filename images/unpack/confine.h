/* confine.h - what the halves of the program may do.
 *
 * The inner half reads what strangers wrote. It sees one directory, through a mount of its own that nothing else has:
 * devices on it cannot be opened, nothing runs setuid, and as the mount hangs in no tree not even an open directory
 * leads above it. No network (the daemon asks for a new namespace), six capabilities that act on files, 40-odd system
 * calls. CAP_SYS_ADMIN, which overlayfs's trusted.* marks need, is not among them: the inner half reports opaque
 * directories, and the outer one, which parses nothing but that report, sets them when the stream is over. */
#ifndef IMAGES_UNPACK_CONFINE_H
#define IMAGES_UNPACK_CONFINE_H

#include <stdint.h>

#include "reactor/err.h"

/* Only these capabilities (-1 ends the list) from now on; no new privileges. All errors here are INTERNAL. */
int confine_capabilities(const int *keep, struct err *e);

/* Into `path` below dir_fd, a directory, as the root of a detached mount. The root's fd. Needs CAP_SYS_ADMIN and
 * CAP_SYS_CHROOT, and the directory's mount in our mount namespace. */
int confine_enter(int dir_fd, const char *path, struct err *e);

/* The last step, before the first byte is read: capabilities, limits, the system call filter (violation: SIGSYS). */
int confine_seal(uint64_t max_file_bytes, struct err *e);

#endif
