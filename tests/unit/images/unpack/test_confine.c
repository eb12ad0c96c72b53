/* test_confine.c - a confined process tries what a parser under the control of an attacker would try, and fails. */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "images/unpack/ahead.h"
#include "images/unpack/confine.h"
#include "tests/fakes/layer.h"
#include "tests/tap.h"

static int root_fd = -1;

/* Runs in a child that is confined to <root>/jail. Returns its exit status, or the negated number of the signal that
 * killed it. */
static int confined(int (*attempt)(void))
{
	int status, dir;
	struct err e;
	pid_t pid = fork();

	if (pid == 0) {
		dir = open(layer_root, O_PATH | O_DIRECTORY | O_CLOEXEC);
		root_fd = confine_enter(dir, "jail", &e);
		close(dir);
		if (root_fd < 0 || confine_seal(1 << 20, &e) < 0) {
			printf("# %s\n", e.msg);
			fflush(stdout);
			_exit(99);
		}
		_exit(attempt());
	}
	waitpid(pid, &status, 0);
	return WIFSIGNALED(status) ? -WTERMSIG(status) : WEXITSTATUS(status);
}

static int may_write_files(void)
{
	int fd = openat(root_fd, "file", O_WRONLY | O_CREAT | O_EXCL, 0600);

	return fd >= 0 && write(fd, "x", 1) == 1 && fchown(fd, 1, 1) == 0 && fchmod(fd, 06755) == 0 ? 0 : 1;
}

static int climb_out(void)
{
	struct stat here, up;
	int fd = openat(root_fd, "../../../..", O_RDONLY | O_DIRECTORY);

	if (fd < 0 || fstat(root_fd, &here) < 0 || fstat(fd, &up) < 0)
		return 2;
	if (here.st_ino != up.st_ino || openat(root_fd, "/etc/passwd", O_RDONLY) >= 0 || open("/proc", O_RDONLY) >= 0)
		return 1;
	return 0;
}

static int open_a_device(void)
{
	int fd;

	if (mknodat(root_fd, "zero", S_IFCHR | 0666, makedev(1, 5)) < 0)
		return 2;
	fd = openat(root_fd, "zero", O_RDONLY);
	return fd >= 0 ? 1 : errno == EACCES ? 0 : 3;
}

static int set_trusted(void)
{
	int fd = openat(root_fd, ".", O_RDONLY | O_DIRECTORY);

	return fsetxattr(fd, "trusted.overlay.opaque", "y", 1, 0) < 0 && errno == EPERM ? 0 : 1;
}

static int write_too_much(void)
{
	int fd = openat(root_fd, "large", O_WRONLY | O_CREAT, 0600);

	return ftruncate(fd, 2 << 20) < 0 && errno == EFBIG ? 0 : 1;
}

static int call_socket(void)
{
	return socket(AF_INET, SOCK_STREAM, 0);
}

static int call_unshare(void)
{
	return unshare(CLONE_NEWUSER);
}

static int call_chroot(void)
{
	return chroot(".");
}

static int call_exec(void)
{
	char *const argv[] = { NULL };

	return execve("/bin/sh", argv, argv);
}

static int call_fork(void)
{
	return fork();
}

static int map_code(void)
{
	return mmap(NULL, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) == MAP_FAILED;
}

/* ---- the thread that inflates ---- */

static ssize_t fill_by_open(void *arg, uint8_t *to, size_t room, struct err *e)
{
	(void)arg;
	(void)to;
	(void)room;
	(void)e;
	return open("/", O_RDONLY | O_DIRECTORY);
}

#ifndef __SANITIZE_ADDRESS__ /* it writes its reports itself */
static ssize_t fill_by_write(void *arg, uint8_t *to, size_t room, struct err *e)
{
	(void)room;
	(void)e;
	return write(*(int *)arg, to, 1);
}
#endif

static ssize_t fill_by_read(void *arg, uint8_t *to, size_t room, struct err *e)
{
	(void)e;
	return read(*(int *)arg, to, room);
}

/* The exit status of a child whose thread fills by `fill` from a file, or the negated number of its signal. */
static int thread_status(ahead_fill *fill)
{
	int status, fd = open("/proc/self/comm", O_RDONLY | O_CLOEXEC);
	const uint8_t *p;
	struct ahead *a;
	struct err e;
	pid_t pid = fork();

	if (pid == 0) {
		a = ahead_start(4096, confine_thread, fill, &fd, &e);
		if (!a || ahead_next(a, &p, &e) <= 0 || ahead_next(a, &p, &e) != 0)
			_exit(1);
		ahead_stop(a);
		_exit(0);
	}
	close(fd);
	waitpid(pid, &status, 0);
	return WIFSIGNALED(status) ? -WTERMSIG(status) : WEXITSTATUS(status);
}

int main(void)
{
	enum { SIGSYS_DEATH = -31 };
	char path[256];

	if (!layer_open())
		return printf("1..0 # SKIP needs root\n"), 0;
	snprintf(path, sizeof(path), "%s/jail", layer_root);
	ok(mkdir(path, 0755) == 0);
	ok(confined(may_write_files) == 0);
	ok(confined(climb_out) == 0);
	ok(confined(open_a_device) == 0);
	ok(confined(set_trusted) == 0);
	ok(confined(write_too_much) == 0);
	ok(confined(call_socket) == SIGSYS_DEATH);
	ok(confined(call_unshare) == SIGSYS_DEATH);
	ok(confined(call_chroot) == SIGSYS_DEATH);
	ok(confined(call_exec) == SIGSYS_DEATH);
	ok(confined(call_fork) == SIGSYS_DEATH);
	ok(confined(map_code) == SIGSYS_DEATH);
	ok(thread_status(fill_by_read) == 0);
	ok(thread_status(fill_by_open) == SIGSYS_DEATH);
#ifndef __SANITIZE_ADDRESS__
	ok(thread_status(fill_by_write) == SIGSYS_DEATH);
#endif
	layer_close();
	return tap_end();
}
