/* host.c - see zygote.h: what a process does in the host's mount namespace, before anything of the container exists.
 *
 * Here paths of the host are opened, by this process alone: a file system that does not answer holds this one start.
 * Each source becomes a detached tree, which is attached below the new root later, so that no path of the host is
 * looked up with the container's files in sight. On v1 "0" is written to `tasks`: to move itself costs a process 35 us,
 * and a write to cgroup.procs waits 7 to 15 ms for an RCU grace period. */
#include <errno.h>
#include <fcntl.h>
#include <linux/bpf.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "procs/zygote/zygote.h"
#include "reactor/fault.h"

static int write_text(int at, const char *path, const char *text)
{
	int fd = openat(at, path, O_WRONLY | O_CLOEXEC), failed;
	ssize_t n;

	if (fd < 0)
		return -1;
	n = EFFECT(write(fd, text, strlen(text)));
	failed = errno;
	close(fd);
	errno = failed;
	return n < 0 ? -1 : 0;
}

/* Lines for one file, such as the device rules of v1, follow each other: it is opened once. */
static void host_writes(const struct born *b)
{
	const struct plan_write *w = plan_at(b->plan, b->plan->writes);
	const char *open_path = "";
	int fd = -1;

	for (uint32_t i = 0; i < b->plan->writes.n; i++) {
		const char *path = plan_text(b->plan, w[i].path), *text = plan_text(b->plan, w[i].text);

		if (strcmp(path, open_path) != 0) {
			if (fd >= 0)
				close(fd);
			fd = open(path, O_WRONLY | O_CLOEXEC);
			open_path = fd >= 0 ? path : "";
		}
		if ((fd < 0 || pwrite(fd, text, strlen(text), 0) < 0) && !(w[i].flags & PLAN_WRITE_TRY))
			born_fail(b, PLAN_GROUP_WORDS "failed to write \"%s\": write %s", text, path);
	}
	if (fd >= 0)
		close(fd);
}

/* Kernel Documentation/admin-guide/cgroup-v2.rst, "Device controller". BPF_F_ALLOW_MULTI: programs of the groups above
 * are asked too. */
static void host_device_program(const struct born *b)
{
	const char *dir = plan_text(b->plan, b->plan->device_group);
	union bpf_attr load = { .prog_type = BPF_PROG_TYPE_CGROUP_DEVICE,
				.insns = (uint64_t)(uintptr_t)plan_at(b->plan, b->plan->device_program),
				.insn_cnt = b->plan->device_program.n, .license = (uint64_t)(uintptr_t)"Apache-2.0" };
	union bpf_attr attach = { .attach_type = BPF_CGROUP_DEVICE, .attach_flags = BPF_F_ALLOW_MULTI };
	int program, group;

	if (!dir)
		return;
	program = (int)syscall(SYS_bpf, BPF_PROG_LOAD, &load, sizeof(load));
	if (program < 0)
		born_fail(b, "failed to load the device filter");
	group = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	attach.target_fd = (uint32_t)group;
	attach.attach_bpf_fd = (uint32_t)program;
	if (group < 0 || EFFECT(syscall(SYS_bpf, BPF_PROG_ATTACH, &attach, sizeof(attach))) < 0)
		born_fail(b, "failed to attach the device filter to %s", dir);
	close(group);
	close(program);
}

static void host_joins(const struct born *b)
{
	const uint32_t *path = plan_at(b->plan, b->plan->joins);

	for (uint32_t i = 0; i < b->plan->joins.n; i++)
		if (write_text(AT_FDCWD, plan_text(b->plan, path[i]), "0") < 0)
			born_fail(b, PLAN_GROUP_WORDS "write %s", plan_text(b->plan, path[i]));
}

/* mount_setattr(2) for a tree that is not attached yet: nobody sees it with other flags. The propagation is that of the
 * whole tree, as an OCI runtime's "rprivate" and "rslave" are; one call does both where the flags are so too, or where
 * the tree is one mount. */
static void host_dress(const struct born *b, const struct plan_mount *m)
{
	struct mount_attr flags = { .attr_set = m->set, .attr_clr = m->clear }, both = flags;
	bool whole = m->flags & PLAN_MOUNT_ATTR_RECURSIVE, single = !(m->flags & PLAN_MOUNT_RECURSIVE);
	bool apart = m->propagation && !whole && !single;

	both.propagation = m->propagation;
	if (apart && mount_setattr(m->fd, "", AT_EMPTY_PATH | AT_RECURSIVE,
				   &(struct mount_attr){ .propagation = m->propagation }, sizeof(both)) < 0)
		born_fail(b, "failed to set the propagation of the mount at %s", plan_text(b->plan, m->target));
	if ((m->set || m->clear || (m->propagation && !apart)) &&
	    mount_setattr(m->fd, "", AT_EMPTY_PATH | (whole ? AT_RECURSIVE : 0), apart ? &flags : &both,
			  sizeof(both)) < 0)
		born_fail(b, "failed to set the flags of the mount at %s", plan_text(b->plan, m->target));
}

static void host_sources(const struct born *b)
{
	struct plan_mount *m = plan_at(b->plan, b->plan->mounts);
	struct stat st;

	for (uint32_t i = 0; i < b->plan->mounts.n; i++) {
		const char *source = plan_text(b->plan, m[i].source);

		if (m[i].kind != PLAN_MOUNT_BIND)
			continue;
		m[i].fd = open_tree(AT_FDCWD, source, OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC |
				    (m[i].flags & PLAN_MOUNT_RECURSIVE ? AT_RECURSIVE : 0));
		if (m[i].fd < 0 || fstat(m[i].fd, &st) < 0)
			born_fail(b, "failed to fulfil mount request: open %s", source);
		m[i].is_file = !S_ISDIR(st.st_mode);
		host_dress(b, &m[i]);
	}
}

static void host_root(struct born *b)
{
	const char *path = plan_text(b->plan, b->plan->rootfs);
	struct mount_attr alone = { .propagation = MS_PRIVATE };

	b->root = open_tree(AT_FDCWD, path, OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_RECURSIVE);
	if (b->root < 0 || mount_setattr(b->root, "", AT_EMPTY_PATH | AT_RECURSIVE, &alone, sizeof(alone)) < 0)
		born_fail(b, "error preparing rootfs %s", path);
}

/* The namespaces of the pod, but for that of the PID: it is the last one, and holds for children only. */
static void host_namespaces(struct born *b)
{
	const struct plan_namespace *n = plan_at(b->plan, b->plan->namespaces);
	int fds[16];

	for (uint32_t i = 0; i < b->plan->namespaces.n; i++) {
		fds[i] = open(plan_text(b->plan, n[i].path), O_RDONLY | O_CLOEXEC);
		if (fds[i] < 0)
			born_fail(b, "failed to open the namespace %s", plan_text(b->plan, n[i].path));
	}
	for (uint32_t i = 0; i < b->plan->namespaces.n; i++) {
		if (n[i].flag == CLONE_NEWPID) {
			b->pid_namespace = fds[i];
			continue;
		}
		if (setns(fds[i], (int)n[i].flag) < 0)
			born_fail(b, "failed to join the namespace %s", plan_text(b->plan, n[i].path));
		close(fds[i]);
	}
}

/* Through a procfs of the zygote's own: the container's /proc may be anything (CVE-2019-16884, CVE-2025-52881). A
 * child inherits what stands here until it executes a program. */
static void host_apparmor(const struct born *b)
{
	const char *profile = plan_text(b->plan, b->plan->apparmor);
	char text[512];

	if (!profile)
		return;
	if (snprintf(text, sizeof(text), "exec %s", profile) >= (int)sizeof(text))
		born_refuse(b, "unable to apply apparmor profile: its name is too long");
	if (write_text(b->proc, "thread-self/attr/apparmor/exec", text) < 0 &&
	    (errno != ENOENT || write_text(b->proc, "thread-self/attr/exec", text) < 0))
		born_fail(b, "unable to apply apparmor profile");
}

/* The contexts of the next program, and of the session keyring that is made before it. Both are gone with execve(2);
 * until then a child inherits them. ENOENT: a kernel without keys. */
static void host_selinux(const struct born *b)
{
	const char *label = plan_text(b->plan, b->plan->selinux);

	if (!label)
		return;
	if (write_text(b->proc, "thread-self/attr/exec", label) < 0)
		born_fail(b, "failed to set the SELinux exec label %s", label);
	if (b->plan->keyring && write_text(b->proc, "thread-self/attr/keycreate", label) < 0 && errno != ENOENT)
		born_fail(b, "failed to set the SELinux key label %s", label);
}

static void host_oom(const struct born *b)
{
	char text[16];

	snprintf(text, sizeof(text), "%d", b->plan->oom_score_adj);
	if (write_text(b->proc, "self/oom_score_adj", text) < 0)
		born_fail(b, "failed to set oom_score_adj to %s", text);
}

void host_steps(struct born *b)
{
	if (b->plan->kind != PLAN_WRITE)
		host_oom(b);
	if (setns(b->host, CLONE_NEWNS) < 0)
		born_fail(b, "failed to enter the host's mount namespace");
	if (b->plan->kind != PLAN_EXEC) /* the first process has done it for all */
		host_writes(b);
	if (b->plan->kind == PLAN_WRITE)
		return;
	if (b->plan->kind == PLAN_RUN)
		host_device_program(b);
	host_joins(b);
	host_apparmor(b);
	host_selinux(b);
	if (b->plan->kind == PLAN_EXEC)
		return;
	host_root(b);
	host_sources(b);
	host_namespaces(b);
	if (b->plan->flags & PLAN_NEW_CGROUP && unshare(CLONE_NEWCGROUP) < 0)
		born_fail(b, "failed to make a cgroup namespace");
	if (setns(b->tiny, CLONE_NEWNS) < 0 || unshare(CLONE_NEWNS) < 0)
		born_fail(b, "failed to make a mount namespace");
}
