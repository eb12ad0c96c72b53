/* inside.c - see floor.h: mount(2), pivot_root(2), capabilities(7), seccomp(2).
 *
 * The mounts, masks and devices are those of a container that a kubelet asks for and that says nothing else. */
#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "bench/floor/floor.h"
#include "bench/floor/message.h"

enum { LEAVES = 117, CAPABILITIES = 41 };

static void bind_at(const char *from, const char *to, bool read_only)
{
	need(mount(from, to, NULL, MS_BIND | MS_REC, NULL) == 0, to);
	need(!read_only || mount(NULL, to, NULL, MS_BIND | MS_REMOUNT | MS_RDONLY, NULL) == 0, to);
}

static void mount_devices(void)
{
	static const struct {
		const char *path;
		unsigned major, minor;
	} nodes[] = { { "dev/null", 1, 3 },   { "dev/zero", 1, 5 },    { "dev/full", 1, 7 },
		      { "dev/random", 1, 8 }, { "dev/urandom", 1, 9 }, { "dev/tty", 5, 0 } };
	static const char *const links[][2] = {
		{ "pts/ptmx", "dev/ptmx" },	    { "/proc/self/fd", "dev/fd" },
		{ "/proc/self/fd/0", "dev/stdin" },  { "/proc/self/fd/1", "dev/stdout" },
		{ "/proc/self/fd/2", "dev/stderr" }, { "/proc/kcore", "dev/core" },
	};

	need(mount("tmpfs", "dev", "tmpfs", MS_NOSUID | MS_STRICTATIME, "mode=755,size=65536k") == 0, "dev");
	for (size_t i = 0; i < sizeof(nodes) / sizeof(*nodes); i++)
		need(mknod(nodes[i].path, S_IFCHR | 0666, makedev(nodes[i].major, nodes[i].minor)) == 0, nodes[i].path);
	for (size_t i = 0; i < sizeof(links) / sizeof(*links); i++)
		need(symlink(links[i][0], links[i][1]) == 0, links[i][1]);
	need(mkdir("dev/pts", 0755) == 0 && mkdir("dev/mqueue", 0755) == 0 && mkdir("dev/shm", 0755) == 0, "dev/pts");
	need(mount("devpts", "dev/pts", "devpts", MS_NOSUID | MS_NOEXEC, "newinstance,ptmxmode=0666,mode=0620,gid=5") ==
		     0,
	     "dev/pts");
	need(mount("mqueue", "dev/mqueue", "mqueue", MS_NOSUID | MS_NOEXEC | MS_NODEV, NULL) == 0, "dev/mqueue");
}

static void mount_cgroups(unsigned n)
{
	char from[PATH_ROOM], to[PATH_ROOM];

	if (cgroups_are_v2()) {
		need(mount("cgroup", "sys/fs/cgroup", "cgroup2", MS_NOSUID | MS_NOEXEC | MS_NODEV | MS_RDONLY, NULL) ==
			     0,
		     "cgroup2");
		return;
	}
	need(mount("tmpfs", "sys/fs/cgroup", "tmpfs", MS_NOSUID | MS_NOEXEC | MS_NODEV, "mode=755") == 0,
	     "sys/fs/cgroup");
	for (unsigned i = 0; i < cgroups_count(); i++) {
		snprintf(from, sizeof(from), "%s/%u", cgroups_at(i), n);
		snprintf(to, sizeof(to), "sys/fs/cgroup/%u", i);
		need(mkdir(to, 0755) == 0, to);
		bind_at(from, to, true);
	}
}

/* /etc/hosts and its like, the pod's shm, and the volumes. */
static void mount_files(const struct floor *f)
{
	static const char *const files[] = { "hosts", "hostname", "resolv.conf" };
	char from[PATH_ROOM], to[PATH_ROOM];

	for (size_t i = 0; i < sizeof(files) / sizeof(*files); i++) {
		snprintf(from, sizeof(from), "%s/files/%s", f->dir, files[i]);
		snprintf(to, sizeof(to), "etc/%s", files[i]);
		bind_at(from, to, false);
	}
	snprintf(from, sizeof(from), "%s/shm", f->dir);
	bind_at(from, "dev/shm", false);
	for (unsigned i = 0; i < f->mounts; i++) {
		snprintf(from, sizeof(from), "%s/volume", f->dir);
		snprintf(to, sizeof(to), "volumes/%u", i);
		bind_at(from, to, false);
	}
}

static void hide_paths(void)
{
	static const char *const masked[] = {
		"/proc/asound",	       "/proc/acpi",	    "/proc/interrupts",	 "/proc/kcore",
		"/proc/keys",	       "/proc/latency_stats", "/proc/timer_list", "/proc/timer_stats",
		"/proc/sched_debug",   "/proc/scsi",	    "/sys/firmware",	 "/sys/devices/virtual/powercap",
	};
	static const char *const fixed[] = { "/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger" };

	for (size_t i = 0; i < sizeof(masked) / sizeof(*masked); i++) {
		if (mount("/dev/null", masked[i], NULL, MS_BIND, NULL) == 0 || errno == ENOENT)
			continue;
		need(errno == ENOTDIR && mount("tmpfs", masked[i], "tmpfs", MS_RDONLY, "size=0") == 0, masked[i]);
	}
	for (size_t i = 0; i < sizeof(fixed) / sizeof(*fixed); i++)
		if (access(fixed[i], F_OK) == 0) /* not every kernel has each of them */
			bind_at(fixed[i], fixed[i], true);
}

void inside_mounts(const struct floor *f, unsigned n)
{
	char options[4 * PATH_ROOM], root[PATH_ROOM];

	snprintf(root, sizeof(root), "%s/root", f->dir);
	snprintf(options, sizeof(options), "lowerdir=%s/lower,upperdir=%s/%u/upper,workdir=%s/%u/work", f->dir, f->dir,
		 n, f->dir, n);
	need(mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0, "private");
	need(mount("overlay", root, "overlay", 0, options) == 0, "overlay");
	need(chdir(root) == 0, root);
	need(mount("proc", "proc", "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL) == 0, "proc");
	mount_devices();
	if (f->host_network) /* sysfs belongs to a network namespace: a bind, as runtimes do where it is the host's */
		bind_at("/sys", "sys", true);
	else
		need(mount("sysfs", "sys", "sysfs", MS_NOSUID | MS_NODEV | MS_NOEXEC | MS_RDONLY, NULL) == 0, "sys");
	mount_cgroups(n);
	mount_files(f);
	need(syscall(SYS_pivot_root, ".", ".") == 0, "pivot_root");
	need(umount2(".", MNT_DETACH) == 0, "old root");
	hide_paths();
}

static struct sock_filter *tree(struct sock_filter *at, unsigned from, unsigned to)
{
	unsigned middle = (from + to) / 2;
	struct sock_filter *left = at + 2, *right;

	if (to - from == 1) {
		*at = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
		return at + 1;
	}
	right = tree(left, from, middle);
	at[0] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JGE | BPF_K, middle, 0, 1);
	at[1] = (struct sock_filter)BPF_STMT(BPF_JMP | BPF_JA, (unsigned)(right - left));
	return tree(right, middle, to);
}

/* As long as a compiled default profile, and a binary tree like it. Every system call is allowed: only the cost of
 * loading the program is measured. */
void inside_confine(void)
{
	static struct sock_filter code[3 * LEAVES];
	struct sock_fprog program = { 0, code };

	code[0] = (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr));
	program.len = (unsigned short)(tree(code + 1, 0, LEAVES) - code);
	for (int cap = 0; cap < CAPABILITIES; cap++)
		prctl(PR_CAPBSET_DROP, cap, 0, 0, 0);
	need(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0, "no_new_privs");
	need(syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &program) == 0, "seccomp");
}

void inside_run(int out, char *const *argv, struct marks *m)
{
	need(dup2(out, 1) == 1, "stdout");
	inside_confine();
	mark(m, CONFINED);
	execv("/bin/busybox", argv);
	need(0, "/bin/busybox");
	_exit(1);
}
