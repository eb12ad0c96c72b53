/* test_notify.c - the messages of the keeper to its service manager, and the fds that come back after a restart. */
#include "procs/keeper/notify.h"

#include <fcntl.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "reactor/own.h"
#include "tests/tap.h"

static int manager;
static char text[512];
static int came; /* the fd that came with it; -1: none */

static void manager_open(void)
{
	struct sockaddr_un sa = { .sun_family = AF_UNIX };
	char name[64];
	int n = snprintf(name, sizeof(name), "@crisp-test-notify-%d", getpid());

	memcpy(sa.sun_path + 1, name + 1, (size_t)n - 1);
	manager = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	ok(bind(manager, (struct sockaddr *)&sa, (socklen_t)(offsetof(struct sockaddr_un, sun_path) + (size_t)n)) == 0);
	setenv("NOTIFY_SOCKET", name, 1);
}

static bool told(void)
{
	union {
		struct cmsghdr head;
		char space[CMSG_SPACE(sizeof(int))];
	} control;
	struct iovec iov = { text, sizeof(text) - 1 };
	struct msghdr msg = {
		.msg_iov = &iov, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof(control)
	};
	ssize_t n = recvmsg(manager, &msg, MSG_CMSG_CLOEXEC);
	struct cmsghdr *c = n < 0 ? NULL : CMSG_FIRSTHDR(&msg);

	text[n < 0 ? 0 : n] = '\0';
	came = -1;
	if (c)
		memcpy(&came, CMSG_DATA(c), sizeof(came));
	return n >= 0;
}

static bool same_file(int a, int b)
{
	struct stat x, y;

	return fstat(a, &x) == 0 && fstat(b, &y) == 0 && x.st_ino == y.st_ino && x.st_dev == y.st_dev;
}

static void ready(void)
{
	char want[64];

	notify("READY=1");
	snprintf(want, sizeof(want), "READY=1\nMAINPID=%d\n", getpid());
	ok(told() && strcmp(text, want) == 0 && came == -1);
}

static void what_is_held_is_kept(void)
{
	int ends[2];

	ok(pipe2(ends, O_CLOEXEC) == 0);
	notify_keep("sandbox/5f/uts", ends[0]);
	ok(told() && strcmp(text, "FDSTORE=1\nFDPOLL=0\nFDNAME=sandbox/5f/uts\n") == 0);
	ok(came >= 0 && same_file(came, ends[0]));
	close(came);
	notify_unkeep("sandbox/5f/uts");
	ok(told() && strcmp(text, "FDSTOREREMOVE=1\nFDNAME=sandbox/5f/uts\n") == 0 && came == -1);
	notify_keep("a:b", ends[0]); /* systemd takes no colon: it separates names in LISTEN_FDNAMES */
	ok(!told());
	close(ends[0]);
	close(ends[1]);
}

static char given[256];

static void on_given(const char *name, int fd)
{
	size_t n = strlen(given);

	snprintf(given + n, sizeof(given) - n, "%s=%d%s ", name, fd,
		 fcntl(fd, F_GETFD) == FD_CLOEXEC ? "" : " not CLOEXEC");
}

static void kept_for(int pid)
{
	char number[16];

	given[0] = '\0';
	snprintf(number, sizeof(number), "%d", pid);
	setenv("LISTEN_PID", number, 1);
	setenv("LISTEN_FDS", "2", 1);
	setenv("LISTEN_FDNAMES", "sandbox/5f/uts:container/7a/stdin", 1);
	notify_kept(on_given);
	ok(!getenv("LISTEN_PID") && !getenv("LISTEN_FDS") && !getenv("LISTEN_FDNAMES"));
}

static void what_was_kept_comes_back(void)
{
	fcntl(3, F_SETFD, 0);
	fcntl(4, F_SETFD, 0);
	kept_for(getpid());
	ok(strcmp(given, "sandbox/5f/uts=3 container/7a/stdin=4 ") == 0);
	kept_for(getpid() + 1);
	ok(given[0] == '\0'); /* meant for another process */
	notify_kept(on_given);
	ok(given[0] == '\0'); /* nothing at all */
}

static void without_a_manager_nothing_happens(void)
{
	unsetenv("NOTIFY_SOCKET");
	notify("READY=1");
	notify_keep("sandbox/5f/uts", STDIN_FILENO);
	ok(!told());
}

int main(void)
{
	/* 3 and 4 are where a service manager puts them. */
	ok(dup2(STDERR_FILENO, 3) == 3 && dup2(STDERR_FILENO, 4) == 4);
	manager_open();
	ready();
	what_is_held_is_kept();
	what_was_kept_comes_back();
	without_a_manager_nothing_happens();
	close(manager);
	return tap_end();
}
