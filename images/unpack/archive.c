/* archive.c - archive_write() of archive.h. Where the file system supports O_TMPFILE, the file has no name before it is
 * whole, so a kill leaves nothing. */
#include "images/unpack/archive.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "images/path.h"
#include "images/unpack/tarout.h"
#include "reactor/log.h"
#include "reactor/own.h"

/* These files come first: readers look at them before they read the large ones. */
static const char *const first[] = { "config.dump", "spec.dump", "status.dump" };

static int put_file(struct tarout *p, int fd, const char *name, struct answer *out, struct err *e)
{
	struct tar_entry n = { .type = TAR_FILE, .name = name, .link = "", .mode = 0600 };
	struct stat st;

	if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode))
		return err_set(e, ERR_INTERNAL, "%.200s: not a file", name);
	n.size = (uint64_t)st.st_size;
	n.mtime = st.st_mtim;
	out->inodes++;
	out->bytes += n.size;
	return tarout_entry(p, &n, e) < 0 ? -1 : tarout_copy(p, fd, e) < 0 ? err_wrap(e, "%.200s", name) : 0;
}

static int put_dir(struct tarout *p, const char *name, const struct stat *st, struct err *e)
{
	char path[PATH_MAX + 2];
	struct tar_entry n = { .type = TAR_DIR, .link = "", .mode = 0700, .mtime = st->st_mtim };

	snprintf(path, sizeof(path), "%s/", name);
	n.name = path;
	return tarout_entry(p, &n, e);
}

static bool is_first(const char *name)
{
	for (size_t i = 0; i < sizeof(first) / sizeof(first[0]); i++)
		if (strcmp(name, first[i]) == 0)
			return true;
	return false;
}

static int put_first(struct tarout *p, int from, struct answer *out, struct err *e)
{
	for (size_t i = 0; i < sizeof(first) / sizeof(first[0]); i++) {
		auto_fd int fd = path_open(from, first[i], O_RDONLY);

		if (fd < 0 && errno != ENOENT)
			return err_os(e, ERR_INTERNAL, "open %s", first[i]);
		if (fd >= 0 && put_file(p, fd, first[i], out, e) < 0)
			return -1;
	}
	return 0;
}

static int put_tree(struct tarout *p, int dir, const char *dir_name, struct answer *out, struct err *e);

static int put_name(struct tarout *p, int dir, const char *dir_name, const char *name, struct answer *out,
		    struct err *e)
{
	auto_fd int fd = path_open(dir, name, O_RDONLY | O_NONBLOCK);
	char path[PATH_MAX];
	struct stat st;

	if (fd < 0 || fstat(fd, &st) < 0)
		return err_os(e, ERR_INTERNAL, "open %.200s", name);
	if ((size_t)snprintf(path, sizeof(path), "%s%s%s", dir_name, *dir_name ? "/" : "", name) >= sizeof(path))
		return err_set(e, ERR_INTERNAL, "%.200s: the path is too long", path);
	if (!S_ISDIR(st.st_mode))
		return put_file(p, fd, path, out, e);
	/* Checkpoints have directories in the first level only, OCI layouts have blobs/sha256. */
	if (strchr(dir_name, '/'))
		return err_set(e, ERR_INTERNAL, "%.200s: a directory in a directory", path);
	return put_dir(p, path, &st, e) < 0 ? -1 : put_tree(p, fd, path, out, e);
}

static int put_tree(struct tarout *p, int dir, const char *dir_name, struct answer *out, struct err *e)
{
	int copy = fcntl(dir, F_DUPFD_CLOEXEC, 3);
	auto_dir DIR *list = copy < 0 ? NULL : fdopendir(copy);
	struct dirent *n;

	if (!list)
		return err_os(e, ERR_INTERNAL, "list");
	while ((errno = 0, n = readdir(list))) {
		if (strcmp(n->d_name, ".") == 0 || strcmp(n->d_name, "..") == 0 || (!*dir_name && is_first(n->d_name)))
			continue;
		if (put_name(p, dir, dir_name, n->d_name, out, e) < 0)
			return -1;
	}
	return errno ? err_os(e, ERR_INTERNAL, "list") : 0;
}

static int put_all(int tar, const char *from, const char *log, struct answer *out, struct err *e)
{
	auto_fd int dir = open(from, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	auto_fd int log_fd = log ? open(log, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC) : -1;
	struct tarout p;
	int r;

	if (dir < 0)
		return err_os(e, ERR_INTERNAL, "open %s", from);
	if (log && log_fd < 0 && errno != ENOENT) /* rotated away a moment ago */
		return err_os(e, ERR_INTERNAL, "open %s", log);
	tarout_open(&p, tar);
	r = put_first(&p, dir, out, e) < 0 || put_tree(&p, dir, "", out, e) < 0 ? -1 : 0;
	if (r == 0 && log_fd >= 0)
		r = put_file(&p, log_fd, "container.log", out, e);
	if (r == 0)
		r = tarout_end(&p, e);
	tarout_close(&p);
	return r;
}

/* ---- the file ---- */

static int place(int dir, int tar, const char *tmp, const char *base, bool named, struct err *e)
{
	char self[64];

	if (fsync(tar) < 0)
		return err_os(e, ERR_INTERNAL, "sync the archive");
	snprintf(self, sizeof(self), "/proc/self/fd/%d", tar);
	if (!named && linkat(AT_FDCWD, self, dir, tmp, AT_SYMLINK_FOLLOW) < 0)
		return err_os(e, ERR_INTERNAL, "name the archive");
	if (renameat(dir, tmp, dir, base) == 0)
		return fsync(dir) < 0 ? err_os(e, ERR_INTERNAL, "sync the archive's directory") : 0;
	err_os(e, ERR_INTERNAL, "rename the archive");
	unlinkat(dir, tmp, 0);
	return -1;
}

int archive_write(const char *from, const char *location, const char *log, struct answer *out, struct err *e)
{
	auto_free char *up = own_must(strdup(location));
	char *base = strrchr(up, '/'), tmp[NAME_MAX + 1];
	auto_fd int dir = -1, tar = -1;
	bool named = false;

	if (!base || !base[1] || strlen(base + 1) > NAME_MAX - 16)
		return err_set(e, ERR_INVALID_ARGUMENT, "location %.200s: not the path of a file", location);
	*base++ = '\0';
	dir = open(*up ? up : "/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (dir < 0)
		return err_os(e, ERR_INTERNAL, "open %.200s", up);
	snprintf(tmp, sizeof(tmp), ".%s.%d", base, (int)getpid());
	tar = openat(dir, ".", O_TMPFILE | O_WRONLY | O_CLOEXEC, 0600);
	if (tar < 0 && (errno == EOPNOTSUPP || errno == EISDIR || errno == EINVAL)) {
		named = true;
		tar = openat(dir, tmp, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	}
	if (tar < 0)
		return err_os(e, ERR_INTERNAL, "create %.200s", location);
	if (put_all(tar, from, log, out, e) == 0 && place(dir, tar, tmp, base, named, e) == 0)
		return 0;
	if (named)
		unlinkat(dir, tmp, 0);
	return err_wrap(e, "write %.200s", location);
}
