/* view.c - see view.h. */
#include "images/unpack/view.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <string.h>
#include <unistd.h>

#include "images/path.h"
#include "images/unpack/whiteout.h"
#include "reactor/own.h"

enum { HOPS_MAX = 40 };
enum seen { SEEN, ABSENT, HIDDEN }; /* HIDDEN: absent, and hidden in the lower layers too */


/* Looks into one layer. -1, errno. */
static int look_in(int layer, const char *path, struct stat *st)
{
	auto_fd int fd = path_open(layer, "", O_RDONLY | O_DIRECTORY);
	char name[NAME_MAX + 1];
	bool opaque = false;
	int r = fd < 0 ? -1 : fstat(fd, st);

	while (r == 0 && *path) {
		size_t n = strcspn(path, "/");
		int next;

		memcpy(name, path, n);
		name[n] = '\0';
		path += n + (path[n] == '/');
		r = fstatat(fd, name, st, AT_SYMLINK_NOFOLLOW);
		if (r < 0)
			return errno == ENOENT ? (opaque ? HIDDEN : ABSENT) : -1;
		if (whiteout_is_device(st) || (*path && !S_ISDIR(st->st_mode)))
			return HIDDEN;
		if (!*path)
			return SEEN;
		next = path_open(fd, name, O_RDONLY | O_DIRECTORY);
		if (next < 0)
			return -1;
		close(fd);
		fd = next;
		opaque = opaque || whiteout_is_opaque(fd);
	}
	return r < 0 ? -1 : SEEN;
}

int view_look(const struct view *v, const char *path, struct view_hit *hit)
{
	for (size_t i = v->n; i-- > 0;) {
		int r = look_in(v->layers[i], path, &hit->st);

		if (r == ABSENT)
			continue;
		hit->layer = i;
		strcpy(hit->path, path);
		return r < 0 ? -1 : r == SEEN;
	}
	return 0;
}

/* Puts the link's text in front of `rest`, the components that are still to be resolved. 0: that is too long. */
static int put_before(const struct view *v, const struct view_hit *hit, char at[PATH_MAX], char *rest, size_t room)
{
	char link[2 * PATH_MAX];
	const char *base;
	auto_fd int dir = path_open_dir(v->layers[hit->layer], hit->path, &base);
	ssize_t n = dir < 0 ? -1 : readlinkat(dir, base, link, PATH_MAX - 1);
	size_t left = strlen(rest);

	if (n < 0)
		return -1;
	if ((size_t)n + 1 + left >= room)
		return 0;
	link[n] = '/';
	memcpy(link + n + 1, rest, left + 1);
	strcpy(rest, link);
	if (link[0] == '/')
		*at = '\0';
	return 1;
}

int view_find(const struct view *v, const char *path, struct view_hit *hit)
{
	char at[PATH_MAX] = "", rest[2 * PATH_MAX], next[PATH_MAX], name[NAME_MAX + 1];
	int hops = 0, r = view_look(v, "", hit);

	strcpy(rest, path);
	while (r == 1 && *rest) {
		size_t n = strcspn(rest, "/"), skip = n + strspn(rest + n, "/");

		if (n > NAME_MAX)
			return 0;
		memcpy(name, rest, n);
		name[n] = '\0';
		memmove(rest, rest + skip, strlen(rest + skip) + 1);
		if (n == 0 || strcmp(name, ".") == 0)
			continue;
		if (strcmp(name, "..") == 0) {
			path_dir(at, next);
			strcpy(at, next);
			continue;
		}
		if (path_join(next, at, name) < 0)
			return 0;
		r = view_look(v, next, hit);
		if (r == 1 && *rest && S_ISLNK(hit->st.st_mode))
			r = ++hops > HOPS_MAX ? 0 : put_before(v, hit, at, rest, sizeof(rest));
		else
			strcpy(at, next);
	}
	return r == 1 ? view_look(v, at, hit) : r;
}
