/* life.c - see floor.h: a container's start and end. Specs: clone(2), pidfd_open(2). */
#include <fcntl.h>
#include <linux/sched.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bench/floor/floor.h"
#include "bench/floor/message.h"

static void container(const struct floor *f, unsigned n, int go, int out, struct marks *m)
{
	static char *const argv[] = { (char *)"sh", (char *)"-c", (char *)"echo up; exec sleep 1000000", NULL };
	char byte;

	mark(m, BORN);
	if (!f->host_network) {
		need(f->pooled < 0 || setns(f->pooled, CLONE_NEWNET) == 0, "setns");
		need(read(go, &byte, 1) == 1, "go");
		network_configure(f, n);
		need(sethostname("floor", 5) == 0, "host name");
	}
	mark(m, CONNECTED);
	cgroups_join(n);
	mark(m, JOINED);
	inside_mounts(f, n);
	mark(m, MOUNTED);
	inside_run(out, argv, m);
}

static void make_dirs(const char *dir, unsigned n)
{
	static const char *const names[] = { "", "upper", "work" };
	char path[PATH_ROOM];

	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++) {
		snprintf(path, sizeof(path), "%s/%u/%s", dir, n, names[i]);
		need(mkdir(path, 0755) == 0, path);
	}
}

void life_up(struct floor *f, struct life *l, struct marks *m)
{
	uint64_t net = f->host_network ? 0 : CLONE_NEWUTS | (f->pool ? 0 : CLONE_NEWNET);
	struct clone_args args = { .flags = CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWIPC | net, .exit_signal = SIGCHLD };
	int go[2], out[2], executed[2], group;
	char byte;

	need(pipe2(go, O_CLOEXEC) == 0 && pipe2(out, O_CLOEXEC) == 0 && pipe2(executed, O_CLOEXEC) == 0, "pipe");
	mark(m, BEGUN);
	cgroups_make(l->n);
	make_dirs(f->dir, l->n);
	group = cgroups_fd(l->n);
	if (group >= 0) {
		args.flags |= CLONE_INTO_CGROUP;
		args.cgroup = (uint64_t)group;
	}
	mark(m, MADE);
	l->pid = (pid_t)syscall(SYS_clone3, &args, sizeof(args));
	need(l->pid >= 0, "clone3");
	if (l->pid == 0)
		container(f, l->n, go[0], out[1], m);
	close(out[1]);
	close(executed[1]);
	if (!f->host_network) {
		network_pair(f, l->n, l->pid);
		need(write(go[1], "", 1) == 1, "go");
	}
	need(read(executed[0], &byte, 1) == 0, "exec"); /* end of file: execve has closed the child's end */
	mark(m, EXECUTED);
	need(read(out[0], &byte, 1) == 1, "first byte");
	mark(m, WROTE);
	close(go[0]);
	close(go[1]);
	close(out[0]);
	close(executed[0]);
	if (group >= 0)
		close(group);
	if (f->pooled >= 0)
		close(f->pooled); /* the container has it */
	f->pooled = -1;
}

void life_down(const struct floor *f, const struct life *l)
{
	static const char *const made[] = { "upper", "work/work", "work", "" };
	char path[PATH_ROOM];

	kill(l->pid, SIGKILL);
	waitpid(l->pid, NULL, 0);
	cgroups_remove(l->n);
	for (size_t i = 0; i < sizeof(made) / sizeof(*made); i++) {
		snprintf(path, sizeof(path), "%s/%u/%s", f->dir, l->n, made[i]);
		rmdir(path);
	}
}
