/* floor_main.c - floor N DIR CGROUP: measures the kernel's part of a pod start, without any runtime. It prints JSON
 * lines like those of crisp-bench.
 *
 * N times, one after the other: cgroups in every v1 hierarchy (or one v2 group), new mount, PID, network, IPC and UTS
 * namespaces, an overlay, a veth pair on the bridge "floor0" with address and route, proc, dev, pivot_root, no
 * capabilities, a seccomp program as long as a compiled default profile, exec of DIR/lower/bin/busybox, and the first
 * byte that it writes. Then SIGKILL, and all is removed.
 *
 * Specs: clone(2), pivot_root(2), rtnetlink(7), veth(4), seccomp(2). The caller makes DIR/lower, the bridge and
 * CGROUP's parent. The steps are strictly in order. Any failure ends the program: it does not clean up. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <linux/sched.h>
#include <linux/seccomp.h>
#include <linux/veth.h>
#include <net/if.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { HIERARCHIES = 24, FILTER_LENGTH = 350, PAUSE_MS = 25 };

static char *hierarchy[HIERARCHIES]; /* .../CGROUP */
static int hierarchies;

static void need(int ok, const char *what)
{
	if (ok)
		return;
	fprintf(stderr, "floor: %s: %s\n", what, strerror(errno));
	exit(1);
}

static double now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec * 1e3 + (double)t.tv_nsec / 1e6;
}

/* ---- netlink ---- */

struct message {
	struct nlmsghdr head;
	char body[1024];
};

static struct rtattr *attr(struct message *m, unsigned short type, const void *v, size_t n)
{
	struct rtattr *a = (struct rtattr *)((char *)m + NLMSG_ALIGN(m->head.nlmsg_len));

	a->rta_type = type;
	a->rta_len = (unsigned short)RTA_LENGTH(n);
	if (n)
		memcpy(RTA_DATA(a), v, n);
	m->head.nlmsg_len = (uint32_t)(NLMSG_ALIGN(m->head.nlmsg_len) + RTA_ALIGN(a->rta_len));
	return a;
}

static void close_attr(struct message *m, struct rtattr *a)
{
	a->rta_len = (unsigned short)((char *)m + m->head.nlmsg_len - (char *)a);
}

static void *begin(struct message *m, unsigned short type, unsigned short flags, size_t size)
{
	memset(m, 0, sizeof(*m));
	m->head.nlmsg_type = type;
	m->head.nlmsg_flags = (unsigned short)(NLM_F_REQUEST | NLM_F_ACK | flags);
	m->head.nlmsg_len = (uint32_t)NLMSG_LENGTH(size);
	return NLMSG_DATA(&m->head);
}

static void talk(int nl, struct message *m, const char *what)
{
	char answer[4096];
	const struct nlmsghdr *h = (const void *)answer;

	need(send(nl, m, m->head.nlmsg_len, 0) > 0, what);
	need(recv(nl, answer, sizeof(answer), 0) > 0, what);
	errno = h->nlmsg_type == NLMSG_ERROR ? -((const struct nlmsgerr *)NLMSG_DATA(h))->error : EPROTO;
	need(errno == 0, what);
}

/* One netlink message makes the pair, puts one end on the bridge, sets it up, and puts the other end into the network
 * namespace of pid. */
static void make_veth(int nl, const char *name, pid_t pid, unsigned bridge)
{
	struct ifinfomsg *i, peer = { 0 };
	struct rtattr *info, *data, *end;
	struct message m;

	i = begin(&m, RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, sizeof(*i));
	i->ifi_flags = i->ifi_change = IFF_UP;
	attr(&m, IFLA_IFNAME, name, strlen(name) + 1);
	attr(&m, IFLA_MASTER, &bridge, sizeof(bridge));
	info = attr(&m, IFLA_LINKINFO, NULL, 0);
	attr(&m, IFLA_INFO_KIND, "veth", 4);
	data = attr(&m, IFLA_INFO_DATA, NULL, 0);
	end = attr(&m, VETH_INFO_PEER, &peer, sizeof(peer));
	attr(&m, IFLA_IFNAME, "eth0", 5);
	attr(&m, IFLA_NET_NS_PID, &pid, sizeof(pid));
	close_attr(&m, end);
	close_attr(&m, data);
	close_attr(&m, info);
	talk(nl, &m, "veth");
}

static void set_up(int nl, unsigned index)
{
	struct message m;
	struct ifinfomsg *i = begin(&m, RTM_NEWLINK, 0, sizeof(*i));

	i->ifi_index = (int)index;
	i->ifi_flags = i->ifi_change = IFF_UP;
	talk(nl, &m, "link up");
}

/* In the network namespace: sets up lo and eth0 (an address of 10.189.0.0/16) and the default route. */
static void configure(unsigned host)
{
	uint8_t address[4] = { 10, 189, (uint8_t)(host >> 8), (uint8_t)host }, gateway[4] = { 10, 189, 0, 1 };
	int nl = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);
	unsigned eth0 = if_nametoindex("eth0");
	struct ifaddrmsg *a;
	struct rtmsg *r;
	struct message m;

	set_up(nl, if_nametoindex("lo"));
	a = begin(&m, RTM_NEWADDR, NLM_F_CREATE, sizeof(*a));
	*a = (struct ifaddrmsg){ .ifa_family = AF_INET, .ifa_prefixlen = 16, .ifa_index = eth0 };
	attr(&m, IFA_LOCAL, address, 4);
	attr(&m, IFA_ADDRESS, address, 4);
	talk(nl, &m, "address");
	set_up(nl, eth0);
	r = begin(&m, RTM_NEWROUTE, NLM_F_CREATE, sizeof(*r));
	*r = (struct rtmsg){
		.rtm_family = AF_INET, .rtm_table = RT_TABLE_MAIN, .rtm_protocol = RTPROT_BOOT, .rtm_type = RTN_UNICAST
	};
	attr(&m, RTA_GATEWAY, gateway, 4);
	talk(nl, &m, "route");
	close(nl);
}

/* ---- cgroups ---- */

/* cpuset.cpus and cpuset.mems of a new v1 group are empty; no process can join the group until both are written. */
static void copy_up(const char *group, const char *file)
{
	char path[4096], text[256];
	ssize_t n;
	int fd;

	snprintf(path, sizeof(path), "%s/../%s", group, file);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return;
	n = read(fd, text, sizeof(text));
	close(fd);
	snprintf(path, sizeof(path), "%s/%s", group, file);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	need(fd >= 0 && write(fd, text, (size_t)n) == n, path);
	close(fd);
}

static void find_hierarchies(const char *cgroup)
{
	FILE *f = fopen("/proc/self/mounts", "re");
	char line[1024], where[256], type[32];
	int v1 = 0;

	need(f != NULL, "/proc/self/mounts");
	for (int pass = 0; pass < 2 && !v1; pass++, rewind(f))
		while (fgets(line, sizeof(line), f))
			if (sscanf(line, "%*s %255s %31s", where, type) == 2 &&
			    strcmp(type, pass ? "cgroup2" : "cgroup") == 0 && hierarchies < HIERARCHIES) {
				need(asprintf(&hierarchy[hierarchies++], "%s%s", where, cgroup) > 0, where);
				v1 = !pass;
			}
	fclose(f);
	for (int i = 0; i < hierarchies; i++) {
		mkdir(hierarchy[i], 0755);
		copy_up(hierarchy[i], "cpuset.cpus");
		copy_up(hierarchy[i], "cpuset.mems");
	}
}

static void make_cgroups(unsigned n)
{
	char path[4096];

	for (int i = 0; i < hierarchies; i++) {
		snprintf(path, sizeof(path), "%s/%u", hierarchy[i], n);
		need(mkdir(path, 0755) == 0, path);
		copy_up(path, "cpuset.cpus");
		copy_up(path, "cpuset.mems");
	}
}

static void join_cgroups(unsigned n)
{
	char path[4096];
	int fd;

	for (int i = 0; i < hierarchies; i++) {
		snprintf(path, sizeof(path), "%s/%u/tasks", hierarchy[i], n);
		fd = open(path, O_WRONLY | O_CLOEXEC);
		if (fd < 0) { /* cgroup v2 has no file "tasks" */
			snprintf(path, sizeof(path), "%s/%u/cgroup.procs", hierarchy[i], n);
			fd = open(path, O_WRONLY | O_CLOEXEC);
		}
		need(fd >= 0 && write(fd, "0", 1) == 1, path);
		close(fd);
	}
}

static void remove_cgroups(unsigned n)
{
	char path[4096];

	for (int i = 0; i < hierarchies; i++) {
		snprintf(path, sizeof(path), "%s/%u", hierarchy[i], n);
		for (int again = 0; rmdir(path) < 0 && errno == EBUSY && again < 1000; again++)
			usleep(100); /* EBUSY: a dead process leaves its group only shortly after it was waited for */
	}
}

/* ---- in the container ---- */

static void mount_root(const char *dir, unsigned n)
{
	char options[1024], root[400];

	snprintf(root, sizeof(root), "%s/root", dir);
	snprintf(options, sizeof(options), "lowerdir=%s/lower,upperdir=%s/%u/upper,workdir=%s/%u/work", dir, dir, n,
		 dir, n);
	need(mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0, "private");
	need(mount("overlay", root, "overlay", 0, options) == 0, "overlay");
	need(chdir(root) == 0, root);
	need(mount("proc", "proc", "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL) == 0, "proc");
	need(mount("tmpfs", "dev", "tmpfs", MS_NOSUID, "mode=755,size=64k") == 0, "dev");
	need(mknod("dev/null", S_IFCHR | 0666, 1 << 8 | 3) == 0, "dev/null");
	need(syscall(SYS_pivot_root, ".", ".") == 0, "pivot_root");
	need(umount2(".", MNT_DETACH) == 0, "old root");
}

/* As many comparisons as a compiled default profile has. Every system call is allowed: only the cost of loading the
 * program is measured. */
static void confine(void)
{
	static struct sock_filter code[FILTER_LENGTH];
	struct sock_fprog program = { FILTER_LENGTH, code };

	code[0] = (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr));
	for (unsigned i = 1; i < FILTER_LENGTH - 1; i++)
		code[i] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 0x10000 + i, 0, 0);
	code[FILTER_LENGTH - 1] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
	for (int cap = 0; cap <= 40; cap++)
		prctl(PR_CAPBSET_DROP, cap, 0, 0, 0);
	need(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0, "no_new_privs");
	need(syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &program) == 0, "seccomp");
}

static void container(const char *dir, unsigned n, int go, int out)
{
	char *const argv[] = { (char *)"sh", (char *)"-c", (char *)"echo up; exec sleep 1000000", NULL };
	char byte;

	need(read(go, &byte, 1) == 1, "go");
	join_cgroups(n);
	configure(2 + n);
	sethostname("floor", 5);
	mount_root(dir, n);
	need(dup2(out, 1) == 1, "stdout");
	confine();
	execv("/bin/busybox", argv);
	need(0, "/bin/busybox");
}

/* ---- one life ---- */

static pid_t up(const char *dir, unsigned n, int nl, unsigned bridge)
{
	struct clone_args args = { .flags = CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWNET | CLONE_NEWIPC | CLONE_NEWUTS,
				   .exit_signal = SIGCHLD };
	char path[400], name[IFNAMSIZ], byte;
	int go[2], out[2];
	pid_t pid;

	make_cgroups(n);
	snprintf(path, sizeof(path), "%s/%u", dir, n);
	need(mkdir(path, 0755) == 0, path);
	snprintf(path, sizeof(path), "%s/%u/upper", dir, n);
	need(mkdir(path, 0755) == 0, path);
	snprintf(path, sizeof(path), "%s/%u/work", dir, n);
	need(mkdir(path, 0755) == 0, path);
	need(pipe2(go, O_CLOEXEC) == 0 && pipe2(out, O_CLOEXEC) == 0, "pipe");
	pid = (pid_t)syscall(SYS_clone3, &args, sizeof(args));
	need(pid >= 0, "clone3");
	if (pid == 0)
		container(dir, n, go[0], out[1]);
	close(out[1]);
	snprintf(name, sizeof(name), "fl%u", n);
	make_veth(nl, name, pid, bridge);
	need(write(go[1], "", 1) == 1, "go");
	need(read(out[0], &byte, 1) == 1, "first byte");
	close(go[0]);
	close(go[1]);
	close(out[0]);
	return pid;
}

static void down(const char *dir, unsigned n, pid_t pid)
{
	static const char *const made[] = { "upper", "work/work", "work", "" };
	char path[400];

	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	remove_cgroups(n);
	for (int i = 0; i < 4; i++) {
		snprintf(path, sizeof(path), "%s/%u/%s", dir, n, made[i]);
		rmdir(path);
	}
}

int main(int argc, char **argv)
{
	int nl = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);
	unsigned n = argc == 4 ? (unsigned)strtoul(argv[1], NULL, 10) : 0, bridge = if_nametoindex("floor0");
	char root[400];

	if (!n || n > 60000) {
		fputs("usage: floor N DIR CGROUP\n", stderr);
		return 64;
	}
	need(bridge != 0, "the bridge floor0");
	snprintf(root, sizeof(root), "%s/root", argv[2]);
	mkdir(root, 0755);
	find_hierarchies(argv[3]);
	for (unsigned i = 0; i < n; i++) {
		double begin_ms = now_ms(), up_ms, down_ms;
		pid_t pid = up(argv[2], i, nl, bridge);

		up_ms = now_ms() - begin_ms;
		usleep(PAUSE_MS * 1000);
		begin_ms = now_ms();
		down(argv[2], i, pid);
		down_ms = now_ms() - begin_ms;
		printf("{\"kind\":\"sample\",\"scenario\":\"pod-start\",\"mode\":\"spaced\",\"endpoint\":\"floor\","
		       "\"round\":%u,\"up\":%.3f,\"down\":%.3f}\n",
		       i, up_ms, down_ms);
		usleep(PAUSE_MS * 1000);
	}
	rmdir(root);
	for (int i = 0; i < hierarchies; i++)
		rmdir(hierarchy[i]);
	return 0;
}
