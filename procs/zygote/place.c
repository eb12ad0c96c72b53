/* place.c - see zygote.h: every look-up is openat2(2) with RESOLVE_IN_ROOT and RESOLVE_NO_MAGICLINKS. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "procs/zygote/zygote.h"
#include "reactor/fault.h"

enum { TRIES = 64, LINKS_MAX = 8 };

static int place_resolve(int root, const char *path, int flags, uint64_t resolve)
{
	struct open_how how = { .flags = (uint64_t)flags | O_CLOEXEC, .mode = flags & O_CREAT ? 0644 : 0,
				.resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS | resolve };
	int fd = -1;

	/* EAGAIN: a rename or a mount happened meanwhile (openat2(2)). */
	for (int i = 0; i < TRIES; i++) {
		fd = (int)syscall(SYS_openat2, root, path, &how, sizeof(how));
		if (fd >= 0 || errno != EAGAIN)
			break;
	}
	return fd;
}

int place_open(int root, const char *path, int flags)
{
	return place_resolve(root, path, flags, 0);
}

int place_open_plain(int root, const char *path, int flags)
{
	return place_resolve(root, path, flags, RESOLVE_NO_SYMLINKS);
}

/* Splits at the last slash: "/a/b" is "/a" and "b"; "/b" is "/" and "b". */
static int place_split(const char *path, char parent[PATH_MAX], char name[256])
{
	size_t len = strlen(path);
	const char *slash;

	while (len > 1 && path[len - 1] == '/')
		len--;
	slash = memrchr(path, '/', len);
	if (!slash || len >= PATH_MAX || len - (size_t)(slash - path) - 1 > 255 || slash == path + len - 1) {
		errno = EINVAL;
		return -1;
	}
	memcpy(parent, path, (size_t)(slash - path));
	parent[slash - path] = '\0';
	if (slash == path)
		memcpy(parent, "/", 2);
	memcpy(name, slash + 1, len - (size_t)(slash - path) - 1);
	name[len - (size_t)(slash - path) - 1] = '\0';
	return 0;
}

int place_make_parent(int root, const char *path, char name[256])
{
	char parent[PATH_MAX];

	return place_split(path, parent, name) < 0 ? -1 : place_make_dir(root, parent, 0755);
}

/* The image has a link that leads to nothing: what it leads to is made, inside of the root, as runc does. */
static int place_make_linked(int root, int parent, const char *name, const char *path, bool file)
{
	static int depth;
	char target[PATH_MAX], above[PATH_MAX], last[256], whole[2 * PATH_MAX + 1];
	ssize_t n = readlinkat(parent, name, target, sizeof(target) - 1);
	int fd;

	if (n < 0 || place_split(path, above, last) < 0 || depth == LINKS_MAX) {
		errno = n < 0 ? ENOTDIR : ELOOP;
		return -1;
	}
	target[n] = '\0';
	snprintf(whole, sizeof(whole), "%s%s%s", *target == '/' ? "" : above, *target == '/' ? "" : "/", target);
	depth++;
	fd = file ? place_make_file(root, whole) : place_make_dir(root, whole, 0755);
	depth--;
	return fd;
}

int place_make_dir(int root, const char *path, mode_t mode)
{
	char name[256];
	int fd = place_open(root, path, O_PATH | O_DIRECTORY), parent, failed;

	if (fd >= 0 || errno != ENOENT)
		return fd;
	parent = place_make_parent(root, path, name);
	if (parent < 0)
		return -1;
	failed = EFFECT(mkdirat(parent, name, mode)) < 0;
	if (failed && errno == EEXIST) {
		fd = place_make_linked(root, parent, name, path, false);
	} else if (!failed) {
		fd = openat(parent, name, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	}
	failed = errno;
	close(parent);
	errno = failed;
	return fd;
}

int place_make_file(int root, const char *path)
{
	char name[256];
	int fd = place_open(root, path, O_PATH), parent, made;

	if (fd >= 0 || errno != ENOENT)
		return fd;
	parent = place_make_parent(root, path, name);
	if (parent < 0)
		return -1;
	/* A link that leads to nothing is followed, inside of the root, as runc does. */
	made = place_open(root, path, O_CREAT | O_RDONLY | O_NONBLOCK | O_NOCTTY);
	if (made >= 0) {
		close(made);
		fd = place_open(root, path, O_PATH);
	} else if (errno == ENOENT) {
		fd = place_make_linked(root, parent, name, path, true);
	}
	made = errno;
	close(parent);
	errno = made;
	return fd;
}
