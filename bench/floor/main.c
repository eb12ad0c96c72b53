/* main.c - floor [--hostnetwork | --pool] [--mounts N] [--host-mounts N] DIR CGROUP: measures the kernel's part of a
 * container's life, without any runtime. crisp-bench starts it as an endpoint, which takes its turn like a server.
 *
 * It reads one word a line from standard input and answers each with one JSON object a line, times in milliseconds:
 *
 *   up    cgroups in every v1 hierarchy (or one v2 group) with v1's device rules; new mount, PID, IPC, network and UTS
 *         namespaces; a veth pair on the bridge "floor0" with address and route; an overlay of DIR/lower, the mounts,
 *         masks and devices of a default container; no capabilities; a seccomp program as long as a compiled default
 *         profile; exec of busybox, and the first byte that it writes
 *   exec  a second process in it: its cgroups, setns, no capabilities, seccomp, exec, first byte, its end
 *   down  SIGKILL, and all is removed
 *
 * --hostnetwork: no network and UTS namespace, no veth. --pool: the network namespace is there before, with lo up,
 * and the next one is made after "down" was answered. --mounts: N bind mounts more in the container.
 * --host-mounts: N mounts more on the node. The caller makes DIR/lower/bin/busybox, the bridge (10.189.0.1/16) and
 * CGROUP's parent, and gives the program a mount namespace of its own. */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>
#include <linux/netlink.h>

#include "bench/floor/floor.h"
#include "bench/floor/message.h"

enum { MOUNTS_MAX = 100000 };

void mark(struct marks *m, enum mark which)
{
	m->at[which] = now_ms();
}

/* ---- the node ---- */

static void make(const char *dir, const char *name, bool directory)
{
	char path[PATH_ROOM];
	int fd;

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	if (directory) {
		need(mkdir(path, 0755) == 0 || errno == EEXIST, path);
		return;
	}
	fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
	need(fd >= 0, path);
	close(fd);
}

static void prepare(const struct floor *f)
{
	static const char *const dirs[] = { "root",	    "files",	 "shm",	      "volume",	       "host",
					    "lower/proc",   "lower/sys", "lower/dev", "lower/volumes", "lower/etc" };
	static const char *const files[] = { "files/hosts",	"files/hostname",     "files/resolv.conf",
					     "lower/etc/hosts", "lower/etc/hostname", "lower/etc/resolv.conf" };
	char name[64], path[PATH_ROOM];

	for (size_t i = 0; i < sizeof(dirs) / sizeof(*dirs); i++)
		make(f->dir, dirs[i], true);
	for (size_t i = 0; i < sizeof(files) / sizeof(*files); i++)
		make(f->dir, files[i], false);
	for (unsigned i = 0; i < f->mounts; i++) {
		snprintf(name, sizeof(name), "lower/volumes/%u", i);
		make(f->dir, name, true);
	}
	snprintf(path, sizeof(path), "%s/shm", f->dir);
	need(mount("shm", path, "tmpfs", MS_NOSUID | MS_NODEV | MS_NOEXEC, "mode=1777,size=65536k") == 0, path);
	for (unsigned i = 0; i < f->host_mounts; i++) {
		snprintf(name, sizeof(name), "host/%u", i);
		make(f->dir, name, true);
		snprintf(path, sizeof(path), "%s/host/%u", f->dir, i);
		need(mount("host", path, "tmpfs", 0, "size=4k") == 0, path);
	}
	cgroups_find(f->cgroup);
}

static void tidy(const struct floor *f)
{
	char path[PATH_ROOM];

	for (unsigned i = 0; i < f->host_mounts; i++) {
		snprintf(path, sizeof(path), "%s/host/%u", f->dir, i);
		umount2(path, MNT_DETACH);
		rmdir(path);
	}
	snprintf(path, sizeof(path), "%s/shm", f->dir);
	umount2(path, MNT_DETACH);
	cgroups_remove_parents();
}

/* ---- answers ---- */

static double between(const struct marks *m, enum mark from, enum mark to)
{
	return m->at[to] - m->at[from];
}

static void answer_up(const struct floor *f, const struct marks *m)
{
	printf("{\"up\":%.3f,\"cgroups\":%.3f,\"clone\":%.3f", between(m, BEGUN, WROTE),
	       between(m, BEGUN, MADE) + between(m, CONNECTED, JOINED), between(m, MADE, BORN));
	if (!f->host_network)
		printf(",\"network\":%.3f", between(m, BORN, CONNECTED));
	printf(",\"mounts\":%.3f,\"seccomp\":%.3f,\"execve\":%.3f,\"first_byte\":%.3f}\n", between(m, JOINED, MOUNTED),
	       between(m, MOUNTED, CONFINED), between(m, CONFINED, EXECUTED), between(m, EXECUTED, WROTE));
}

static void answer_exec(const struct marks *m)
{
	printf("{\"exec\":%.3f,\"clone\":%.3f,\"cgroups\":%.3f,\"setns\":%.3f,\"seccomp\":%.3f,\"execve\":%.3f,"
	       "\"first_byte\":%.3f,\"end\":%.3f}\n",
	       between(m, BEGUN, ENDED), between(m, BEGUN, BORN), between(m, BORN, JOINED), between(m, JOINED, MOUNTED),
	       between(m, MOUNTED, CONFINED), between(m, CONFINED, EXECUTED), between(m, EXECUTED, WROTE),
	       between(m, WROTE, ENDED));
}

static int serve(struct floor *f, struct marks *m)
{
	struct life l = { 0 };
	char word[16];

	while (fgets(word, sizeof(word), stdin)) {
		double begin_ms = now_ms();

		if (strcmp(word, "up\n") == 0 && !l.pid) {
			life_up(f, &l, m);
			answer_up(f, m);
		} else if (strcmp(word, "exec\n") == 0 && l.pid) {
			life_exec(f, &l, m);
			answer_exec(m);
		} else if (strcmp(word, "down\n") == 0 && l.pid) {
			life_down(f, &l);
			l = (struct life){ .n = l.n + 1 };
			printf("{\"down\":%.3f}\n", now_ms() - begin_ms);
		} else {
			fprintf(stderr, "floor: not expected now: %s", word);
			return 1;
		}
		fflush(stdout);
		if (f->pool && !l.pid && f->pooled < 0)
			f->pooled = network_prepare(f->own);
	}
	if (l.pid)
		life_down(f, &l);
	return 0;
}

static unsigned number(const char *text)
{
	char *end;
	unsigned long n = strtoul(text, &end, 10);

	errno = EINVAL;
	need(*text && !*end && n <= MOUNTS_MAX, text);
	return (unsigned)n;
}

int main(int argc, char **argv)
{
	enum { HOST_NETWORK, POOL, MOUNTS, HOST_MOUNTS };
	static const struct option options[] = { { "hostnetwork", 0, NULL, HOST_NETWORK },
						 { "pool", 0, NULL, POOL },
						 { "mounts", 1, NULL, MOUNTS },
						 { "host-mounts", 1, NULL, HOST_MOUNTS },
						 { 0 } };
	struct floor f = { .netlink = -1, .own = -1, .pooled = -1 };
	struct marks *m = mmap(NULL, sizeof(*m), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	int c, rc;

	need(m != MAP_FAILED, "mmap");
	while ((c = getopt_long(argc, argv, "", options, NULL)) != -1 && c != '?') {
		if (c == HOST_NETWORK || c == POOL)
			*(c == POOL ? &f.pool : &f.host_network) = true;
		else
			*(c == MOUNTS ? &f.mounts : &f.host_mounts) = number(optarg);
	}
	if (c == '?' || argc - optind != 2 || (f.pool && f.host_network)) {
		fputs("usage: floor [--hostnetwork | --pool] [--mounts N] [--host-mounts N] DIR CGROUP\n", stderr);
		return 64;
	}
	f.dir = argv[optind];
	f.cgroup = argv[optind + 1];
	if (!f.host_network) {
		f.netlink = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);
		f.bridge = if_nametoindex("floor0");
		need(f.netlink >= 0 && f.bridge != 0, "the bridge floor0");
	}
	if (f.pool) {
		f.own = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
		need(f.own >= 0, "/proc/self/ns/net");
		f.pooled = network_prepare(f.own);
	}
	prepare(&f);
	rc = serve(&f, m);
	tidy(&f);
	return rc;
}
