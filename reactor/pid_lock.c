/* pid_lock.c - see pid_lock.h. */
#include "reactor/pid_lock.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <sys/file.h>
#include <unistd.h>

#include "reactor/own.h"

enum { TRIES = 100, TURN_MS = 10 };

int pid_lock_write(int fd, int pid)
{
	char text[16];
	int n = snprintf(text, sizeof(text), "%d\n", pid);

	errno = EIO; /* of a write that was cut short */
	return ftruncate(fd, 0) < 0 || pwrite(fd, text, (size_t)n, 0) != n ? -1 : 0;
}

int pid_lock(const char *path)
{
	auto_fd int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);

	if (fd < 0)
		return -1;
	for (int i = 0; flock(fd, LOCK_EX | LOCK_NB) < 0; i++) {
		if (i == TRIES)
			return -1;
		poll(NULL, 0, TURN_MS);
	}
	return pid_lock_write(fd, getpid()) < 0 ? -1 : take_fd(&fd);
}
