/* console.c - see zygote.h: the terminal of a process, and its null device.
 *
 * Nothing here is found by the name of a pty: the master's fd gives the other end (TIOCGPTPEER, CVE-2025-52565), and
 * /dev/console is bound by that fd. */
#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "procs/zygote/zygote.h"
#include "reactor/fault.h"

/* O_NONBLOCK: whatever stands there instead does not hold this process. */
int null_open(struct born *b)
{
	struct stat st;

	if (b->null >= 0)
		return b->null;
	b->null = place_open_plain(b->root, "/dev/null", O_RDWR | O_NOCTTY | O_NONBLOCK);
	if (b->null < 0)
		born_fail(b, "open /dev/null");
	if (fstat(b->null, &st) < 0 || !S_ISCHR(st.st_mode) || st.st_rdev != makedev(1, 3))
		born_refuse(b, "/dev/null is not the null device");
	fcntl(b->null, F_SETFL, O_RDWR);
	return b->null;
}

/* The master of the container's own devpts. */
static int open_master(const struct born *b)
{
	int fd = place_open_plain(b->root, "/dev/pts/ptmx", O_RDWR | O_NOCTTY | O_NONBLOCK);
	struct statfs fs;
	struct stat st;

	if (fd < 0)
		born_fail(b, "open /dev/pts/ptmx");
	if (fstatfs(fd, &fs) < 0 || fs.f_type != DEVPTS_SUPER_MAGIC || fstat(fd, &st) < 0 || !S_ISCHR(st.st_mode) ||
	    st.st_rdev != makedev(5, 2))
		born_refuse(b, "/dev/pts/ptmx is not the ptmx of a devpts");
	fcntl(fd, F_SETFL, O_RDWR);
	return fd;
}

static void send_master(const struct born *b, int master)
{
	union {
		struct cmsghdr head;
		char space[CMSG_SPACE(sizeof(int))];
	} control = { 0 };
	char name[] = "/dev/ptmx";
	struct iovec iov = { name, sizeof(name) - 1 };
	struct msghdr msg = {
		.msg_iov = &iov, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof(control),
	};

	control.head = (struct cmsghdr){ CMSG_LEN(sizeof(int)), SOL_SOCKET, SCM_RIGHTS };
	memcpy(CMSG_DATA(&control.head), &master, sizeof(int));
	if (EFFECT(sendmsg(b->fds[ZYGOTE_CONSOLE], &msg, MSG_NOSIGNAL)) < 0)
		born_fail(b, "send the terminal");
}

/* A first process sees its terminal as /dev/console too. */
static void bind_console(const struct born *b, int terminal)
{
	int place = place_make_file(b->root, "/dev/console");
	int tree = open_tree(terminal, "", OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_EMPTY_PATH);

	if (place < 0 || tree < 0 ||
	    EFFECT(move_mount(tree, "", place, "", MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH)) < 0)
		born_fail(b, "bind the terminal to /dev/console");
	close(place);
	close(tree);
}

void console_make(struct born *b)
{
	int master, zero = 0;

	if (!(b->words->flags & PLAN_TERMINAL))
		return;
	master = open_master(b);
	if (ioctl(master, TIOCSPTLCK, &zero) < 0)
		born_fail(b, "unlock the terminal");
	b->terminal = ioctl(master, TIOCGPTPEER, O_RDWR | O_NOCTTY | O_CLOEXEC);
	if (b->terminal < 0)
		born_fail(b, "open the terminal");
	if (fchown(b->terminal, b->plan->uid, (gid_t)-1) < 0)
		born_fail(b, "own the terminal");
	if (b->plan->kind == PLAN_RUN)
		bind_console(b, b->terminal);
	send_master(b, master);
	close(master);
	if (ioctl(b->terminal, TIOCSCTTY, 0) < 0)
		born_fail(b, "setctty");
}
