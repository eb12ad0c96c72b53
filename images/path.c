/* path.c - see path.h. */
#include "images/path.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "reactor/log.h"

int path_clean(const char *raw, char out[PATH_MAX], struct err *e)
{
	size_t used = 0;

	for (const char *p = raw; *p;) {
		size_t n = strcspn(p, "/");

		if (n == 2 && p[0] == '.' && p[1] == '.') {
			if (used == 0)
				return err_set(e, ERR_INVALID_ARGUMENT, "%s leads out of the layer", log_quote(raw));
			while (used > 0 && out[--used] != '/')
				continue;
		} else if (n > 0 && !(n == 1 && p[0] == '.')) {
			if (n > NAME_MAX || used + n + 2 > PATH_MAX)
				return err_set(e, ERR_INVALID_ARGUMENT, "%.200s..: the name is too long",
					       log_quote(raw));
			if (used > 0)
				out[used++] = '/';
			memcpy(out + used, p, n);
			used += n;
		}
		p += n + (p[n] == '/');
	}
	out[used] = '\0';
	return 0;
}

bool path_is_clean(const char *p)
{
	char again[PATH_MAX];
	struct err e;

	return path_clean(p, again, &e) == 0 && strcmp(p, again) == 0;
}

const char *path_base(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? slash + 1 : path;
}

void path_dir(const char *path, char out[PATH_MAX])
{
	const char *base = path_base(path);
	size_t n = base == path ? 0 : (size_t)(base - path) - 1;

	memcpy(out, path, n);
	out[n] = '\0';
}

int path_join(char out[PATH_MAX], const char *dir, const char *name)
{
	int n = snprintf(out, PATH_MAX, "%s%s%s", dir, *dir && *name ? "/" : "", name);

	if (n >= 0 && n < PATH_MAX)
		return 0;
	errno = ENAMETOOLONG;
	return -1;
}

static int open_at(int root, const char *path, int flags, uint64_t rule)
{
	struct open_how how = { .flags = (unsigned)flags | O_CLOEXEC, .resolve = rule | RESOLVE_NO_XDEV };

	return (int)syscall(SYS_openat2, root, *path ? path : ".", &how, sizeof(how));
}

int path_open(int root, const char *path, int flags)
{
	return open_at(root, path, flags | O_NOFOLLOW, RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS);
}

static const char *split(const char *path, char dir[PATH_MAX])
{
	path_dir(path, dir);
	return path_base(path);
}

int path_open_dir(int root, const char *path, const char **base)
{
	char dir[PATH_MAX];

	*base = split(path, dir);
	return path_open(root, dir, O_PATH | O_DIRECTORY);
}

int path_open_target(int root, const char *path, const char **base)
{
	char dir[PATH_MAX];

	*base = split(path, dir);
	return open_at(root, dir, O_PATH | O_DIRECTORY, RESOLVE_IN_ROOT);
}
