/* hide.c - see hide.h.
 *
 * In the child's mount namespace the mount is made private and covered by a tmpfs. It is not unmounted: an unmount
 * propagates through the parent mount, which is shared on most hosts and has to stay shared. A mount on top propagates
 * through the mount below it, which is the private one. Every other mount keeps its peers, so that the runtime's own
 * rshared and rslave binds work as in the host's namespace. mount_namespaces(7);
 * Documentation/filesystems/sharedsubtree.rst, 5d and 5e. (ARCHITECTURE X11) */
#include "procs/keeper/hide.h"

#include <sched.h>
#include <stddef.h>
#include <sys/mount.h>

int hide_mount(const char *path, const char **step)
{
	*step = "unshare";
	if (unshare(CLONE_NEWNS) < 0)
		return -1;
	*step = "make private";
	if (mount(NULL, path, NULL, MS_PRIVATE, NULL) < 0)
		return -1;
	*step = "cover";
	return mount("none", path, "tmpfs", MS_NOSUID | MS_NODEV | MS_NOEXEC, "mode=755,size=1m");
}
