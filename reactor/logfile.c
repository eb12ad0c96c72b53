/* logfile.c - see logfile.h. */
#include "reactor/logfile.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "reactor/fault.h"
#include "reactor/log.h"
#include "reactor/loop.h"
#include "reactor/metric.h"
#include "reactor/own.h"

enum { SLOW_NS = 10 * 1000000, TRIES = 4 };

/* ---- the path ---- */

/* Copies a path without doubled slashes and without those at its end. Returns the end of the copy. */
static char *put_plain(char *to, const char *path)
{
	for (; *path; path++)
		if (*path != '/' || (path[1] != '/' && path[1] != '\0'))
			*to++ = *path;
	*to = '\0';
	return to;
}

char *logfile_join(struct arena *a, const char *dir, const char *name)
{
	char *path = arena_zalloc(a, strlen(dir) + strlen(name) + 3), *to = put_plain(path, dir);

	put_plain(stpcpy(to, "//"), name + strspn(name, "/"));
	return path;
}

char *logfile_shown(struct arena *a, const char *path)
{
	char *out = arena_zalloc(a, strlen(path) + 1);

	put_plain(out, path);
	return out;
}

int logfile_error(const char *path, struct err *e)
{
	char shown[PATH_MAX] = "";
	int error = errno;

	if (strlen(path) < sizeof(shown))
		put_plain(shown, path);
	errno = error;
	return err_os(e, ERR_INTERNAL, "open log %s", shown);
}

/* Where links are not followed any more: at the name of the log directory itself, and below it. Who may write in the
 * directory above can rename that directory too. A path without "//" is of a record that an earlier version wrote. */
const char *logfile_below(const char *path)
{
	const char *dir_end = strstr(path, "//");

	if (!dir_end)
		dir_end = strrchr(path, '/');
	while (dir_end > path && dir_end[-1] != '/')
		dir_end--;
	return dir_end + strspn(dir_end, "/");
}

/* ---- open ---- */

static int make_parents(const char *path, size_t len, struct err *e)
{
	char dir[PATH_MAX];

	if (len >= sizeof(dir))
		return err_set(e, ERR_INVALID_ARGUMENT, "log path of %zu bytes", strlen(path));
	memcpy(dir, path, len);
	dir[len] = '\0';
	for (char *slash = strchr(dir + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
		*slash = '\0';
		if (EFFECT(mkdir(dir, 0755)) < 0 && errno != EEXIST)
			return err_os(e, ERR_INTERNAL, "make log directory %s", dir);
		*slash = '/';
	}
	return 0;
}

/* The directory above `below`, which is a part of the path. */
static int open_above(const char *path, const char *below, struct err *e)
{
	char dir[PATH_MAX];
	int fd, flags = O_PATH | O_DIRECTORY | O_CLOEXEC;

	if (snprintf(dir, sizeof(dir), "%.*s", (int)(below - path), path) >= (int)sizeof(dir))
		return err_set(e, ERR_INVALID_ARGUMENT, "log path of %zu bytes", strlen(path));
	fd = open(dir, flags);
	if (fd < 0 && errno == ENOENT) {
		if (make_parents(path, (size_t)(below - path), e) < 0)
			return -1;
		fd = open(dir, flags);
	}
	return fd < 0 ? err_os(e, ERR_INTERNAL, "open log directory %s", dir) : fd;
}

static int open_below(int above, const char *name, int flags, uint64_t resolve)
{
	struct open_how how = {
		.flags = (uint64_t)(flags | O_CLOEXEC | O_NOFOLLOW),
		.mode = flags & O_CREAT ? 0640 : 0,
		.resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | resolve,
	};

	return (int)syscall(SYS_openat2, above, name, &how, sizeof(how));
}

static int make_below(int above, const char *below, uint64_t resolve)
{
	auto_fd int dir = fcntl(above, F_DUPFD_CLOEXEC, 3);
	char name[NAME_MAX + 1];

	for (const char *slash; dir >= 0 && (slash = strchr(below, '/')); below = slash + strspn(slash, "/")) {
		int next;

		if (snprintf(name, sizeof(name), "%.*s", (int)(slash - below), below) >= (int)sizeof(name)) {
			errno = ENAMETOOLONG;
			return -1;
		}
		if (EFFECT(mkdirat(dir, name, 0755)) < 0 && errno != EEXIST)
			return -1;
		next = open_below(dir, name, O_PATH | O_DIRECTORY, resolve);
		close(dir);
		dir = next;
	}
	return dir < 0 ? -1 : 0;
}

/* Opened by O_PATH first: to open a device or a FIFO has effects already (/dev/watchdog begins to count). */
static int open_existing(int above, const char *below, uint64_t resolve)
{
	auto_fd int fd = open_below(above, below, O_PATH, resolve);
	char self[40];
	struct stat st;

	if (fd < 0 || fstat(fd, &st) < 0)
		return -1;
	if (!S_ISREG(st.st_mode)) {
		errno = S_ISLNK(st.st_mode) ? ELOOP : S_ISDIR(st.st_mode) ? EISDIR : EINVAL;
		return -1;
	}
	snprintf(self, sizeof(self), "/proc/self/fd/%d", fd);
	return open(self, O_WRONLY | O_APPEND | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
}

int logfile_open_at(int above, const char *below, bool one_mount)
{
	uint64_t resolve = one_mount ? RESOLVE_NO_XDEV : 0;
	int fd = -1;

	/* Another turn when the file appears, or goes, between the two calls. */
	for (int i = 0; i < TRIES && fd < 0 && (i == 0 || errno == ENOENT || errno == EEXIST); i++) {
		fd = open_existing(above, below, resolve);
		if (fd < 0 && errno == ENOENT)
			fd = open_below(above, below, O_WRONLY | O_CREAT | O_EXCL | O_APPEND | O_NONBLOCK, resolve);
		if (fd < 0 && errno == ENOENT && make_below(above, below, resolve) < 0)
			break;
	}
	return fd;
}

int logfile_open(const char *path, struct err *e)
{
	const char *below = logfile_below(path);
	auto_fd int above = open_above(path, below, e);
	int fd = above < 0 ? -1 : logfile_open_at(above, below, false);

	return fd < 0 && above >= 0 ? logfile_error(path, e) : fd;
}

int64_t logfile_size(int fd)
{
	struct stat st;

	return fstat(fd, &st) == 0 ? st.st_size : -1;
}

static void tell_slow(int fd, int64_t took_ns, size_t n)
{
	char proc[40], path[PATH_MAX];
	int saved = errno; /* of the write */
	ssize_t len;

	if (took_ns < SLOW_NS)
		return;
	snprintf(proc, sizeof(proc), "/proc/self/fd/%d", fd); /* the link is read without the slow file system */
	len = readlink(proc, path, sizeof(path) - 1);
	path[len > 0 ? len : 0] = '\0';
	metric_add(METRIC_log_slow_writes_total, NULL, 1);
	log_warn("log_write_slow path=%s took_ms=%lld bytes=%zu", log_quote(path), (long long)(took_ns / 1000000), n);
	errno = saved;
}

/* Tried more than once: a call that was interrupted would leave a torn line, which no later write can mend. */
int logfile_cut(int fd, int64_t size)
{
	int failed = -1;

	for (int i = 0; i < TRIES && failed; i++)
		failed = EFFECT(ftruncate(fd, size));
	return failed;
}

int logfile_append(int fd, const void *p, size_t n, struct err *e)
{
	int64_t begun_ns = loop_mono_ns(), at = logfile_size(fd);
	ssize_t written = EFFECT(write(fd, p, n));

	tell_slow(fd, loop_mono_ns() - begun_ns, n);
	if (written == (ssize_t)n)
		return 0;
	if (written >= 0)
		errno = ENOSPC;
	err_os(e, ERR_INTERNAL, "write %zu bytes of log", n);
	if (at >= 0 && written > 0 && logfile_cut(fd, at) < 0)
		err_wrap(e, "torn line left");
	return -1;
}
