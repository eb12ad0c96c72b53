/* log_undo.c - see log_undo.h. */
#include "procs/log_undo.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "reactor/fault.h"
#include "reactor/log.h"
#include "reactor/own.h"

enum { UNDO_MAX = 8192 };

int64_t log_undo_mark(int fd)
{
	struct stat st;

	return fd >= 0 && fstat(fd, &st) == 0 ? st.st_size : -1;
}

/* Whole lines of the CRI log format, all of them of stderr? */
static bool is_stderr_only(const char *text, size_t n)
{
	static const char mark[] = " stderr ";

	for (const char *end; n; n -= (size_t)(end - text), text = end) {
		const char *blank = memchr(text, ' ', n), *newline = memchr(text, '\n', n);

		if (!newline || !blank || newline - blank < (ptrdiff_t)strlen(mark) ||
		    memcmp(blank, mark, strlen(mark)) != 0)
			return false;
		end = newline + 1;
	}
	return true;
}

int log_undo(const char *id, int fd, int64_t mark)
{
	char text[UNDO_MAX], self[40];
	int64_t size = log_undo_mark(fd);
	auto_fd int in = -1;
	ssize_t n;

	if (mark < 0 || size <= mark || size - mark > UNDO_MAX)
		return 0;
	snprintf(self, sizeof(self), "/proc/self/fd/%d", fd); /* the log is open for append only */
	in = open(self, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	n = in < 0 ? -1 : pread(in, text, sizeof(text), mark);
	if (n >= 0 && (n != size - mark || !is_stderr_only(text, (size_t)n)))
		return 0;
	if (n < 0 || EFFECT(ftruncate(fd, mark)) < 0) {
		log_warn("log_undo container=%.12s error=%s", id, log_quote(strerror(errno)));
		return -1;
	}
	log_info("log_undo container=%.12s bytes=%zd effect=\"words of a start that is undone\"", id, n);
	return 0;
}
