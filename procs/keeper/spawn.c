/* spawn.c - see spawn.h.
 *
 * The keeper is small and has one thread. So clone3(2) without CLONE_VM costs only 35 us, and the child may use all of
 * libc before execve(2). Every call that may block (cgroup files, setns, unshare, execve itself) is made in the
 * child. */
#include "procs/keeper/spawn.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/close_range.h>
#include <linux/keyctl.h>
#include <linux/nsfs.h>
#include <linux/sched.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "procs/keeper/hide.h"
#include "procs/keeper/underway.h"
#include "reactor/fault.h"
#include "reactor/no_core.h"
#include "reactor/own.h"

enum { OOM_LOWERED = -999, EXIT_NOT_STARTED = 127 };
/* What the gate says, in one piece. */
struct gate_word {
	int32_t slot;     /* of underway.h; -1: none */
	uint32_t outlives;
};

static struct rlimit nofile_at_start, core_at_start;
static int oom_at_start, oom_now;
static int devnull = -1;
static pid_t keeper_pid;

static int oom_read(void)
{
	auto_fd int fd = open("/proc/self/oom_score_adj", O_RDONLY | O_CLOEXEC);
	char text[16] = "";

	return fd >= 0 && read(fd, text, sizeof(text) - 1) > 0 ? (int)strtol(text, NULL, 10) : 0;
}

static int oom_write(int value)
{
	auto_fd int fd = open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC);
	char text[16];
	int n = snprintf(text, sizeof(text), "%d", value);

	return fd >= 0 && write(fd, text, (size_t)n) == n ? 0 : -1;
}

void spawn_no_core(void)
{
	no_core(&core_at_start);
}

int spawn_open(struct err *e)
{
	struct rlimit raised;

	keeper_pid = getpid();
	umask(022);
	signal(SIGPIPE, SIG_IGN);
	devnull = open("/dev/null", O_RDWR | O_CLOEXEC);
	if (devnull < 0)
		return err_os(e, ERR_INTERNAL, "open /dev/null");
	getrlimit(RLIMIT_NOFILE, &nofile_at_start);
	raised = (struct rlimit){ nofile_at_start.rlim_max, nofile_at_start.rlim_max };
	setrlimit(RLIMIT_NOFILE, &raised);
	oom_at_start = oom_now = oom_read();
	if (oom_at_start > OOM_LOWERED && oom_write(OOM_LOWERED) == 0)
		oom_now = OOM_LOWERED;
	return 0;
}

/* ---- in the child ---- */

static _Noreturn void birth_fail(int fd, const char *step, const char *what)
{
	const char *name = strerrorname_np(errno);
	char text[BIRTH_TEXT_MAX];
	int n = snprintf(text, sizeof(text), "%s%s%s: %s (%s)", step, what ? " " : "", what ? what : "",
			 strerror(errno), name ? name : "?");

	if (n >= (int)sizeof(text))
		n = sizeof(text) - 1;
	if (write(fd, text, (size_t)n) < 0) {
		/* The keeper died: there is no process left to report to. */
	}
	_exit(EXIT_NOT_STARTED);
}

/* CLONE_CLEAR_SIGHAND reset the keeper's handlers. Ignored signals are still ignored, blocked ones still blocked. */
static void birth_reset_signals(void)
{
	/* the kernel's struct sigaction, all zero: SIG_DFL */
	static const struct { unsigned long words[4]; } by_default;
	sigset_t none;

	/* The program that started the keeper may have ignored some signals: a shell ignores SIGINT and SIGQUIT for a
	 * background process, and under GNU make 32 and 33 were found ignored. glibc reserves those two, so signal(2)
	 * cannot reset them: hence the raw system call. (ARCHITECTURE K11) */
	for (int sig = 1; sig < NSIG; sig++)
		/* fails for SIGKILL and SIGSTOP, which always have their default action */
		syscall(SYS_rt_sigaction, sig, &by_default, NULL, _NSIG / 8);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
}

/* A value that the keeper is not allowed to set becomes the value with which the keeper was started. */
static void birth_adjust_oom(int wanted)
{
	if (wanted != oom_now && oom_write(wanted) < 0)
		(void)oom_write(oom_at_start);
}

/* setns(2) into a user namespace gives all capabilities in it, but execve(2) takes them from a process that is not root
 * in that namespace. So the child becomes root in it. */
static void birth_enter(int ns, int fail_fd)
{
	if (setns(ns, 0) < 0)
		birth_fail(fail_fd, "setns", NULL);
	if (ioctl(ns, NS_GET_NSTYPE) != CLONE_NEWUSER)
		return;
	if (setgroups(0, NULL) < 0 || setresgid(0, 0, 0) < 0 || setresuid(0, 0, 0) < 0)
		birth_fail(fail_fd, "become root of a user namespace", NULL);
}

/* A process without a session keyring has the one of its user, which all processes of the user on the node share: a
 * container in which crun starts an exec could read it. ENOSYS: a kernel without keys. EPERM: the keeper itself is
 * confined and reaches no key. (ARCHITECTURE P122) */
static void birth_join_keyring(int fail_fd)
{
	if (syscall(SYS_keyctl, KEYCTL_JOIN_SESSION_KEYRING, NULL) < 0 && errno != ENOSYS && errno != EPERM)
		birth_fail(fail_fd, "join a session keyring", NULL);
}

static void birth_join(const struct child_request *r, int fail_fd)
{
	const char *step;

	for (const char **t = r->join_tasks; t && *t; t++) {
		auto_fd int fd = open(*t, O_WRONLY | O_CLOEXEC);

		if (fd < 0 || write(fd, "0", 1) != 1)
			birth_fail(fail_fd, "join", *t);
	}
	for (uint32_t i = 0; i < r->nenter; i++)
		birth_enter(r->enter[i], fail_fd);
	if ((r->unshare & ~(uint32_t)CLONE_NEWPID) && unshare((int)(r->unshare & ~(uint32_t)CLONE_NEWPID)) < 0)
		birth_fail(fail_fd, "unshare", NULL);
	if (r->hide_path && hide_mount(r->hide_path, &step) < 0)
		birth_fail(fail_fd, step, r->hide_path);
}

/* Duplicates fd to a number that is not below base, so that dup2() to the child's numbers cannot close it. */
static int birth_lift_fd(int fd, int base, int fail_fd)
{
	int lifted = fd >= base ? fd : fcntl(fd, F_DUPFD_CLOEXEC, base);

	if (lifted < 0)
		birth_fail(fail_fd, "duplicate an fd", NULL);
	return lifted;
}

/* Before the first dup2() all sources are above all targets, so that any permutation of numbers comes out right. */
static int birth_arrange_fds(const struct child_request *r, int fail_fd)
{
	bool used[CHILD_FD_MAX + 1] = { false };
	int src[IMSG_FDS_MAX], base = 3, null;

	for (uint32_t i = 0; i < r->nfds; i++) {
		used[r->theirs[i]] = true;
		if (r->theirs[i] >= base)
			base = r->theirs[i] + 1;
	}
	fail_fd = birth_lift_fd(fail_fd, base, fail_fd);
	null = birth_lift_fd(devnull, base, fail_fd);
	for (uint32_t i = 0; i < r->nfds; i++)
		src[i] = birth_lift_fd(r->fds[i], base, fail_fd);
	for (uint32_t i = 0; i < r->nfds; i++)
		if (dup2(src[i], r->theirs[i]) < 0)
			birth_fail(fail_fd, "dup2", NULL);
	for (int n = 0; n < base; n++) {
		if (used[n])
			continue;
		if (n > 2)
			close(n);
		else if (dup2(null, n) < 0)
			birth_fail(fail_fd, "dup2", NULL);
	}
	if (close_range((unsigned)base, ~0u, CLOSE_RANGE_CLOEXEC) < 0)
		birth_fail(fail_fd, "close_range", NULL);
	return fail_fd;
}

/* The keeper has written down that this child exists, or could not, and says whether it may outlive the keeper. End of
 * file: the keeper is dead, and nothing says that there is this child. (ARCHITECTURE K42) */
static void birth_gate(const int gate[2])
{
	struct gate_word word;
	ssize_t n;

	close(gate[1]);
	do
		n = read(gate[0], &word, sizeof(word));
	while (n < 0 && errno == EINTR);
	if (n != sizeof(word))
		_exit(EXIT_NOT_STARTED);
	if (word.outlives)
		prctl(PR_SET_PDEATHSIG, 0);
	underway_child_goes(word.slot);
}

static _Noreturn void be_born(const struct child_request *r, bool daemon, const int *gate, int fail_fd)
{
	setsid();
	/* The child does not outlive the keeper: after the keeper's death crispd is told that the child is lost. Not so
	 * crispd itself, and a child that passes the gate with leave to. The children of the child do not inherit the
	 * death signal. */
	if (!daemon) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		if (!(r->unshare & CLONE_NEWPID) && getppid() != keeper_pid)
			/* the keeper died before prctl(): its signal will not come (ARCHITECTURE K6) */
			_exit(EXIT_NOT_STARTED);
	}
	birth_join_keyring(fail_fd);
	birth_adjust_oom(r->oom_score_adj ? r->oom_score_adj : daemon ? oom_now : oom_at_start);
	birth_join(r, fail_fd);
	if (chdir(r->cwd) < 0)
		birth_fail(fail_fd, "chdir", r->cwd);
	if (gate)
		birth_gate(gate);
	fail_fd = birth_arrange_fds(r, fail_fd);
	if (!daemon) {
		setrlimit(RLIMIT_NOFILE, &nofile_at_start);
		setrlimit(RLIMIT_CORE, &core_at_start);
	}
	birth_reset_signals();
	execve(r->argv[0], (char *const *)r->argv, (char *const *)r->envp);
	birth_fail(fail_fd, "execve", NULL);
}

/* ---- in the keeper ---- */

static pid_t clone_child(uint64_t flags, int cgroup_fd)
{
	struct clone_args args = { .flags = flags | CLONE_CLEAR_SIGHAND, .exit_signal = SIGCHLD };
	pid_t pid;

	if (cgroup_fd >= 0) {
		args.flags |= CLONE_INTO_CGROUP;
		args.cgroup = (uint64_t)cgroup_fd;
	}
	if (fault_fails("spawn", "clone_child", "clone3", "before"))
		return -1;
	pid = (pid_t)syscall(SYS_clone3, &args, sizeof(args));
	if (pid != 0) /* not in the child */
		fault_at("spawn", "clone_child", "clone3", "after");
	return pid;
}

static pid_t not_born(const char *what, struct err *e)
{
	/* EAGAIN: the limit of processes */
	return err_os(e, errno == EAGAIN ? ERR_RESOURCE_EXHAUSTED : ERR_INTERNAL, "%s", what);
}

static void close_both(const int ends[2])
{
	close(ends[0]);
	close(ends[1]);
}

static pid_t spawn_gated(const struct child_request *r, bool daemon, const int *gate, int *fail_fd, struct err *e)
{
	int ends[2];
	pid_t pid;

	if (pipe2(ends, O_CLOEXEC | O_NONBLOCK) < 0)
		return not_born("pipe", e);
	pid = clone_child(r->unshare & CLONE_NEWPID, r->cgroup_fd);
	if (pid == 0)
		be_born(r, daemon, gate, ends[1]);
	close(ends[1]);
	if (pid < 0) {
		not_born("clone3", e);
		close(ends[0]);
		return -1;
	}
	*fail_fd = ends[0];
	return pid;
}

pid_t spawn(const struct child_request *r, bool daemon, int *fail_fd, struct err *e)
{
	return spawn_gated(r, daemon, NULL, fail_fd, e);
}

pid_t spawn_waiting(const struct child_request *r, int *gate, int *fail_fd, struct err *e)
{
	int ends[2];
	pid_t pid;

	if (pipe2(ends, O_CLOEXEC) < 0)
		return not_born("pipe", e);
	pid = spawn_gated(r, false, ends, fail_fd, e);
	if (pid < 0) {
		close_both(ends);
		return -1;
	}
	close(ends[0]);
	*gate = ends[1];
	return pid;
}

void spawn_go(int gate, bool outlives, int slot)
{
	const struct gate_word word = { slot, outlives };

	if (write(gate, &word, sizeof(word)) < 0) {
		/* The child has ended: the reaper tells. */
	}
	close(gate);
}

pid_t spawn_fn(void (*fn)(void *arg), void *arg, struct err *e)
{
	pid_t pid = clone_child(0, -1);

	if (pid == 0) {
		setsid();
		birth_reset_signals();
		fn(arg);
		_exit(EXIT_NOT_STARTED);
	}
	return pid < 0 ? not_born("clone3", e) : pid;
}

void spawn_kill_group(pid_t pid)
{
	/* The group exists once the child has called setsid(); before that only the child itself can be killed. The
	 * first kill() may come too early, and between it and the second the child may have made the group and a child
	 * in it. */
	EFFECT(kill(-pid, SIGKILL));
	EFFECT(kill(pid, SIGKILL));
	EFFECT(kill(-pid, SIGKILL));
}
