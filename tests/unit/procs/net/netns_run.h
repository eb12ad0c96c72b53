/* netns_run.h - a node of its own for tests of crisp-net: network and mount namespaces, a directory, pods, and the
 * programs ip and nft to look at what was made. */
#ifndef TESTS_NETNS_RUN_H
#define TESTS_NETNS_RUN_H

#include <errno.h>
#include <sched.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static char node_dir[64] = "/tmp/crisp-net.XXXXXX";

/* The output of a shell command, without its last newline; static, good for three more calls. */
static inline const char *said(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
static inline const char *said(const char *fmt, ...)
{
	static char outs[4][16384];
	static unsigned nth;
	char command[1024], *out = outs[nth++ % 4];
	size_t n;
	FILE *f;
	va_list args;

	va_start(args, fmt);
	vsnprintf(command, sizeof(command), fmt, args);
	va_end(args);
	f = popen(command, "r");
	n = f ? fread(out, 1, sizeof(outs[0]) - 1, f) : 0;
	if (f)
		pclose(f);
	while (n && out[n - 1] == '\n')
		n--;
	out[n] = '\0';
	return out;
}

static inline bool yes(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
static inline bool yes(const char *fmt, ...)
{
	char command[1024];
	va_list args;

	va_start(args, fmt);
	vsnprintf(command, sizeof(command), fmt, args);
	va_end(args);
	return system(command) == 0;
}

static inline void node_gone(void)
{
	umount2(node_dir, MNT_DETACH);
	rmdir(node_dir);
}

/* False: not root. The directory is a tmpfs that goes with the process. */
static inline bool node_make(void)
{
	if (geteuid() != 0 || unshare(CLONE_NEWNET | CLONE_NEWNS) < 0)
		return false;
	mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL);
	if (!mkdtemp(node_dir) || mount("tmpfs", node_dir, "tmpfs", 0, NULL) < 0)
		return false;
	atexit(node_gone);
	setenv("D", node_dir, 1);
	return yes("ip link set lo up");
}

/* A pod's network namespace, pinned at <node_dir>/NAME, with lo up. */
static inline const char *pod_make(const char *name)
{
	static char path[128];

	snprintf(path, sizeof(path), "%s/%s", node_dir, name);
	yes("touch %s && unshare -n sh -c 'ip link set lo up; mount --bind /proc/self/ns/net %s'", path, path);
	return path;
}

static inline void pod_drop(const char *name)
{
	char path[128];

	snprintf(path, sizeof(path), "%s/%s", node_dir, name);
	umount2(path, MNT_DETACH);
}

/* A command inside of a pod. */
#define in_pod(name, fmt, ...) yes("timeout 3 nsenter --net=%s/%s " fmt " >/dev/null", node_dir, name, ##__VA_ARGS__)

#endif
