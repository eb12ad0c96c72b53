/* stats.h - the present resource usage of containers and pods, read from cgroups and network namespaces on request.
 *
 * Nothing is sampled in the background. The kubelet's meaning of the numbers (CRI v1 ContainerStats): the working
 * set is the usage without inactive file pages, RSS is anonymous memory, swap is the memory that is swapped out. */
#ifndef PROCS_STATS_H
#define PROCS_STATS_H

#include <stdbool.h>
#include <stdint.h>

#include "procs/sandbox.h"
#include "procs/stats_text.h"
#include "reactor/err.h"

struct usage {
	int64_t at_ns; /* CLOCK_REALTIME */
	bool cpu, memory; /* the controller's files were there */
	uint64_t cpu_ns;
	uint64_t memory_bytes, working_set_bytes, rss_bytes, page_faults, major_page_faults;
	uint64_t memory_limit; /* the tightest of its own and its parents' on v1, its own on v2; UINT64_MAX: none */
	uint64_t swap_bytes, swap_limit; /* of swap alone; UINT64_MAX: none */
	struct pressure cpu_pressure, memory_pressure, io_pressure; /* v2 */
};

/* For metrics only. */
struct usage_more {
	uint64_t user_ns, system_ns, periods, throttled_periods, throttled_ns, burst_periods, burst_ns;
	uint64_t cache_bytes, mapped_file_bytes, active_file_bytes, inactive_file_bytes, kernel_bytes, max_bytes,
		limit_hits;
	uint64_t oom_kills, tasks, tasks_max; /* tasks: threads; tasks_max 0: no limit */
	struct io_devices io;
};

/* Without `more` (NULL) half of the files need not be read. False: there is no such cgroup. */
bool stats_read(const char *cgroup, struct usage *out, struct usage_more *more);

/* For usage_nano_cores: the rate between two readings, the last of which is kept in the object. Readings less than
 * half a second apart share a rate. False: there is no earlier reading yet. (ARCHITECTURE H5) */
bool stats_rate(struct cpu_sample *sample, int64_t mono_ns, uint64_t cpu_ns, uint64_t *nano_cores);

/* The interfaces, without lo, in the network namespace pinned at netns_path, at most max. The number; -1 with an error.
 * The loop thread enters the namespace for one open(2), 1 us each way. This needs no process in the pod.
 * (ARCHITECTURE H4) */
int stats_net(const char *netns_path, struct net_usage *out, size_t max, struct err *e);

/* Adds the open files of a process and the sockets among them to `sum`; nothing if the process is gone. False: it has
 * more than `left`. */
struct open_files {
	uint64_t files, sockets;
	size_t left; /* how many may still be read: each costs 1 us */
};
bool stats_files(int pid, struct open_files *sum);

#endif
