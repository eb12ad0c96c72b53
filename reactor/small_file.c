/* small_file.c - see small_file.h. */
#include "reactor/small_file.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "reactor/fault.h"
#include "reactor/own.h"

ssize_t small_file_bytes(int fd, char *to, size_t max)
{
	size_t len = 0;

	while (len < max) {
		ssize_t n = read(fd, to + len, max - len);

		if (n == 0)
			break;
		if (n < 0 && errno != EINTR)
			return -1;
		len += n > 0 ? (size_t)n : 0;
	}
	return (ssize_t)len;
}

/* The file may grow or shrink after fstat(2): the length is what read(2) returns. */
char *small_file_read_fd(int fd, const char *path, size_t max_bytes, size_t *len_bytes, enum err_code code,
			 struct err *e)
{
	auto_free char *text = NULL;
	struct stat st;
	ssize_t n;

	if (fstat(fd, &st) < 0) {
		err_os(e, code, "read %s", path);
		return NULL;
	}
	if (!S_ISREG(st.st_mode) || (size_t)st.st_size > max_bytes) {
		err_set(e, code, "%s: not a regular file of at most %zu bytes", path, max_bytes);
		return NULL;
	}
	text = own_must(malloc((size_t)st.st_size + 1));
	n = small_file_bytes(fd, text, (size_t)st.st_size);
	if (n < 0) {
		err_os(e, code, "read %s", path);
		return NULL;
	}
	text[n] = '\0';
	*len_bytes = (size_t)n;
	return take_ptr(&text);
}

char *small_file_read(const char *path, size_t max_bytes, size_t *len_bytes, enum err_code code, struct err *e)
{
	auto_fd int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);

	if (fd >= 0)
		return small_file_read_fd(fd, path, max_bytes, len_bytes, code, e);
	err_os(e, code, "read %s", path);
	return NULL;
}

static int put_text(const char *tmp, const char *text, size_t len)
{
	auto_fd int fd = -1;

	if (EFFECT(unlink(tmp)) < 0 && errno == EISDIR)
		EFFECT(rmdir(tmp));
	fd = EFFECT(open(tmp, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600));
	while (fd >= 0 && len > 0) {
		ssize_t n = EFFECT(write(fd, text, len));

		if (n < 0)
			return -1;
		text += n;
		len -= (size_t)n;
	}
	return fd < 0 ? -1 : 0;
}

int small_file_put(const char *path, const char *text, size_t len_bytes, enum err_code code, struct err *e)
{
	char tmp[PATH_MAX];

	if (snprintf(tmp, sizeof(tmp), "%s.tmp", path) >= (int)sizeof(tmp))
		return err_set(e, code, "write %s.tmp: the path is too long", path);
	if (put_text(tmp, text, len_bytes) < 0)
		return err_os(e, code, "write %s", tmp);
	return EFFECT(rename(tmp, path)) < 0 ? err_os(e, code, "rename %s to %s", tmp, path) : 0;
}
