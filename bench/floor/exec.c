/* exec.c - see floor.h: a second process in a container. Specs: setns(2), clone(2).
 *
 * A PID namespace that is joined holds for children only. So the first child joins, clones the process with
 * CLONE_PARENT and ends; the caller is the parent of both. */
#include <fcntl.h>
#include <linux/sched.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bench/floor/floor.h"
#include "bench/floor/message.h"

static _Noreturn void join_and_clone(const struct floor *f, const struct life *l, int pidfd, int out, struct marks *m)
{
	static char *const argv[] = { (char *)"echo", (char *)"up", NULL };
	struct clone_args args = { .flags = CLONE_PARENT };
	int net = f->host_network ? 0 : CLONE_NEWNET | CLONE_NEWUTS;
	pid_t pid;

	mark(m, BORN);
	cgroups_join(l->n);
	mark(m, JOINED);
	need(setns(pidfd, CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWIPC | net) == 0, "setns");
	mark(m, MOUNTED);
	pid = (pid_t)syscall(SYS_clone3, &args, sizeof(args));
	need(pid >= 0, "clone3");
	if (pid == 0)
		inside_run(out, argv, m);
	m->second = pid;
	_exit(0);
}

void life_exec(const struct floor *f, const struct life *l, struct marks *m)
{
	struct clone_args args = { .exit_signal = SIGCHLD };
	int out[2], executed[2], pidfd, group, status;
	char byte;
	pid_t pid;

	need(pipe2(out, O_CLOEXEC) == 0 && pipe2(executed, O_CLOEXEC) == 0, "pipe");
	mark(m, BEGUN);
	pidfd = (int)syscall(SYS_pidfd_open, l->pid, 0);
	need(pidfd >= 0, "pidfd_open");
	group = cgroups_fd(l->n);
	if (group >= 0) {
		args.flags |= CLONE_INTO_CGROUP;
		args.cgroup = (uint64_t)group;
	}
	mark(m, MADE);
	pid = (pid_t)syscall(SYS_clone3, &args, sizeof(args));
	need(pid >= 0, "clone3");
	if (pid == 0)
		join_and_clone(f, l, pidfd, out[1], m);
	close(out[1]);
	close(executed[1]);
	need(waitpid(pid, &status, 0) == pid && status == 0, "the first process");
	need(read(executed[0], &byte, 1) == 0, "exec");
	mark(m, EXECUTED);
	need(read(out[0], &byte, 1) == 1, "first byte");
	mark(m, WROTE);
	need(waitpid(m->second, &status, __WALL) == m->second && status == 0, "the second process");
	mark(m, ENDED);
	close(out[0]);
	close(executed[0]);
	close(pidfd);
	if (group >= 0)
		close(group);
}
