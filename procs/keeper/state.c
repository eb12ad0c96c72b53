/* state.c - see state.h. */
#include "procs/keeper/state.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <unistd.h>

#include "reactor/log.h"
#include "reactor/own.h"
#include "reactor/pid_lock.h"

int state_make(const char *state, struct err *e)
{
	char dir[PATH_MAX];

	for (const char *slash = strchr(state + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
		snprintf(dir, sizeof(dir), "%.*s", (int)(slash - state), state);
		mkdir(dir, 0755); /* not checked: after a failure the directory itself cannot be made */
	}
	return mkdir(state, 0711) < 0 && errno != EEXIST ? err_os(e, ERR_INTERNAL, "make state directory %s", state)
							  : 0;
}

static int state_open(const char *state, const char *file, int flags, char path[PATH_MAX + 16])
{
	snprintf(path, PATH_MAX + 16, "%s/%s", state, file);
	return open(path, flags | O_RDWR | O_CLOEXEC | O_NOFOLLOW, 0600);
}

static pid_t state_pid(int fd)
{
	char text[16] = "";

	return pread(fd, text, sizeof(text) - 1, 0) > 0 ? (pid_t)strtol(text, NULL, 10) : 0;
}

int state_lock(const char *state, const char *file, struct err *e)
{
	char path[PATH_MAX + 16];
	auto_fd int owned = -1;
	int fd;

	snprintf(path, sizeof(path), "%s/%s", state, file);
	fd = pid_lock(path);
	if (fd >= 0)
		return 0; /* it stays open as long as the process lives */
	if (errno != EWOULDBLOCK)
		return err_os(e, ERR_INTERNAL, "lock %s", path);
	owned = state_open(state, file, 0, path);
	return err_set(e, ERR_UNAVAILABLE, "state directory %s belongs to the keeper with pid %d", state,
		       owned < 0 ? 0 : (int)state_pid(owned));
}

int state_owner(const char *state, const char *file, pid_t *owner)
{
	char path[PATH_MAX + 16];
	auto_fd int fd = state_open(state, file, 0, path), pidfd = -1;

	*owner = fd < 0 ? 0 : state_pid(fd);
	if (*owner > 1)
		pidfd = (int)syscall(SYS_pidfd_open, *owner, 0);
	/* The lock is looked at last: if it is held and the pid is the same, the pidfd is of its owner. */
	if (pidfd < 0 || flock(fd, LOCK_EX | LOCK_NB) == 0 || errno != EWOULDBLOCK || state_pid(fd) != *owner)
		return -1;
	return take_fd(&pidfd);
}

int state_lock_crispd(const char *state)
{
	char path[PATH_MAX + 16];
	auto_fd int fd = state_open(state, STATE_CRISPD_LOCK, O_CREAT, path);

	return fd < 0 || flock(fd, LOCK_EX | LOCK_NB) < 0 ? -1 : take_fd(&fd);
}

void state_write_pid(int lock, pid_t pid)
{
	if (pid_lock_write(lock, pid) < 0)
		log_warn("crispd.lock error=%s", log_quote(strerror(errno)));
}

bool state_crispd_is_gone(const char *state, pid_t *owner)
{
	char path[PATH_MAX + 16];
	auto_fd int fd = state_open(state, STATE_CRISPD_LOCK, 0, path);

	*owner = 0;
	if (fd < 0 || flock(fd, LOCK_EX | LOCK_NB) == 0)
		return true;
	*owner = state_pid(fd);
	return false;
}

int state_listen(const char *state, const char *name, struct err *e)
{
	struct sockaddr_un sa = { .sun_family = AF_UNIX };
	int n = snprintf(sa.sun_path, sizeof(sa.sun_path), "%s/%s", state, name);
	auto_fd int fd = -1;

	if (n >= (int)sizeof(sa.sun_path))
		return err_set(e, ERR_INVALID_ARGUMENT, "state directory %s: its name is too long for a socket in it",
			       state);
	fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	unlink(sa.sun_path); /* left by an earlier keeper */
	if (fd < 0 || bind(fd, (struct sockaddr *)&sa, sizeof(sa)) < 0 || chmod(sa.sun_path, 0600) < 0 ||
	    listen(fd, 8) < 0)
		return err_os(e, ERR_INTERNAL, "listen on %s", sa.sun_path);
	return take_fd(&fd);
}

bool state_is_old_program(void)
{
	static const char deleted[] = " (deleted)";
	char path[PATH_MAX + sizeof(deleted)];
	ssize_t n = readlink("/proc/self/exe", path, sizeof(path) - 1), end = n - (ssize_t)strlen(deleted);

	if (end <= 0)
		return false;
	path[n] = '\0';
	if (strcmp(path + end, deleted) != 0)
		return false;
	path[end] = '\0';
	return access(path, X_OK) == 0;
}
