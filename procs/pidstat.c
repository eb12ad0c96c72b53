/* pidstat.c - see pidstat.h. */
#include "procs/pidstat.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "reactor/own.h"

bool pidstat_parse(const char *text, struct pidstat *out)
{
	/* The second field, the name in parentheses, may have any character, also parentheses and blanks. */
	const char *after = strrchr(text, ')'), *at = after;

	for (int field = 2; at && field < 52; field++)
		at = strchr(at + 1, ' ');
	out->exit_status = at ? atoi(at) : 0;
	return after && sscanf(after, ") %c %d %*d %d %*d %*d %u %*u %*u %*u %*u %*u %*u %*d %*d %*d %*d %*d %*d "
			       "%" SCNd64, &out->state, &out->parent, &out->session, &out->flags,
			       &out->start_ticks) == 5;
}

bool pidstat_read(pid_t pid, struct pidstat *out)
{
	char path[32], text[1024];
	auto_fd int fd = -1;
	ssize_t n;

	snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	n = fd < 0 ? -1 : read(fd, text, sizeof(text) - 1);
	if (n <= 0)
		return false;
	text[n] = '\0';
	return pidstat_parse(text, out);
}

enum pidstat_end pidstat_exit(pid_t pid, int *status)
{
	char path[32], target[8];
	struct pidstat now;

	if (!pidstat_read(pid, &now) || now.state != 'Z')
		return PIDSTAT_GONE;
	*status = now.exit_status;
	if (now.exit_status)
		return PIDSTAT_KNOWN;
	/* 0, or withheld. The same permission is asked for by readlink of "exe", which a dead process has no more: then
	 * the error is ENOENT, and EACCES without the permission. */
	snprintf(path, sizeof(path), "/proc/%d/exe", (int)pid);
	return readlink(path, target, sizeof(target)) < 0 && errno == ENOENT ? PIDSTAT_KNOWN : PIDSTAT_HIDDEN;
}

int pidstat_open(pid_t pid, int64_t start_ticks)
{
	auto_fd int fd = pid > 0 ? (int)syscall(SYS_pidfd_open, pid, 0) : -1;
	struct pidstat now;

	/* Opened before /proc is read: if the start time is right then, the pidfd is of that process. */
	if (fd < 0 || !pidstat_read(pid, &now) || now.start_ticks != start_ticks || now.state == 'Z')
		return -1;
	return take_fd(&fd);
}
