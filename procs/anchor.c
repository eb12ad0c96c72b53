/* anchor.c - see anchor.h. */
#include "procs/anchor.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "reactor/fault.h"

union control {
	struct cmsghdr head;
	char space[CMSG_SPACE(ANCHOR_FDS_MAX * sizeof(int))];
};

const char *anchor_type_name(uint32_t type)
{
	static const char *const names[] = {
		[ANCHOR_HOLD] = "ANCHOR_HOLD", [ANCHOR_RELEASE] = "ANCHOR_RELEASE", [ANCHOR_KEEP] = "ANCHOR_KEEP",
		[ANCHOR_FORGET] = "ANCHOR_FORGET", [ANCHOR_ASK] = "ANCHOR_ASK", [ANCHOR_STATE] = "ANCHOR_STATE",
		[ANCHOR_FIND] = "ANCHOR_FIND", [ANCHOR_WHERE] = "ANCHOR_WHERE", [ANCHOR_PLACE] = "ANCHOR_PLACE",
		[ANCHOR_START] = "ANCHOR_START", [ANCHOR_SIGNAL] = "ANCHOR_SIGNAL", [ANCHOR_KEEPER] = "ANCHOR_KEEPER",
		[ANCHOR_ENDED] = "ANCHOR_ENDED",
	};

	return type < sizeof(names) / sizeof(names[0]) && names[type] ? names[type] : "ANCHOR_UNKNOWN";
}

int anchor_send(int fd, const struct anchor_message *m, const int *fds, size_t nfds)
{
	union control control = { 0 };
	struct iovec iov = { (void *)m, sizeof(*m) };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1 };
	ssize_t n;

	if (nfds) {
		control.head.cmsg_level = SOL_SOCKET;
		control.head.cmsg_type = SCM_RIGHTS;
		control.head.cmsg_len = CMSG_LEN(nfds * sizeof(int));
		memcpy(CMSG_DATA(&control.head), fds, nfds * sizeof(int));
		msg.msg_control = &control;
		msg.msg_controllen = CMSG_SPACE(nfds * sizeof(int));
	}
	fault_at("send", anchor_type_name(m->type), "before");
	n = sendmsg(fd, &msg, MSG_NOSIGNAL | MSG_DONTWAIT);
	fault_at("send", anchor_type_name(m->type), "after");
	return n == sizeof(*m) ? 0 : -1;
}

int anchor_receive(int fd, struct anchor_message *m, int fds[ANCHOR_FDS_MAX], size_t *nfds)
{
	union control control;
	struct iovec iov = { m, sizeof(*m) };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1, .msg_control = &control,
			      .msg_controllen = sizeof(control) };
	struct cmsghdr *c;
	int reset = 0; /* the kernel says once that the other end left messages unread; what it had sent comes then */
	ssize_t n;

	*nfds = 0;
	do
		n = recvmsg(fd, &msg, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
	while (n < 0 && (errno == EINTR || (errno == ECONNRESET && !reset++)));
	if (n < 0)
		return errno == EAGAIN ? 0 : -1;
	c = n ? CMSG_FIRSTHDR(&msg) : NULL;
	if (c && c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_RIGHTS) {
		*nfds = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);
		memcpy(fds, CMSG_DATA(c), *nfds * sizeof(int));
	}
	if (n == sizeof(*m) && !(msg.msg_flags & MSG_TRUNC)) {
		m->name[ANCHOR_NAME_SIZE - 1] = '\0';
		return 1;
	}
	for (size_t i = 0; i < *nfds; i++)
		close(fds[i]);
	*nfds = 0;
	return -1;
}
