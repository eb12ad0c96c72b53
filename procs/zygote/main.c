/* main.c - crisp-zygote: the process from which every container of a native handler begins.
 *
 *   keeper --request--> zygote --clone3--> process: host.c, tree.c, console.c, become.c --execve--> the program
 *
 * The zygote is small, links libc only, has a mount namespace with nothing in it and holds no secret: its children
 * copy next to nothing, and a start costs the same on a node with no and with thousands of mounts. It waits for one
 * request at a time and does nothing else. CLONE_PARENT makes the keeper the parent of every process.
 * Waits on: its socket (fd 3). End of file: the keeper is gone or has a new zygote; it ends.
 * (ARCHITECTURE N1, N2) */
#include <errno.h>
#include <fcntl.h>
#include <linux/close_range.h>
#include <linux/sched.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "procs/zygote/zygote.h"
#include "reactor/fault.h"

enum { SOCKET = 3, PROGRAM = 4, FAILED = 70, NOT_STARTED = 127 };

static struct born zero = { .host = -1, .tiny = -1, .proc = -1, .root = -1, .null = -1, .terminal = -1,
			    .pid_namespace = -1 };

/* ---- words for the keeper ---- */

static void tell(int fd, const char *text, size_t len)
{
	fault_at("send", "FAILED", "before");
	if (write(fd, text, len) < 0) {
		/* The keeper is gone: there is no process left to tell. */
	}
	fault_at("send", "FAILED", "after");
}

/* By write(2): a profile may be in force already, and this is a call that every profile allows. Without a keeper the
 * process must not go on, since no process would know it: SIGPIPE ends it. */
void born_tell(const struct born *b, char kind)
{
	const char *name = kind == BIRTH_BORN ? "BORN" : "EXECUTES";

	fault_at("send", name, "before");
	if (write(b->fds[ZYGOTE_BIRTH], &kind, 1) != 1)
		_exit(NOT_STARTED);
	fault_at("send", name, "after");
}

static size_t put_words(char *text, size_t size, const char *format, va_list args)
{
	int n;

	text[0] = BIRTH_FAILED;
	n = vsnprintf(text + 1, size - 1, format, args);
	return n < 0 ? 1 : (size_t)n + 1 < size ? (size_t)n + 1 : size - 1;
}

_Noreturn void born_refuse(const struct born *b, const char *format, ...)
{
	char text[BIRTH_PACKET_MAX];
	va_list args;

	va_start(args, format);
	tell(b->fds[ZYGOTE_BIRTH], text, put_words(text, sizeof(text), format, args));
	va_end(args);
	_exit(NOT_STARTED);
}

_Noreturn void born_fail(const struct born *b, const char *format, ...)
{
	const char *reason = strerrordesc_np(errno);
	char text[BIRTH_PACKET_MAX];
	va_list args;
	size_t len;
	int n;

	va_start(args, format);
	len = put_words(text, sizeof(text) - 80, format, args);
	va_end(args);
	n = snprintf(text + len, sizeof(text) - len, ": %c%s", reason ? reason[0] | 0x20 : '?',
		     reason ? reason + 1 : "");
	tell(b->fds[ZYGOTE_BIRTH], text, len + (size_t)n);
	_exit(NOT_STARTED);
}

/* ---- a process ---- */

void born_begin(struct born *b)
{
	struct pollfd keeper = { .fd = b->fds[ZYGOTE_BIRTH], .events = 0 };

	prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
	setsid();
	/* In a new PID namespace getppid(2) is 0, so the socket tells whether the keeper died before prctl(2). */
	if (poll(&keeper, 1, 0) != 0)
		_exit(NOT_STARTED);
	b->borns++;
	born_tell(b, BIRTH_BORN);
}

/* A keeper that dies before it answers takes the process with it; one that died before prctl(2) has a successor, which
 * answers. */
void born_wait_to_go(const struct born *b)
{
	char go[2];
	ssize_t n;

	do {
		n = recv(b->fds[ZYGOTE_BIRTH], go, sizeof(go), 0);
		if (n == 0 || (n < 0 && errno != EINTR))
			_exit(NOT_STARTED);
	} while (n != sizeof(go) || go[0] != BIRTH_GO || (unsigned char)go[1] < b->borns);
}

static pid_t clone_sibling(uint64_t flags, int group)
{
	/* exit_signal must be 0 with CLONE_PARENT (clone3: EINVAL); the process gets the zygote's, SIGCHLD. */
	struct clone_args args = { .flags = flags | CLONE_PARENT };
	pid_t pid;

	if (group >= 0) {
		args.flags |= CLONE_INTO_CGROUP;
		args.cgroup = (uint64_t)group;
	}
	if (fault_fails("main", "clone_sibling", "clone3", "before"))
		return -1;
	pid = (pid_t)syscall(SYS_clone3, &args, sizeof(args));
	if (pid != 0) /* not in the child */
		fault_at("main", "clone_sibling", "clone3", "after");
	return pid;
}

void born_again(struct born *b)
{
	pid_t pid = clone_sibling(0, -1);

	if (pid < 0)
		born_fail(b, "clone3");
	if (pid > 0)
		_exit(0);
	born_begin(b);
}

static struct plan *map_plan(const struct born *b, int fd)
{
	struct stat st;
	const char *wrong;
	void *at;

	if (fstat(fd, &st) < 0 || st.st_size > PLAN_MAX)
		born_refuse(b, "the plan cannot be read");
	at = mmap(NULL, (size_t)st.st_size, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0);
	if (at == MAP_FAILED)
		born_fail(b, "map the plan");
	wrong = plan_check(at, (size_t)st.st_size);
	if (wrong)
		born_refuse(b, "the plan is refused: %s", wrong);
	close(fd);
	return at;
}

/* A further process has its own words, and everything else as the container's first one. */
static void map_plans(struct born *b)
{
	b->words = b->plan = map_plan(b, b->fds[ZYGOTE_PLAN]);
	if (b->fds[ZYGOTE_WORDS] >= 0) {
		b->words = map_plan(b, b->fds[ZYGOTE_WORDS]);
		if (b->words->kind != PLAN_WORDS || b->plan->kind == PLAN_WRITE)
			born_refuse(b, "the plan is refused: it is of another kind");
		b->plan->kind = PLAN_EXEC;
		if (b->words->flags & PLAN_TERMINAL && b->plan->env_terminal.n)
			b->plan->env = b->plan->env_terminal;
	}
	if (b->plan->kind == PLAN_WORDS || (b->plan->kind == PLAN_EXEC && b->words == b->plan))
		born_refuse(b, "the plan is refused: it is a half");
}

/* A container may have thousands of mounts, each of which is an fd for a while. */
static struct rlimit raise_nofile(void)
{
	struct rlimit was = { 1024, 1024 };

	getrlimit(RLIMIT_NOFILE, &was);
	setrlimit(RLIMIT_NOFILE, &(struct rlimit){ was.rlim_max, was.rlim_max });
	return was;
}

static _Noreturn void born_first(struct born *b)
{
	struct rlimit nofile = raise_nofile();

	host_steps(b);
	close(b->host);
	close(b->tiny);
	close(b->proc);
	if (b->pid_namespace >= 0) {
		if (setns(b->pid_namespace, CLONE_NEWPID) < 0)
			born_fail(b, "failed to join the PID namespace");
		close(b->pid_namespace);
		born_again(b);
	}
	tree_enter(b);
	tree_mounts(b);
	tree_devices(b);
	console_make(b);
	tree_finish(b);
	become_keyring(b);
	setrlimit(RLIMIT_NOFILE, &nofile);
	become(b);
}

/* A user namespace is left out: setns(2) into one's own is EINVAL, and containers with another are not started
 * natively. The PID namespace holds for children only, so a second process goes on; fds of the host are closed before
 * (CVE-2016-9962). */
static _Noreturn void born_further(struct born *b)
{
	const int all = CLONE_NEWNS | CLONE_NEWNET | CLONE_NEWIPC | CLONE_NEWUTS | CLONE_NEWPID | CLONE_NEWCGROUP;

	host_steps(b);
	if (setns(b->fds[ZYGOTE_PIDFD], all) < 0)
		born_fail(b, "failed to join the container's namespaces");
	close(b->fds[ZYGOTE_PIDFD]);
	close(b->host);
	close(b->tiny);
	close(b->proc);
	born_again(b);
	b->root = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (b->root < 0)
		born_fail(b, "open the container's root");
	umask(022);
	console_make(b);
	become_keyring(b);
	become(b);
}

static _Noreturn void born(struct born *b)
{
	close(SOCKET);
	born_begin(b);
	map_plans(b);
	if (b->plan->kind == PLAN_RUN)
		born_first(b);
	if (b->plan->kind == PLAN_EXEC)
		born_further(b);
	host_steps(b);
	born_tell(b, BIRTH_EXECUTES);
	_exit(0);
}

/* ---- requests ---- */

static void take_fds(struct msghdr *msg, struct born *b, uint32_t bits)
{
	int got[ZYGOTE_FDS], n = 0, at = 0;

	for (struct cmsghdr *c = CMSG_FIRSTHDR(msg); c; c = CMSG_NXTHDR(msg, c)) {
		size_t more = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);

		if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS || more > (size_t)(ZYGOTE_FDS - n))
			continue;
		memcpy(got + n, CMSG_DATA(c), more * sizeof(int));
		n += (int)more;
	}
	for (int i = 0; i < ZYGOTE_FDS; i++)
		b->fds[i] = bits & 1u << i && at < n ? got[at++] : -1;
	while (at < n)
		close(got[at++]);
}

static void close_fds(const struct born *b)
{
	for (int i = 0; i < ZYGOTE_FDS; i++)
		if (b->fds[i] >= 0)
			close(b->fds[i]);
}

static void tell_from_zygote(int fd, const char *text, size_t len)
{
	if (send(fd, text, len, MSG_NOSIGNAL) < 0) {
		/* As above; and the zygote must not end by SIGPIPE. */
	}
}

static void make(struct born *b, const struct zygote_request *r)
{
	char words[BIRTH_PACKET_MAX];
	int n;
	pid_t pid;

	if (r->version != PLAN_VERSION || b->fds[ZYGOTE_BIRTH] < 0 || b->fds[ZYGOTE_PLAN] < 0) {
		n = snprintf(words, sizeof(words), "%cthe request is of another version", BIRTH_FAILED);
		return tell_from_zygote(b->fds[ZYGOTE_BIRTH], words, (size_t)n);
	}
	pid = clone_sibling(r->new_pid ? CLONE_NEWPID : 0, b->fds[ZYGOTE_GROUP]);
	if (pid == 0)
		born(b);
	if (pid < 0) {
		const char *reason = strerrordesc_np(errno);

		n = snprintf(words, sizeof(words), "%cclone3: %c%s", BIRTH_FAILED, reason ? reason[0] | 0x20 : '?',
			     reason ? reason + 1 : "");
		tell_from_zygote(b->fds[ZYGOTE_BIRTH], words, (size_t)n);
	}
}

/* False: the keeper is gone. */
static bool serve(void)
{
	struct zygote_request r = { 0 };
	union {
		struct cmsghdr head;
		char space[CMSG_SPACE(ZYGOTE_FDS * sizeof(int))];
	} control;
	struct iovec iov = { &r, sizeof(r) };
	struct msghdr msg = {
		.msg_iov = &iov, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof(control),
	};
	struct born b = zero;
	ssize_t n = recvmsg(SOCKET, &msg, MSG_CMSG_CLOEXEC);

	if (n < 0)
		return errno == EINTR;
	if (n == 0)
		return false;
	take_fds(&msg, &b, n == sizeof(r) ? r.fds : 0);
	fault_at("work", "REQUEST", "before");
	make(&b, &r);
	fault_at("work", "REQUEST", "after");
	close_fds(&b);
	return true;
}

/* ---- start ---- */

static _Noreturn void zygote_fail(const char *what)
{
	dprintf(STDERR_FILENO, "crisp-zygote: %s: %s\n", what, strerror(errno));
	_exit(FAILED);
}

static int private_proc(void)
{
	int fs = fsopen("proc", FSOPEN_CLOEXEC), tree;

	if (fs < 0 || fsconfig(fs, FSCONFIG_CMD_CREATE, NULL, NULL, 0) < 0)
		zygote_fail("open a procfs");
	tree = fsmount(fs, FSMOUNT_CLOEXEC, MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC);
	if (tree < 0)
		zygote_fail("open a procfs");
	close(fs);
	return tree;
}

/* An empty read-only tmpfs with one directory, to which the root of a container is attached for a moment. */
static void leave_the_host(void)
{
	const unsigned long plain = MS_NOSUID | MS_NODEV | MS_NOEXEC;

	if (unshare(CLONE_NEWNS) < 0 || EFFECT(mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL)) < 0 ||
	    EFFECT(mount("none", "/proc", "tmpfs", plain, "mode=0700,size=64k")) < 0 || chdir("/proc") < 0 ||
	    EFFECT(mkdir("r", 0700)) < 0 ||
	    EFFECT(mount(NULL, "/proc", NULL, MS_REMOUNT | MS_BIND | MS_RDONLY | plain, NULL)) < 0 ||
	    EFFECT(syscall(SYS_pivot_root, ".", ".")) < 0 || EFFECT(umount2(".", MNT_DETACH)) < 0 || chdir("/") < 0)
		zygote_fail("make an empty mount namespace");
}

int main(void)
{
	struct err faults;
	cpu_set_t all;

	close(PROGRAM);
	prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
	prctl(PR_SET_NAME, "crisp-zygote", 0, 0, 0); /* it was executed by an fd, and would be called "4" */
	if (fault_open("zygote", &faults) < 0)
		zygote_fail("open the directory of fault points");
	/* A container must not inherit the CPUs to which somebody bound the daemons. */
	memset(&all, 0xff, sizeof(all));
	sched_setaffinity(0, sizeof(all), &all);
	zero.host = open("/proc/self/ns/mnt", O_RDONLY | O_CLOEXEC);
	zero.proc = private_proc();
	if (zero.host < 0)
		zygote_fail("open the host's mount namespace");
	leave_the_host();
	zero.tiny = openat(zero.proc, "self/ns/mnt", O_RDONLY | O_CLOEXEC);
	if (zero.tiny < 0)
		zygote_fail("open its mount namespace");
	while (serve())
		;
	return 0;
}
