/* quiet_link.h - a symbolic link that the kernel follows from its caches alone (openat2(2), RESOLVE_CACHED).
 *
 * Its time of access is in the future, so that relatime has nothing to write when it is followed. */
#ifndef TESTS_QUIET_LINK_H
#define TESTS_QUIET_LINK_H

#include <fcntl.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

/* As symlink(2). */
static inline int quiet_link(const char *to, const char *path)
{
	struct timespec times[2] = { { .tv_sec = time(NULL) + 3600 }, { .tv_nsec = UTIME_NOW } };

	return symlink(to, path) < 0 ? -1 : utimensat(AT_FDCWD, path, times, AT_SYMLINK_NOFOLLOW);
}

#endif
