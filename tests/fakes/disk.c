/* disk.c - see disk.h. */
#include "tests/fakes/disk.h"

#include <errno.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static char word[256];
static int error;
static size_t given;
static bool once;

ssize_t __real_read(int fd, void *p, size_t n);
ssize_t __wrap_read(int fd, void *p, size_t n);
ssize_t __real_pread(int fd, void *p, size_t n, off_t at);
ssize_t __wrap_pread(int fd, void *p, size_t n, off_t at);
int __real_lstat(const char *path, struct stat *st);
int __wrap_lstat(const char *path, struct stat *st);

void disk_fails(const char *w, int with, size_t behind)
{
	snprintf(word, sizeof(word), "%s", w);
	error = with;
	given = behind;
	once = false;
}

void disk_interrupts(const char *w)
{
	disk_fails(w, EINTR, 0);
	once = true;
}

static bool matches(const char *path)
{
	size_t n = strlen(path), m = strcspn(word, "$");

	if (word[m])
		return n >= m && memcmp(path + n - m, word, m) == 0;
	return strstr(path, word);
}

static bool is_meant(int fd)
{
	char link[40], path[PATH_MAX];
	ssize_t n;

	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	n = error ? readlink(link, path, sizeof(path) - 1) : -1;
	path[n > 0 ? n : 0] = '\0';
	return n > 0 && matches(path);
}

static ssize_t fail(void)
{
	errno = error;
	error = once ? 0 : error;
	return -1;
}

ssize_t __wrap_read(int fd, void *p, size_t n)
{
	size_t at;

	if (!is_meant(fd))
		return __real_read(fd, p, n);
	at = (size_t)lseek(fd, 0, SEEK_CUR);
	if (at >= given)
		return fail();
	return __real_read(fd, p, n < given - at ? n : given - at);
}

ssize_t __wrap_pread(int fd, void *p, size_t n, off_t at)
{
	return (size_t)at >= given && is_meant(fd) ? fail() : __real_pread(fd, p, n, at);
}

int __wrap_lstat(const char *path, struct stat *st)
{
	return error && matches(path) ? (int)fail() : __real_lstat(path, st);
}
