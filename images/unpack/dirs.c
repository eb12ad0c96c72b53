/* dirs.c - see dirs.h. */
#include "images/unpack/dirs.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <unistd.h>

#include "images/path.h"
#include "images/unpack/whiteout.h"
#include "reactor/log.h"
#include "reactor/own.h"

enum { HOPS_MAX = 40 }; /* the kernel's own MAXSYMLINKS */

struct resolve { /* of a path that openat2(2) alone cannot open: one component after the other */
	struct dirs *d;
	const struct timespec *mtime;
	int fd;
	char at[PATH_MAX]; /* canonical, where fd is */
	char rest[2 * PATH_MAX];
	int hops;
};

void dirs_open(struct dirs *d, int root, struct report *report)
{
	*d = (struct dirs){ .root = root, .report = report, .fd = -1, .arena = arena_new() };
}

void dirs_close(struct dirs *d)
{
	if (d->fd >= 0)
		close(d->fd);
	free(d->times);
	arena_free(d->arena);
}

static bool is_whiteout_at(int fd, const char *name)
{
	struct stat st;

	return fstatat(fd, name, &st, AT_SYMLINK_NOFOLLOW) == 0 && whiteout_is_device(&st);
}

/* ---- resolving component by component ---- */

static int blocked(const struct resolve *r, const char *name, struct err *e)
{
	return err_set(e, ERR_INVALID_ARGUMENT, "%s%s%s is not a directory, but there are entries inside it",
		       *r->at ? log_quote(r->at) : "", *r->at ? " / " : "", log_quote(name));
}

static int go_to(struct resolve *r, const char *path, struct err *e)
{
	if (r->fd >= 0)
		close(r->fd);
	r->fd = path_open(r->d->root, path, O_PATH | O_DIRECTORY);
	if (r->fd < 0)
		return err_os(e, ERR_INTERNAL, "open directory %s", log_quote(path));
	strcpy(r->at, path);
	return 0;
}

static int follow(struct resolve *r, const char *name, struct err *e)
{
	char link[2 * PATH_MAX];
	ssize_t n = readlinkat(r->fd, name, link, PATH_MAX - 1);
	size_t rest = strlen(r->rest);

	if (n <= 0)
		return blocked(r, name, e);
	if (++r->hops > HOPS_MAX || (size_t)n + 1 + rest >= sizeof(r->rest))
		return err_set(e, ERR_INVALID_ARGUMENT, "%s: too many symbolic links", log_quote(name));
	link[n] = '/';
	memcpy(link + n + 1, r->rest, rest + 1);
	strcpy(r->rest, link);
	return link[0] == '/' ? go_to(r, "", e) : 0;
}

/* Makes a directory that no entry named. If it replaces a whiteout it is opaque, because the whiteout hid what lower
 * layers have there. */
static int invent(struct resolve *r, const char *name, const char *path, bool was_hidden, struct err *e)
{
	if (was_hidden && unlinkat(r->fd, name, 0) < 0)
		return err_os(e, ERR_INTERNAL, "remove whiteout %s", log_quote(path));
	if (mkdirat(r->fd, name, 0755) < 0)
		return err_os(e, ERR_INTERNAL, "make directory %s", log_quote(path));
	if (was_hidden)
		report_opaque(r->d->report, path);
	else
		report_invented(r->d->report, path);
	dirs_time(r->d, path, r->mtime);
	r->d->made++;
	return 0;
}

static int descend(struct resolve *r, const char *name, struct err *e)
{
	char path[PATH_MAX];
	struct stat st;
	bool missing;

	if (path_join(path, r->at, name) < 0)
		return err_set(e, ERR_INVALID_ARGUMENT, "%.200s..: the name is too long", log_quote(path));
	for (;;) {
		int fd = openat(r->fd, name, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

		if (fd >= 0) {
			close(r->fd);
			r->fd = fd;
			strcpy(r->at, path);
			return 0;
		}
		missing = errno == ENOENT;
		if (!missing && fstatat(r->fd, name, &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISLNK(st.st_mode))
			return follow(r, name, e);
		if (!missing && !is_whiteout_at(r->fd, name))
			return blocked(r, name, e);
		if (invent(r, name, path, !missing, e) < 0)
			return -1;
	}
}

static int resolve(struct resolve *r, struct err *e)
{
	char name[PATH_MAX], up[PATH_MAX];

	if (go_to(r, "", e) < 0)
		return -1;
	while (*r->rest) {
		size_t n = strcspn(r->rest, "/"), skip = n + (r->rest[n] == '/');
		int r0 = 0;

		if (n > NAME_MAX)
			return err_set(e, ERR_INVALID_ARGUMENT, "%.200s..: the name is too long", log_quote(r->rest));
		memcpy(name, r->rest, n);
		name[n] = '\0';
		memmove(r->rest, r->rest + skip, strlen(r->rest + skip) + 1);
		if (strcmp(name, "..") == 0) {
			path_dir(r->at, up);
			r0 = go_to(r, up, e);
		} else if (n > 0 && strcmp(name, ".") != 0) {
			r0 = descend(r, name, e);
		}
		if (r0 < 0)
			return -1;
	}
	return 0;
}

/* ---- entering ---- */

static void settle(struct dirs *d, int fd, const char *asked, const char *path)
{
	struct stat st;

	if (d->fd >= 0)
		close(d->fd);
	d->fd = fd;
	strcpy(d->asked, asked);
	strcpy(d->path, path);
	d->setgid = fstat(fd, &st) < 0 || (st.st_mode & S_ISGID);
}

int dirs_enter(struct dirs *d, const char *dir, const struct timespec *mtime, struct err *e)
{
	struct resolve r = { .d = d, .mtime = mtime, .fd = -1 };
	int fd;

	if (d->fd >= 0 && strcmp(d->asked, dir) == 0)
		return 0;
	fd = path_open(d->root, dir, O_PATH | O_DIRECTORY);
	if (fd >= 0) {
		settle(d, fd, dir, dir);
		return 0;
	}
	strcpy(r.rest, dir);
	if (resolve(&r, e) < 0) {
		if (r.fd >= 0)
			close(r.fd);
		return -1;
	}
	settle(d, r.fd, dir, r.at);
	return 0;
}

void dirs_time(struct dirs *d, const char *path, const struct timespec *mtime)
{
	if (d->ntimes == d->room_times) {
		d->room_times = d->room_times ? 2 * d->room_times : 64;
		d->times = own_must(realloc(d->times, d->room_times * sizeof(*d->times)));
	}
	d->times[d->ntimes++] = (struct dir_time){ arena_strdup(d->arena, path), *mtime };
	d->text_bytes += strlen(path) + 1;
}

void dirs_finish(struct dirs *d)
{
	for (size_t i = 0; i < d->ntimes; i++) {
		struct timespec times[2] = { d->times[i].mtime, d->times[i].mtime };
		auto_fd int fd = path_open(d->root, d->times[i].path, O_RDONLY | O_DIRECTORY);

		if (fd >= 0) /* else a later entry replaced the directory */
			futimens(fd, times);
	}
}
