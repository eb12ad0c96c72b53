/* limits.c - see limits.h. The numbers are of pods with one container: a neighbour on each side of its veth, some
 * tasks, a program that watches files. */
#include "procs/limits.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "reactor/own.h"

static const struct limit {
	const char *path, *name;
	uint64_t used;	  /* by the node itself */
	unsigned per_pod;
	const char *what;
} limits[] = {
	{ "net/ipv4/neigh/default/gc_thresh3", "net.ipv4.neigh.default.gc_thresh3", 24, 2,
	  "neighbours of IPv4, of all network namespaces together: then packets are dropped" },
	{ "net/ipv6/neigh/default/gc_thresh3", "net.ipv6.neigh.default.gc_thresh3", 24, 2,
	  "neighbours of IPv6, of all network namespaces together: then packets are dropped" },
	{ "kernel/pid_max", "kernel.pid_max", 1024, 16, "processes and threads" },
	{ "kernel/threads-max", "kernel.threads-max", 1024, 16, "processes and threads" },
	{ "fs/inotify/max_user_instances", "fs.inotify.max_user_instances", 16, 1,
	  "inotify instances of one user: programs of all pods that run as the same user share them" },
	{ "fs/inotify/max_user_watches", "fs.inotify.max_user_watches", 1024, 16, "files that one user watches" },
	{ "net/netfilter/nf_conntrack_max", "net.netfilter.nf_conntrack_max", 1024, 32,
	  "connections of the node and of masqueraded pods: then new ones are dropped" },
	{ "user/max_net_namespaces", "user.max_net_namespaces", 16, 1, "network namespaces" },
};

/* -1: there is none. */
static int limit_read(const char *dir, const char *path, uint64_t *value)
{
	char at[256], text[32];
	auto_fd int fd = -1;
	char *end;
	ssize_t n;

	snprintf(at, sizeof(at), "%s/%s", dir, path);
	fd = open(at, O_RDONLY | O_CLOEXEC);
	n = fd < 0 ? -1 : read(fd, text, sizeof(text) - 1);
	if (n <= 0)
		return -1;
	text[n] = '\0';
	errno = 0;
	*value = strtoull(text, &end, 10);
	return errno || end == text ? -1 : 0;
}

void limits_each_of(const char *dir, limit_fn *fn, void *arg)
{
	for (size_t i = 0; i < sizeof(limits) / sizeof(*limits); i++) {
		const struct limit *l = &limits[i];
		uint64_t value, pods;
		char text[320];

		if (limit_read(dir, l->path, &value) < 0)
			continue;
		pods = value > l->used ? (value - l->used) / l->per_pod : 0;
		if (pods >= LIMITS_PODS)
			continue;
		snprintf(text, sizeof(text), "%s is %llu, good for about %llu pods (%s)", l->name,
			 (unsigned long long)value, (unsigned long long)pods, l->what);
		fn(arg, l->name, value, (unsigned)pods, text);
	}
}

void limits_each(limit_fn *fn, void *arg)
{
	limits_each_of("/proc/sys", fn, arg);
}
