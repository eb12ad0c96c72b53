/* ns_child.c - see ns_child.h.
 *
 * Without a user namespace one process does it all. With one there are two, since who has entered it can neither write
 * its own mappings of more than one id nor mount the pin in the host's mount namespace:
 *
 *   outer                       inner
 *                               unshare(user)
 *   writes the mappings <-------
 *                       ------> becomes its root; makes the other namespaces, so that it owns them and their /proc/sys
 *   opens them, pins    <-------
 *   hangs up            ------> ends
 *
 * Either of them reports why it failed, and the other one ends without a word. */
#include "procs/keeper/ns_child.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <net/if.h>
#include <sched.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
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

static _Noreturn void send_report(int fd, const struct ns_report *report, const int *fds, int nfds)
{
	union imsg_control control;
	struct iovec iov = { (void *)report, sizeof(*report) };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1 };

	imsg_add_fds(&msg, &control, fds, nfds);
	_exit(sendmsg(fd, &msg, MSG_NOSIGNAL) < 0);
}

static _Noreturn void fail(int fd, enum err_code code, const char *step, const char *what)
{
	struct ns_report r = { .code = code };

	snprintf(r.text, sizeof(r.text), "%s%s%s: %s", step, what[0] ? " " : "", what, strerror(errno));
	send_report(fd, &r, NULL, 0);
}

/* ENOSPC is what the kernel says for user.max_*_namespaces. */
static void enter_new(int fd, int flags)
{
	if (unshare(flags) < 0)
		fail(fd, errno == ENOSPC || errno == ENOMEM ? ERR_RESOURCE_EXHAUSTED : ERR_INTERNAL, "make namespaces",
		     "");
}

static void lo_up(int fd)
{
	struct ifreq req = { .ifr_name = "lo", .ifr_flags = IFF_UP };
	auto_fd int s = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	if (s < 0 || ioctl(s, SIOCSIFFLAGS, &req) < 0)
		fail(fd, ERR_INTERNAL, "bring lo up", "");
}

static void set_sysctl(int report_fd, const char *key, const char *value)
{
	char path[256];
	auto_fd int fd = -1;

	ns_sysctl_path(path, sizeof(path), key);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0 || write(fd, value, strlen(value)) != (ssize_t)strlen(value))
		fail(report_fd, ERR_INVALID_ARGUMENT, "sysctl", key);
}

/* All but the user namespace, and what is in them. */
static void furnish(const struct ns_making *m)
{
	const struct ns_make *r = m->r;
	int flags = 0;

	for (int i = 0; i < NS_KINDS; i++)
		flags |= r->bits & ns_kinds[i].bit & ~(uint32_t)KEEPER_NS_USER ? ns_kinds[i].flag : 0;
	enter_new(m->fd, flags);
	if (r->bits & KEEPER_NS_NET)
		lo_up(m->fd);
	if (r->hostname && sethostname(r->hostname, strlen(r->hostname)) < 0)
		fail(m->fd, ERR_INVALID_ARGUMENT, "set hostname", r->hostname);
	for (const char **s = r->sysctls; s && s[0] && s[1]; s += 2)
		set_sysctl(m->fd, s[0], s[1]);
}

/* Of the process `who` below /proc. */
static int take(const struct ns_making *m, const char *who, int fds[NS_KINDS])
{
	char path[64];
	int n = 0;

	snprintf(path, sizeof(path), "/proc/%s/ns/net", who);
	if (m->r->path && mount(path, m->r->path, NULL, MS_BIND, NULL) < 0)
		fail(m->fd, ERR_INTERNAL, "pin the network namespace at", m->r->path);
	for (int i = 0; i < NS_KINDS; i++) {
		if (!(m->r->bits & ns_kinds[i].bit))
			continue;
		snprintf(path, sizeof(path), "/proc/%s/ns/%s", who, ns_kinds[i].name);
		if ((fds[n++] = open(path, O_RDONLY | O_CLOEXEC)) < 0)
			fail(m->fd, ERR_INTERNAL, "open", path);
	}
	return n;
}

/* ---- with a user namespace: two processes in turn ---- */

static void your_turn(int fd)
{
	(void)send(fd, "", 1, MSG_NOSIGNAL);
}

static bool my_turn(int fd)
{
	char c;
	ssize_t n;

	do
		n = recv(fd, &c, 1, 0);
	while (n < 0 && errno == EINTR);
	return n == 1;
}

static _Noreturn void inner(const struct ns_making *m, int fd)
{
	enter_new(m->fd, CLONE_NEWUSER);
	your_turn(fd);
	if (!my_turn(fd))
		_exit(1);
	if (setgroups(0, NULL) < 0 || setresgid(0, 0, 0) < 0 || setresuid(0, 0, 0) < 0)
		fail(m->fd, ERR_INVALID_ARGUMENT, "become root of the user namespace", "");
	furnish(m);
	your_turn(fd);
	my_turn(fd);
	_exit(0);
}

static void write_map(const struct ns_making *m, pid_t pid, const char *name, const char *text)
{
	char path[64];
	auto_fd int fd = -1;

	snprintf(path, sizeof(path), "/proc/%d/%s", (int)pid, name);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0 || write(fd, text, strlen(text)) != (ssize_t)strlen(text))
		fail(m->fd, ERR_INVALID_ARGUMENT, name, text);
}

static int outer(const struct ns_making *m, int fds[NS_KINDS])
{
	char who[16];
	int ends[2], n;
	pid_t pid;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) < 0)
		fail(m->fd, ERR_RESOURCE_EXHAUSTED, "socketpair", "");
	pid = fork();
	if (pid < 0)
		fail(m->fd, ERR_RESOURCE_EXHAUSTED, "fork", "");
	if (pid == 0) {
		close(ends[0]);
		inner(m, ends[1]);
	}
	close(ends[1]);
	if (!my_turn(ends[0]))
		_exit(1);
	write_map(m, pid, "uid_map", m->r->uid_map);
	write_map(m, pid, "gid_map", m->r->gid_map);
	your_turn(ends[0]);
	if (!my_turn(ends[0]))
		_exit(1);
	snprintf(who, sizeof(who), "%d", (int)pid);
	n = take(m, who, fds);
	close(ends[0]);
	waitpid(pid, NULL, 0);
	return n;
}

void ns_child(void *arg)
{
	const struct ns_making *m = arg;
	int fds[NS_KINDS], n;

	if (m->r->bits & KEEPER_NS_USER) {
		n = outer(m, fds);
	} else {
		furnish(m);
		n = take(m, "self", fds);
	}
	send_report(m->fd, &(struct ns_report){ .code = ERR_OK }, fds, n);
}
