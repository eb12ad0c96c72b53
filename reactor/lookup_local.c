/* lookup_local.c - see lookup_local.h. (ARCHITECTURE P40) */
#include "reactor/lookup_local.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "reactor/logfile.h"
#include "reactor/own.h"

enum { LOCAL_MAX = 32, TRIES = 16 };

static dev_t local[LOCAL_MAX];
static size_t n_local;

/* File systems that are in memory or on the node's own disks. NFS, FUSE, 9p and the like are not in it. */
static bool fs_is_local(long type)
{
	static const unsigned types[] = {
		0xef53,	    /* ext4 */
		0x58465342, /* xfs */
		0x9123683e, /* btrfs */
		0x01021994, /* tmpfs, devtmpfs */
		0x858458f6, /* ramfs */
		0x794c7630, /* overlayfs */
		0xf2f52010, /* f2fs */
		0x2fc12fc1, /* zfs */
		0x73717368, /* squashfs */
		0xe0f5e1e2, /* erofs */
		0x9fa0,	    /* proc */
		0x62656572, /* sysfs */
	};

	for (size_t i = 0; i < sizeof(types) / sizeof(*types); i++)
		if ((unsigned)type == types[i])
			return true;
	return false;
}

bool lookup_fs_is_local(int fd)
{
	struct statfs fs;

	return fstatfs(fd, &fs) == 0 && fs_is_local(fs.f_type);
}

static void local_add(const char *dir)
{
	struct statfs fs;
	struct stat st;

	if (n_local < LOCAL_MAX && statfs(dir, &fs) == 0 && fs_is_local(fs.f_type) && stat(dir, &st) == 0)
		local[n_local++] = st.st_dev;
}

void lookup_learn(dev_t device)
{
	for (size_t i = 0; i < n_local; i++)
		if (local[i] == device)
			return;
	if (n_local < LOCAL_MAX && major(device))
		local[n_local++] = device;
}

/* The daemon's own files are on these file systems: when one of them hangs, the daemon hangs anyway. */
void lookup_local_open(const char *const *more)
{
	static const char *const usual[] = {
		"/", "/dev", "/etc", "/proc", "/run", "/sys", "/tmp", "/usr",
		"/var", "/var/lib", "/var/log",
	};

	n_local = 0;
	for (size_t i = 0; i < sizeof(usual) / sizeof(*usual); i++)
		local_add(usual[i]);
	for (; *more; more++)
		local_add(*more);
}

static bool is_local(int fd)
{
	struct statx st;

	if (!n_local)
		lookup_local_open((const char *const[]){ NULL });
	if (statx(fd, "", AT_EMPTY_PATH | AT_STATX_DONT_SYNC, STATX_TYPE, &st) < 0)
		return false;
	for (size_t i = 0; i < n_local; i++)
		if (local[i] == makedev(st.stx_dev_major, st.stx_dev_minor))
			return true;
	return false;
}

/* A mount or a rename anywhere on the machine meanwhile is EAGAIN too: then the next try goes well. A symbolic link
 * whose time of access is due for an update (relatime: once a day) is EAGAIN until the child has followed it. */
static int open_how(int dir, const char *path, uint64_t flags, uint64_t mode, uint64_t resolve)
{
	struct open_how how = { .flags = flags | O_CLOEXEC, .mode = mode, .resolve = resolve };
	int fd = -1;

	for (int i = 0; i < TRIES && fd < 0 && (i == 0 || errno == EAGAIN); i++)
		fd = (int)syscall(SYS_openat2, dir, path, &how, sizeof(how));
	return fd;
}

/* Below dir, which is on a local file system: through no link and no mount, which could lead to another one. EAGAIN:
 * that is not possible. */
static int open_local(int dir, const char *path, uint64_t flags, uint64_t mode)
{
	int fd = open_how(dir, path, flags, mode, RESOLVE_NO_XDEV | RESOLVE_NO_SYMLINKS | RESOLVE_BENEATH);

	if (fd < 0 && (errno == ELOOP || errno == EXDEV))
		errno = EAGAIN;
	return fd;
}

/* Takes dir. */
static int make_local(int dir, const char *path)
{
	auto_fd int at = dir;

	while (*path) {
		size_t len = strcspn(path, "/");
		auto_free char *name = own_must(strndup(path, len));
		int below;

		path += len + strspn(path + len, "/");
		if (mkdirat(at, name, 0755) < 0 && errno != EEXIST)
			return -1;
		below = open_local(at, name, O_PATH, 0);
		if (below < 0)
			return -1;
		close(at);
		at = below;
	}
	return take_fd(&at);
}

/* An O_PATH fd of the deepest directory above path that the caches have; *rest: what is below it. */
static int open_deepest(const char *path, const char **rest)
{
	auto_free char *dir = own_must(strdup(path));
	int at = -1;

	for (char *slash; at < 0 && (slash = strrchr(dir, '/')) && dir[1] && (errno == EAGAIN || errno == ENOENT);) {
		while (slash > dir && slash[-1] == '/')
			slash--;
		slash[slash == dir] = '\0';
		at = open_how(AT_FDCWD, dir, O_PATH, 0, RESOLVE_CACHED);
	}
	*rest = path + strlen(dir);
	*rest += strspn(*rest, "/");
	return at;
}

/* An O_PATH fd; -1: errno, EAGAIN: only a child can tell. */
static int open_path(const char *path, bool make)
{
	int fd = open_how(AT_FDCWD, path, O_PATH, 0, RESOLVE_CACHED);
	auto_fd int at = -1;
	const char *rest;

	if (fd >= 0 || (errno != EAGAIN && (errno != ENOENT || !make)))
		return fd;
	at = open_deepest(path, &rest);
	if (at < 0)
		return -1;
	if (!is_local(at)) {
		errno = EAGAIN;
		return -1;
	}
	fd = open_local(at, *rest ? rest : ".", O_PATH, 0);
	return fd < 0 && errno == ENOENT && make ? make_local(take_fd(&at), rest) : fd;
}

/* A regular file only: open(2) of a device may wait. */
static int open_text(const char *path)
{
	auto_fd int fd = open_path(path, false);
	char self[40];
	struct statx st;

	if (fd < 0)
		return -1;
	if (statx(fd, "", AT_EMPTY_PATH | AT_STATX_DONT_SYNC, STATX_TYPE, &st) < 0)
		return -1;
	if (!S_ISREG(st.stx_mode))
		return take_fd(&fd);
	if (!is_local(fd)) {
		errno = EAGAIN;
		return -1;
	}
	snprintf(self, sizeof(self), "/proc/self/fd/%d", fd);
	return open(self, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
}

static int open_dir(const char *path)
{
	auto_fd int fd = open_path(path, false);

	if (fd < 0)
		return -1;
	if (!is_local(fd)) {
		errno = EAGAIN;
		return -1;
	}
	return openat(fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

/* Below the log directory no link is followed (logfile.h), and no mount is entered: that is left to the child. */
static int open_log(const char *path)
{
	const char *below = logfile_below(path);
	size_t n = (size_t)(below - path);
	auto_free char *dir = own_must(strndup(path, n > 1 ? n - 1 : n));
	auto_fd int at = open_path(dir, true);
	int fd = -1;

	if (at >= 0 && is_local(at))
		fd = logfile_open_at(at, below, true);
	else if (at >= 0)
		errno = EAGAIN;
	if (fd < 0 && errno == EXDEV)
		errno = EAGAIN;
	return fd;
}

static int open_kind(enum lookup_kind kind, const char *path)
{
	switch (kind) {
	case LOOKUP_PLACE:
	case LOOKUP_MOUNT:
		return open_path(path, true);
	case LOOKUP_NODE:
		return open_path(path, false);
	case LOOKUP_TEXT:
		return open_text(path);
	case LOOKUP_LOG:
		return open_log(path);
	case LOOKUP_DIR:
		return open_dir(path);
	}
	errno = EINVAL;
	return -1;
}

bool lookup_local(struct arena *a, enum lookup_kind kind, const char *path, struct looked *out)
{
	auto_fd int fd = open_kind(kind, path);
	char self[40], real[PATH_MAX];
	struct statx st;
	ssize_t n;

	*out = (struct looked){ .fd = -1 };
	snprintf(self, sizeof(self), "/proc/self/fd/%d", fd);
	if (fd < 0 ||
	    statx(fd, "", AT_EMPTY_PATH | AT_STATX_DONT_SYNC, STATX_BASIC_STATS | STATX_MNT_ID, &st) < 0 ||
	    (n = readlink(self, real, sizeof(real) - 1)) < 0) {
		out->error = errno;
		return errno != EAGAIN;
	}
	*out = (struct looked){
		.real = arena_strndup(a, real, (size_t)n), .mode = st.stx_mode,
		.rdev = makedev(st.stx_rdev_major, st.stx_rdev_minor), .uid = st.stx_uid, .gid = st.stx_gid,
		.mount_id = st.stx_mnt_id, .dev = makedev(st.stx_dev_major, st.stx_dev_minor), .ino = st.stx_ino,
		.size_bytes = st.stx_size, .mtime_ns = st.stx_mtime.tv_sec * INT64_C(1000000000) + st.stx_mtime.tv_nsec,
		.local = is_local(fd), .fd = lookup_gives_fd(kind, st.stx_mode) ? take_fd(&fd) : -1,
	};
	return true;
}

/* An fd of what is no regular file could be on any file system: nobody would need it. */
bool lookup_gives_fd(enum lookup_kind kind, mode_t mode)
{
	return kind != LOOKUP_PLACE && kind != LOOKUP_NODE && (kind != LOOKUP_TEXT || S_ISREG(mode));
}

/* ---- directories ---- */

int lookup_list(int dir, struct buf *out)
{
	int copy = fcntl(dir, F_DUPFD_CLOEXEC, 3);
	auto_dir DIR *d = copy < 0 ? NULL : fdopendir(copy);
	struct dirent *entry;
	size_t n = 0;

	if (!d) {
		if (copy >= 0)
			close(copy);
		return -1;
	}
	rewinddir(d); /* the copy shares its position with dir */
	for (errno = 0; n <= LOOKUP_NAMES_MAX && (entry = readdir(d)); errno = 0) {
		if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
			continue;
		buf_puts(out, entry->d_name);
		buf_append(out, entry->d_type == DT_DIR ? "/" : "", entry->d_type == DT_DIR ? 2 : 1);
		n++;
	}
	return errno ? -1 : 0;
}

static int by_bytes(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* What the child sent is a list already, in a file in memory. */
static int read_list(int fd, struct buf *out)
{
	ssize_t n;

	if (lseek(fd, 0, SEEK_SET) < 0)
		return -1;
	while ((n = buf_read(out, fd, 65536)) > 0)
		continue;
	return (int)n;
}

int lookup_names(const struct looked *f, const char *path, struct strings *out, struct arena *a, struct err *e)
{
	struct buf list = { 0 };
	char *text;
	const char *at;
	size_t n = 0;

	if ((f->local ? lookup_list(f->fd, &list) : read_list(f->fd, &list)) < 0) {
		buf_free(&list);
		return err_os(e, ERR_FAILED_PRECONDITION, "%s", path);
	}
	text = arena_zalloc(a, list.len + 1);
	if (list.len)
		memcpy(text, list.at, list.len);
	for (at = text; at < text + list.len; at += strlen(at) + 1)
		n++;
	*out = (struct strings){ arena_zalloc(a, (n + 1) * sizeof(*out->at)), 0 };
	for (at = text; at < text + list.len; at += strlen(at) + 1)
		out->at[out->n++] = at;
	buf_free(&list);
	if (n > LOOKUP_NAMES_MAX)
		return err_set(e, ERR_FAILED_PRECONDITION, "%s: more than %d files are in it", path, LOOKUP_NAMES_MAX);
	qsort(out->at, out->n, sizeof(*out->at), by_bytes);
	return 0;
}

DIR *lookup_open_dir(const char *path)
{
	auto_fd int dir = open_dir(path);
	DIR *d = dir < 0 ? NULL : fdopendir(dir);

	if (d)
		dir = -1;
	return d;
}
