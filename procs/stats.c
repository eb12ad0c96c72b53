/* stats.c - see stats.h. Each file costs open, read and close; a container needs three files on v1 and nine on v2. */
#include "procs/stats.h"

#include <dirent.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "procs/cgroup.h"
#include "reactor/loop.h"
#include "reactor/own.h"

enum { TEXT_MAX = 16384, HALF_A_SECOND_NS = 500000000 };

/* v1 says "no limit" by the largest number that is a multiple of the page size. */
#define V1_UNLIMITED (UINT64_C(1) << 62)

static bool read_number(const char *controller, const char *cgroup, const char *file, uint64_t *out)
{
	char text[TEXT_MAX];

	return cgroup_text(controller, cgroup, file, text, TEXT_MAX) && stats_number(text, out);
}

static void read_flat(const char *controller, const char *cgroup, const char *file, const struct stats_want *want,
		      size_t n)
{
	char text[TEXT_MAX];

	if (cgroup_text(controller, cgroup, file, text, TEXT_MAX))
		stats_flat(text, want, n);
}

static void read_pressure(const char *cgroup, const char *file, struct pressure *out)
{
	char text[TEXT_MAX];

	if (cgroup_text("cpu", cgroup, file, text, TEXT_MAX))
		stats_pressure(text, out);
}

static uint64_t minus(uint64_t from, uint64_t n)
{
	return from > n ? from - n : 0;
}

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* ---- v1 ---- */

static bool memory_v1(const char *cgroup, struct usage *u, struct usage_more *m)
{
	uint64_t memory_limit = UINT64_MAX, memsw_limit = UINT64_MAX;
	const struct stats_want want[] = {
		{ "total_rss", &u->rss_bytes },
		{ "total_pgfault", &u->page_faults },
		{ "total_pgmajfault", &u->major_page_faults },
		{ "total_swap", &u->swap_bytes },
		{ "total_inactive_file", &m->inactive_file_bytes },
		{ "hierarchical_memory_limit", &memory_limit },
		{ "hierarchical_memsw_limit", &memsw_limit },
		{ "total_cache", &m->cache_bytes },
		{ "total_mapped_file", &m->mapped_file_bytes },
		{ "total_active_file", &m->active_file_bytes },
	};

	if (!read_number("memory", cgroup, "memory.usage_in_bytes", &u->memory_bytes))
		return false;
	read_flat("memory", cgroup, "memory.stat", want, COUNT(want));
	u->memory_limit = memory_limit < V1_UNLIMITED ? memory_limit : UINT64_MAX;
	if (memsw_limit < V1_UNLIMITED)
		u->swap_limit = minus(memsw_limit, memory_limit);
	return true;
}

static void more_v1(const char *cgroup, struct usage_more *m)
{
	const struct stats_want cpu[] = {
		{ "nr_periods", &m->periods },
		{ "nr_throttled", &m->throttled_periods },
		{ "throttled_time", &m->throttled_ns },
		{ "nr_bursts", &m->burst_periods },
		{ "burst_time", &m->burst_ns },
	};
	const struct stats_want oom[] = { { "oom_kill", &m->oom_kills } };
	char text[TEXT_MAX];

	read_number("cpuacct", cgroup, "cpuacct.usage_user", &m->user_ns);
	read_number("cpuacct", cgroup, "cpuacct.usage_sys", &m->system_ns);
	read_flat("cpu", cgroup, "cpu.stat", cpu, COUNT(cpu));
	read_number("memory", cgroup, "memory.kmem.usage_in_bytes", &m->kernel_bytes);
	read_number("memory", cgroup, "memory.max_usage_in_bytes", &m->max_bytes);
	read_number("memory", cgroup, "memory.failcnt", &m->limit_hits);
	read_flat("memory", cgroup, "memory.oom_control", oom, COUNT(oom));
	if (cgroup_text("blkio", cgroup, "blkio.throttle.io_service_bytes", text, TEXT_MAX))
		stats_io_v1(text, false, &m->io);
	if (cgroup_text("blkio", cgroup, "blkio.throttle.io_serviced", text, TEXT_MAX))
		stats_io_v1(text, true, &m->io);
}

/* ---- v2 ---- */

static bool cpu_v2(const char *cgroup, struct usage *u, struct usage_more *m)
{
	uint64_t usage_us = UINT64_MAX, user_us = 0, system_us = 0, throttled_us = 0, burst_us = 0;
	const struct stats_want want[] = {
		{ "usage_usec", &usage_us },
		{ "user_usec", &user_us },
		{ "system_usec", &system_us },
		{ "nr_periods", &m->periods },
		{ "nr_throttled", &m->throttled_periods },
		{ "throttled_usec", &throttled_us },
		{ "nr_bursts", &m->burst_periods },
		{ "burst_usec", &burst_us },
	};

	read_flat("cpu", cgroup, "cpu.stat", want, COUNT(want));
	if (usage_us == UINT64_MAX)
		return false;
	u->cpu_ns = usage_us * 1000;
	m->user_ns = user_us * 1000;
	m->system_ns = system_us * 1000;
	m->throttled_ns = throttled_us * 1000;
	m->burst_ns = burst_us * 1000;
	return true;
}

static bool memory_v2(const char *cgroup, struct usage *u, struct usage_more *m)
{
	const struct stats_want want[] = {
		{ "anon", &u->rss_bytes },
		{ "pgfault", &u->page_faults },
		{ "pgmajfault", &u->major_page_faults },
		{ "inactive_file", &m->inactive_file_bytes },
		{ "active_file", &m->active_file_bytes },
		{ "file", &m->cache_bytes },
		{ "file_mapped", &m->mapped_file_bytes },
		{ "kernel", &m->kernel_bytes },
	};

	if (!read_number("memory", cgroup, "memory.current", &u->memory_bytes))
		return false;
	read_flat("memory", cgroup, "memory.stat", want, COUNT(want));
	read_number("memory", cgroup, "memory.max", &u->memory_limit);
	read_number("memory", cgroup, "memory.swap.current", &u->swap_bytes);
	read_number("memory", cgroup, "memory.swap.max", &u->swap_limit);
	return true;
}

static void more_v2(const char *cgroup, struct usage_more *m)
{
	const struct stats_want events[] = { { "max", &m->limit_hits }, { "oom_kill", &m->oom_kills } };
	char text[TEXT_MAX];

	read_number("memory", cgroup, "memory.peak", &m->max_bytes); /* from Linux 5.19 */
	read_flat("memory", cgroup, "memory.events", events, COUNT(events));
	if (cgroup_text("io", cgroup, "io.stat", text, TEXT_MAX))
		stats_io_v2(text, &m->io);
}

static void read_v2(const char *cgroup, struct usage *out, struct usage_more *m)
{
	out->cpu = cpu_v2(cgroup, out, m);
	out->memory = memory_v2(cgroup, out, m);
	read_pressure(cgroup, "cpu.pressure", &out->cpu_pressure);
	read_pressure(cgroup, "memory.pressure", &out->memory_pressure);
	read_pressure(cgroup, "io.pressure", &out->io_pressure);
}

bool stats_read(const char *cgroup, struct usage *out, struct usage_more *more)
{
	struct usage_more unwanted, *m = more ? more : &unwanted;

	*m = (struct usage_more){ 0 };
	*out = (struct usage){ .at_ns = loop_real_ns(), .memory_limit = UINT64_MAX, .swap_limit = UINT64_MAX };
	if (cgroup_is_v2()) {
		read_v2(cgroup, out, m);
	} else {
		out->cpu = read_number("cpuacct", cgroup, "cpuacct.usage", &out->cpu_ns);
		out->memory = memory_v1(cgroup, out, m);
	}
	if (!out->cpu && !out->memory)
		return false;
	out->working_set_bytes = minus(out->memory_bytes, m->inactive_file_bytes);
	if (!more)
		return true;
	if (cgroup_is_v2())
		more_v2(cgroup, m);
	else
		more_v1(cgroup, m);
	read_number("pids", cgroup, "pids.current", &m->tasks);
	read_number("pids", cgroup, "pids.max", &m->tasks_max);
	if (m->tasks_max == UINT64_MAX)
		m->tasks_max = 0;
	return true;
}

bool stats_rate(struct cpu_sample *s, int64_t mono_ns, uint64_t cpu_ns, uint64_t *nano_cores)
{
	int64_t passed_ns = mono_ns - s->at_ns;

	if (s->at_ns && passed_ns >= HALF_A_SECOND_NS) {
		s->known = cpu_ns >= s->cpu_ns; /* else the cgroup is a new one */
		if (s->known)
			s->nano_cores = (uint64_t)((double)(cpu_ns - s->cpu_ns) * 1e9 / (double)passed_ns);
	}
	if (!s->at_ns || passed_ns >= HALF_A_SECOND_NS) {
		s->at_ns = mono_ns;
		s->cpu_ns = cpu_ns;
	}
	*nano_cores = s->nano_cores;
	return s->known;
}

/* ---- network ---- */

/* open(2) fixes the namespace that /proc/thread-self/net/dev shows, so reading works from any namespace. */
static int open_net_dev(int netns, struct err *e)
{
	static int home = -1;
	int fd;

	if (home < 0)
		home = open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC);
	if (home < 0)
		return err_os(e, ERR_INTERNAL, "open our own network namespace");
	if (setns(netns, CLONE_NEWNET) < 0)
		return err_os(e, ERR_INTERNAL, "enter a network namespace");
	fd = open("/proc/thread-self/net/dev", O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		err_os(e, ERR_INTERNAL, "open /proc/thread-self/net/dev");
	/* The daemon must not go on in a pod's network namespace. The keeper starts it again. */
	if (setns(home, CLONE_NEWNET) < 0)
		abort();
	return fd;
}

int stats_net(const char *netns_path, struct net_usage *out, size_t max, struct err *e)
{
	auto_fd int netns = open(netns_path, O_RDONLY | O_CLOEXEC);
	auto_fd int fd = netns < 0 ? err_os(e, ERR_INTERNAL, "open %s", netns_path) : open_net_dev(netns, e);
	char text[TEXT_MAX];
	ssize_t n = 0;
	size_t len = 0;

	if (fd < 0)
		return -1;
	/* A seq_file gives at most a page at a time. */
	while (len < sizeof(text) - 1 && (n = read(fd, text + len, sizeof(text) - 1 - len)) > 0)
		len += (size_t)n;
	if (n < 0)
		return err_os(e, ERR_INTERNAL, "read the interfaces of %s", netns_path);
	text[len] = '\0';
	return (int)stats_net_dev(text, out, max);
}

/* ---- open files ---- */

bool stats_files(int pid, struct open_files *sum)
{
	char path[32], target[8];
	auto_dir DIR *d = NULL;
	struct dirent *entry;

	snprintf(path, sizeof(path), "/proc/%d/fd", pid);
	d = opendir(path);
	while (d && (entry = readdir(d))) {
		if (entry->d_name[0] == '.')
			continue;
		if (!sum->left)
			return false;
		sum->left--;
		sum->files++;
		if (readlinkat(dirfd(d), entry->d_name, target, sizeof(target)) == sizeof(target) &&
		    memcmp(target, "socket:[", 8) == 0)
			sum->sockets++;
	}
	return true;
}
