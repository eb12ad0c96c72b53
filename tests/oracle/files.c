/* files.c - see probe.h: /dev, the root directory, sysctls, cgroup files, environment. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "tests/oracle/probe.h"

enum { DEPTH_MAX = 3 };

static void say_file(const char *path)
{
	char target[4096] = "", key[4200];
	struct stat s;
	ssize_t len;

	snprintf(key, sizeof(key), "file %s", path);
	if (lstat(path, &s) < 0) {
		say_errno(key, errno);
		return;
	}
	if (S_ISLNK(s.st_mode)) {
		len = readlink(path, target, sizeof(target) - 1);
		target[len > 0 ? len : 0] = '\0';
	}
	say(key, "mode=%o owner=%d:%d device=%u:%u%s%s", s.st_mode, (int)s.st_uid, (int)s.st_gid,
	    S_ISCHR(s.st_mode) || S_ISBLK(s.st_mode) ? major(s.st_rdev) : 0,
	    S_ISCHR(s.st_mode) || S_ISBLK(s.st_mode) ? minor(s.st_rdev) : 0, *target ? " -> " : "", target);
}

static void walk(const char *dir, int depth)
{
	struct dirent *entry;
	char path[4096];
	struct stat s;
	DIR *d = opendir(dir);

	if (!d)
		return;
	while ((entry = readdir(d))) {
		if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
			continue;
		snprintf(path, sizeof(path), "%s/%s", strcmp(dir, "/") == 0 ? "" : dir, entry->d_name);
		say_file(path);
		if (depth > 1 && lstat(path, &s) == 0 && S_ISDIR(s.st_mode))
			walk(path, depth - 1);
	}
	closedir(d);
}

/* Opened for reading and writing without effect: what the device rules allow. */
static void open_devices(void)
{
	static const char *const devices[] = { "/dev/null", "/dev/zero",    "/dev/full", "/dev/random",
					       "/dev/tty",  "/dev/urandom", "/dev/ptmx", "/dev/fuse" };
	char key[64];

	for (size_t i = 0; i < sizeof(devices) / sizeof(*devices); i++) {
		int fd = open(devices[i], O_RDWR | O_NOCTTY | O_CLOEXEC);

		snprintf(key, sizeof(key), "open %s", devices[i]);
		say_errno(key, fd < 0 ? errno : 0);
		if (fd >= 0)
			close(fd);
	}
}

/* The device cgroup, below what mknod(2) needs: a node of each kind is made in /dev and opened. */
static void device_rules(void)
{
	static const struct {
		const char *name;
		mode_t type;
		unsigned major, minor;
	} nodes[] = { { "mem", S_IFCHR, 1, 1 },	   { "kmsg", S_IFCHR, 1, 11 }, { "null", S_IFCHR, 1, 3 },
		      { "console", S_IFCHR, 5, 1 }, { "tun", S_IFCHR, 10, 200 }, { "fuse", S_IFCHR, 10, 229 },
		      { "loop0", S_IFBLK, 7, 0 },   { "nosuch", S_IFCHR, 239, 9 } };
	char key[64], path[64];

	for (size_t i = 0; i < sizeof(nodes) / sizeof(*nodes); i++) {
		int fd, made;

		snprintf(path, sizeof(path), "/dev/probe-%s", nodes[i].name);
		snprintf(key, sizeof(key), "mknod %s", nodes[i].name);
		made = mknod(path, nodes[i].type | 0600, makedev(nodes[i].major, nodes[i].minor));
		say_errno(key, made < 0 ? errno : 0);
		if (made < 0)
			continue;
		fd = open(path, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
		snprintf(key, sizeof(key), "rule %s", nodes[i].name);
		say_errno(key, fd < 0 ? errno : 0);
		if (fd >= 0)
			close(fd);
		unlink(path);
	}
}

static void say_content(const char *what, const char *path)
{
	char text[16384], key[4200];

	snprintf(key, sizeof(key), "%s %s", what, path);
	if (slurp(path, text, sizeof(text)) < 0)
		say_errno(key, errno);
	else
		say(key, "%s", text);
}

static void probe_sysctls(void)
{
	static const char *const names[] = {
		"kernel/shmmax", "kernel/shmall", "kernel/shmmni", "kernel/shm_rmid_forced", "kernel/msgmax",
		"kernel/msgmni", "kernel/msgmnb", "kernel/sem", "kernel/domainname", "fs/mqueue/msg_max",
		"fs/mqueue/queues_max", "net/ipv4/ip_unprivileged_port_start", "net/ipv4/ping_group_range",
		"net/ipv4/ip_local_port_range", "net/ipv4/ip_forward", "net/ipv4/tcp_syncookies",
		"net/core/somaxconn", "net/ipv4/conf/all/rp_filter", "user/max_user_namespaces",
		"kernel/ns_last_pid",
	};
	char path[128], key[192];

	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++) {
		snprintf(path, sizeof(path), "/proc/sys/%s", names[i]);
		if (strcmp(names[i], "kernel/ns_last_pid") != 0) /* changes by itself */
			say_content("sysctl", path);
		snprintf(key, sizeof(key), "sysctl-writable %s", path);
		say_errno(key, access(path, W_OK) == 0 ? 0 : errno);
	}
}

static void probe_cgroup_files(void)
{
	static const char *const names[] = {
		"cpu/cpu.shares", "cpu/cpu.cfs_quota_us", "cpu/cpu.cfs_period_us", "cpu/cpu.rt_runtime_us",
		"cpuset/cpuset.cpus", "cpuset/cpuset.mems", "cpuset/cgroup.clone_children",
		"memory/memory.limit_in_bytes", "memory/memory.memsw.limit_in_bytes",
		"memory/memory.soft_limit_in_bytes", "memory/memory.swappiness", "memory/memory.oom_control",
		"memory/memory.use_hierarchy", "pids/pids.max", "devices/devices.list", "freezer/freezer.state",
		"blkio/blkio.weight", "blkio/blkio.bfq.weight", "hugetlb/hugetlb.2MB.limit_in_bytes",
		"hugetlb/hugetlb.1GB.limit_in_bytes", "net_cls/net_cls.classid", "cgroup.procs", "memory.max",
		"memory.high", "memory.low", "memory.min", "memory.swap.max", "memory.oom.group", "cpu.max",
		"cpu.weight", "cpu.idle", "cpuset.cpus", "cpuset.mems", "pids.max", "io.weight",
		"hugetlb.2MB.max", "hugetlb.2MB.rsvd.max", "cgroup.subtree_control", "cgroup.type",
		"unified/hugetlb.2MB.max",
	};
	char path[256], text[64];

	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++) {
		snprintf(path, sizeof(path), "/sys/fs/cgroup/%s", names[i]);
		if (strcmp(names[i], "cgroup.procs") != 0)
			say_content("cgroup", path);
		else
			say("cgroup procs", "%s", slurp(path, text, sizeof(text)) < 0 ? error_name(errno) : "there");
	}
	walk("/sys/fs/cgroup", 1);
}

/* What profiles mask or make read-only. */
static void probe_masked(void)
{
	static const char *const paths[] = {
		"/proc/acpi", "/proc/asound", "/proc/bus", "/proc/fs", "/proc/interrupts", "/proc/irq",
		"/proc/kcore", "/proc/keys", "/proc/latency_stats", "/proc/scsi", "/proc/sched_debug",
		"/proc/sys", "/proc/sys/kernel", "/proc/sysrq-trigger", "/proc/timer_list", "/proc/timer_stats",
		"/sys", "/sys/firmware", "/sys/fs/cgroup", "/sys/devices/virtual/powercap",
		"/sys/devices/system/cpu", "/proc", "/proc/self", "/dev", "/dev/shm", "/dev/pts",
	};
	char key[128];

	for (size_t i = 0; i < sizeof(paths) / sizeof(*paths); i++) {
		struct statfs fs;
		struct stat s;

		snprintf(key, sizeof(key), "place %s", paths[i]);
		if (stat(paths[i], &s) < 0 || statfs(paths[i], &fs) < 0)
			say_errno(key, errno);
		else
			say(key, "mode=%o owner=%d:%d type=%lx flags=%lx write=%s", s.st_mode, (int)s.st_uid,
			    (int)s.st_gid, (unsigned long)fs.f_type, (unsigned long)fs.f_flags,
			    access(paths[i], W_OK) == 0 ? "yes" : error_name(errno));
	}
}

void probe_files(char **env)
{
	char key[4200];

	walk("/", 1);
	walk("/dev", DEPTH_MAX);
	open_devices();
	device_rules();
	probe_sysctls();
	probe_cgroup_files();
	probe_masked();
	walk("/sys/class/net", 1);
	for (; *env; env++) {
		char *equals = strchr(*env, '=');

		snprintf(key, sizeof(key), "env %.*s", equals ? (int)(equals - *env) : 100, *env);
		say(key, "%s", equals ? equals + 1 : "(no value)");
	}
}
