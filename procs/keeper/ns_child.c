/* ns_child.c - see ns_child.h.
 *
 * Without a user namespace one process does all the work. With one there are two processes: a process inside the new
 * user namespace can neither write its own mappings of more than one id nor mount the pin in the host's mount
 * namespace.
 *
 *   outer                       inner
 *                               unshare(user)
 *   writes the mappings <-------
 *                       ------> becomes root in it; makes the other namespaces, which it then owns with their /proc/sys
 *   opens them, pins    <-------
 *   closes the socket   ------> ends
 *
 * The process that fails reports why; the other one then ends without a report. */
#include "procs/keeper/ns_child.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <net/if.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "procs/keeper/proto.h"
#include "reactor/imsg.h"
#include "reactor/own.h"

const struct ns_kind ns_kinds[NS_KINDS] = {
	{ "net", CLONE_NEWNET, KEEPER_NS_NET },
	{ "ipc", CLONE_NEWIPC, KEEPER_NS_IPC },
	{ "uts", CLONE_NEWUTS, KEEPER_NS_UTS },
	{ "user", CLONE_NEWUSER, KEEPER_NS_USER },
};

static _Noreturn void ns_send_report(int fd, const struct ns_report *report, const int *fds, int nfds)
{
	union imsg_control control;
	struct iovec iov = { (void *)report, sizeof(*report) };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1 };

	imsg_add_fds(&msg, &control, fds, nfds);
	_exit(sendmsg(fd, &msg, MSG_NOSIGNAL) < 0);
}

static _Noreturn void ns_fail(int fd, enum err_code code, const char *step, const char *what)
{
	struct ns_report r = { .code = code };

	snprintf(r.text, sizeof(r.text), "%s%s%s: %s", step, what[0] ? " " : "", what, strerror(errno));
	ns_send_report(fd, &r, NULL, 0);
}

/* ENOSPC is the kernel's error for a reached limit user.max_*_namespaces. */
enum err_code ns_unshare_code(int error)
{
	return error == ENOSPC || error == ENOMEM ? ERR_RESOURCE_EXHAUSTED : ERR_INTERNAL;
}

static void ns_unshare(int fd, int flags)
{
	if (unshare(flags) < 0)
		ns_fail(fd, ns_unshare_code(errno), "make namespaces", "");
}

static void ns_lo_up(int fd)
{
	struct ifreq req = { .ifr_name = "lo", .ifr_flags = IFF_UP };
	auto_fd int s = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	if (s < 0 || ioctl(s, SIOCSIFFLAGS, &req) < 0)
		ns_fail(fd, ERR_INTERNAL, "bring lo up", "");
}

static void ns_set_sysctl(int report_fd, const char *key, const char *value)
{
	char path[512];
	auto_fd int fd = -1;

	ns_sysctl_path(path, sizeof(path), key);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0 || write(fd, value, strlen(value)) != (ssize_t)strlen(value))
		ns_fail(report_fd, ERR_INVALID_ARGUMENT, "sysctl", key);
}

/* Makes all namespaces but the user namespace and one that is ready, brings lo up, and sets the hostname and the
 * sysctls. */
static void ns_furnish(const struct ns_making *m)
{
	const struct ns_make *r = m->r;
	int flags = 0;

	for (int i = 0; i < NS_KINDS; i++)
		flags |= r->bits & ns_kinds[i].bit & ~(uint32_t)KEEPER_NS_USER ? ns_kinds[i].flag : 0;
	if (m->netns >= 0) {
		if (setns(m->netns, CLONE_NEWNET) < 0)
			ns_fail(m->fd, ERR_INTERNAL, "enter a prepared network namespace", "");
		flags &= ~CLONE_NEWNET;
	}
	if (flags)
		ns_unshare(m->fd, flags);
	if (r->bits & KEEPER_NS_NET && m->netns < 0)
		ns_lo_up(m->fd);
	if (r->hostname && sethostname(r->hostname, strlen(r->hostname)) < 0)
		ns_fail(m->fd, ERR_INVALID_ARGUMENT, "set hostname", r->hostname);
	for (const char **s = r->sysctls; s && s[0] && s[1]; s += 2)
		ns_set_sysctl(m->fd, s[0], s[1]);
}

/* Opens the namespaces of the process /proc/<who> and pins the network namespace; returns how many were opened. */
static int ns_take(const struct ns_making *m, const char *who, int fds[NS_KINDS])
{
	char path[64];
	int n = 0;

	snprintf(path, sizeof(path), "/proc/%s/ns/net", who);
	if (m->r->path && mount(path, m->r->path, NULL, MS_BIND, NULL) < 0)
		ns_fail(m->fd, ERR_INTERNAL, "pin the network namespace at", m->r->path);
	for (int i = 0; i < NS_KINDS; i++) {
		if (!(m->r->bits & ns_kinds[i].bit))
			continue;
		snprintf(path, sizeof(path), "/proc/%s/ns/%s", who, ns_kinds[i].name);
		if ((fds[n++] = open(path, O_RDONLY | O_CLOEXEC)) < 0)
			ns_fail(m->fd, ERR_INTERNAL, "open", path);
	}
	return n;
}

/* ---- with a user namespace: two processes that take turns ---- */

static void ns_your_turn(int fd)
{
	(void)send(fd, "", 1, MSG_NOSIGNAL);
}

static bool ns_my_turn(int fd)
{
	char c;
	ssize_t n;

	do
		n = recv(fd, &c, 1, 0);
	while (n < 0 && errno == EINTR);
	return n == 1;
}

static _Noreturn void ns_inner(const struct ns_making *m, int fd)
{
	ns_unshare(m->fd, CLONE_NEWUSER);
	ns_your_turn(fd);
	if (!ns_my_turn(fd))
		_exit(1);
	if (setgroups(0, NULL) < 0 || setresgid(0, 0, 0) < 0 || setresuid(0, 0, 0) < 0)
		ns_fail(m->fd, ERR_INVALID_ARGUMENT, "become root of the user namespace", "");
	ns_furnish(m);
	ns_your_turn(fd);
	ns_my_turn(fd);
	_exit(0);
}

static void ns_write_map(const struct ns_making *m, pid_t pid, const char *name, const char *text)
{
	char path[64];
	auto_fd int fd = -1;

	snprintf(path, sizeof(path), "/proc/%d/%s", (int)pid, name);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0 || write(fd, text, strlen(text)) != (ssize_t)strlen(text))
		ns_fail(m->fd, ERR_INVALID_ARGUMENT, name, text);
}

static int ns_outer(const struct ns_making *m, int fds[NS_KINDS])
{
	char who[16];
	int ends[2], n;
	pid_t pid;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) < 0)
		ns_fail(m->fd, ERR_RESOURCE_EXHAUSTED, "socketpair", "");
	pid = fork();
	if (pid < 0)
		ns_fail(m->fd, ERR_RESOURCE_EXHAUSTED, "fork", "");
	if (pid == 0) {
		close(ends[0]);
		ns_inner(m, ends[1]);
	}
	close(ends[1]);
	if (!ns_my_turn(ends[0]))
		_exit(1);
	ns_write_map(m, pid, "uid_map", m->r->uid_map);
	ns_write_map(m, pid, "gid_map", m->r->gid_map);
	ns_your_turn(ends[0]);
	if (!ns_my_turn(ends[0]))
		_exit(1);
	snprintf(who, sizeof(who), "%d", (int)pid);
	n = ns_take(m, who, fds);
	close(ends[0]);
	waitpid(pid, NULL, 0);
	return n;
}

void ns_child(void *arg)
{
	const struct ns_making *m = arg;
	int fds[NS_KINDS], n;

	/* A pin that is made after the keeper's death would be made behind its removal. */
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != m->keeper)
		_exit(1);
	if (m->r->bits & KEEPER_NS_USER) {
		n = ns_outer(m, fds);
	} else {
		ns_furnish(m);
		n = ns_take(m, "self", fds);
	}
	ns_send_report(m->fd, &(struct ns_report){ .code = ERR_OK }, fds, n);
}

/* ---- in the keeper ---- */

int ns_read_report(int fd, struct ns_report *r, int fds[NS_KINDS])
{
	union {
		struct cmsghdr head;
		char space[CMSG_SPACE(NS_KINDS * sizeof(int))];
	} control;
	struct iovec iov = { r, sizeof(*r) };
	struct msghdr msg = {
		.msg_iov = &iov, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof(control),
	};
	struct cmsghdr *c;
	size_t n;

	if (recvmsg(fd, &msg, MSG_DONTWAIT | MSG_CMSG_CLOEXEC) != sizeof(*r))
		return -1;
	c = CMSG_FIRSTHDR(&msg);
	if (!c || c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
		return 0;
	n = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);
	memcpy(fds, CMSG_DATA(c), n * sizeof(int));
	return (int)n;
}
