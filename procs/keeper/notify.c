/* notify.c - see notify.h. */
#include "procs/keeper/notify.h"

#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "reactor/log.h"
#include "reactor/own.h"

enum { FIRST_LISTEN_FD = 3 /* SD_LISTEN_FDS_START */, NAME_MAX_BYTES = 255 };

/* fd -1: only the text is sent. */
static void send_text(const char *text, int fd)
{
	const char *path = getenv("NOTIFY_SOCKET");
	struct sockaddr_un sa = { .sun_family = AF_UNIX };
	size_t len = path ? strlen(path) : 0;
	union {
		struct cmsghdr head;
		char space[CMSG_SPACE(sizeof(int))];
	} control = { .head = {
			      .cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS, .cmsg_len = CMSG_LEN(sizeof(int)) } };
	struct iovec iov = { (char *)text, strlen(text) };
	struct msghdr msg = { .msg_name = &sa, .msg_iov = &iov, .msg_iovlen = 1 };
	auto_fd int to = -1;

	if (len < 2 || len >= sizeof(sa.sun_path))
		return;
	memcpy(sa.sun_path, path, len);
	if (path[0] == '@')
		sa.sun_path[0] = '\0'; /* an abstract name */
	msg.msg_namelen = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len);
	if (fd >= 0) {
		memcpy(CMSG_DATA(&control.head), &fd, sizeof(fd));
		msg.msg_control = &control;
		msg.msg_controllen = sizeof(control);
	}
	to = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (sendmsg(to, &msg, MSG_NOSIGNAL | MSG_DONTWAIT) < 0)
		log_warn("notify text=%s error=%s", log_quote(text), log_quote(strerror(errno)));
}

void notify(const char *state)
{
	char text[128];

	snprintf(text, sizeof(text), "%s\nMAINPID=%d\n", state, getpid());
	send_text(text, -1);
}

/* FDPOLL=0 (from systemd 246): without it systemd drops a pty or a FIFO while its other end is closed.
 * (ARCHITECTURE X19) */
void notify_keep(const char *name, int fd)
{
	char text[NAME_MAX_BYTES + 64];

	if (strlen(name) > NAME_MAX_BYTES || strchr(name, ':'))
		return;
	snprintf(text, sizeof(text), "FDSTORE=1\nFDPOLL=0\nFDNAME=%s\n", name);
	send_text(text, fd);
}

void notify_unkeep(const char *name)
{
	char text[NAME_MAX_BYTES + 64];

	if (strlen(name) > NAME_MAX_BYTES || strchr(name, ':'))
		return;
	snprintf(text, sizeof(text), "FDSTOREREMOVE=1\nFDNAME=%s\n", name);
	send_text(text, -1);
}

void notify_kept(void (*fn)(const char *name, int fd))
{
	const char *pid = getenv("LISTEN_PID"), *count = getenv("LISTEN_FDS"), *names = getenv("LISTEN_FDNAMES");
	auto_free char *list = names ? strdup(names) : NULL;
	char *rest = list;

	if (pid && count && list && strtol(pid, NULL, 10) == getpid())
		for (int i = 0, n = (int)strtol(count, NULL, 10); i < n && rest; i++) {
			const char *name = strsep(&rest, ":");

			fcntl(FIRST_LISTEN_FD + i, F_SETFD, FD_CLOEXEC);
			fn(name, FIRST_LISTEN_FD + i);
		}
	unsetenv("LISTEN_PID");
	unsetenv("LISTEN_FDS");
	unsetenv("LISTEN_FDNAMES");
}
