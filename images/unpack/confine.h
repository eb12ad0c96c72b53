/* confine.h - the privileges of the two halves of the program.
 *
 * The inner half reads untrusted input. It sees only one directory, through a detached mount of its own: devices on it
 * cannot be opened, setuid has no effect, and because the mount is attached nowhere, not even an open directory leads
 * above its root. It has no network (crispd asks for a new network namespace), six capabilities that act on files, and
 * some 40 system calls. It does not have CAP_SYS_ADMIN, which overlayfs's trusted.* attributes need: it reports opaque
 * directories, and the outer half, which parses only this report, marks them after the last entry. (ARCHITECTURE I7)
 * All errors are INTERNAL. */
#ifndef IMAGES_UNPACK_CONFINE_H
#define IMAGES_UNPACK_CONFINE_H

#include <stdint.h>

#include "reactor/err.h"

/* Makes the directory `path` below dir_fd the process's root, as a detached mount, and returns the root's fd. Needs
 * CAP_SYS_ADMIN and CAP_SYS_CHROOT, and dir_fd must be of a mount in this process's mount namespace. */
int confine_enter(int dir_fd, const char *path, struct err *e);

/* The last step, before the first byte is read: capabilities, limits, the system call filter (violation: SIGSYS). */
int confine_seal(uint64_t max_file_bytes, struct err *e);

/* The same for a thread that only inflates, before confine_seal(): no capability at all, 16 system calls. Both hold for
 * the calling thread only; the memory is common, so together they confine what one of them is made to do. */
int confine_thread(struct err *e);

#endif
