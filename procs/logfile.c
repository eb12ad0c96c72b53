/* logfile.c - see logfile.h. */
#include "procs/logfile.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "reactor/log.h"
#include "reactor/loop.h"
#include "reactor/metric.h"

enum { SLOW_NS = 10 * 1000000 };

static int make_parents(const char *path, struct err *e)
{
	char dir[4096];

	if (snprintf(dir, sizeof(dir), "%s", path) >= (int)sizeof(dir))
		return err_set(e, ERR_INVALID_ARGUMENT, "log path of %zu bytes", strlen(path));
	for (char *slash = strchr(dir + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
		*slash = '\0';
		if (mkdir(dir, 0755) < 0 && errno != EEXIST)
			return err_os(e, ERR_INTERNAL, "make log directory %s", dir);
		*slash = '/';
	}
	return 0;
}

int logfile_open(const char *path, struct err *e)
{
	int flags = O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOCTTY | O_NONBLOCK;
	int fd = open(path, flags, 0640);

	if (fd < 0 && errno == ENOENT) {
		if (make_parents(path, e) < 0)
			return -1;
		fd = open(path, flags, 0640);
	}
	return fd < 0 ? err_os(e, ERR_INTERNAL, "open log %s", path) : fd;
}

/* -1: fstat(2) failed. */
static int64_t logfile_size(int fd)
{
	struct stat st;

	return fstat(fd, &st) == 0 ? st.st_size : -1;
}

static void tell_slow(int64_t took_ns, size_t n)
{
	if (took_ns < SLOW_NS)
		return;
	metric_add(METRIC_log_slow_writes_total, NULL, 1);
	log_warn("log_write_slow took_ms=%lld bytes=%zu", (long long)(took_ns / 1000000), n);
}

int logfile_append(int fd, const void *p, size_t n, struct err *e)
{
	int64_t begun_ns = loop_mono_ns(), at = logfile_size(fd);
	ssize_t written = write(fd, p, n);

	tell_slow(loop_mono_ns() - begun_ns, n);
	if (written == (ssize_t)n)
		return 0;
	if (written >= 0)
		errno = ENOSPC;
	err_os(e, ERR_INTERNAL, "write %zu bytes of log", n);
	if (at >= 0 && written > 0 && ftruncate(fd, at) < 0)
		err_wrap(e, "torn line left");
	return -1;
}
