/* limit.c - writes CRI's resource numbers into the files of a pod's cgroup. The OCI runtime writes those of a
 * container.
 *
 * CRI's numbers are those of v1. They are converted for v2 as OCI runtimes and Kubernetes do (cgroup_weight());
 * memory.swap.max = swap limit - memory limit, because v1's memsw counts memory and swap together. */
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "procs/cgroup.h"
#include "procs/cgroup/tree.h"

static int limit_put(const char *controller, const char *path, const char *file, const char *text, struct err *e)
{
	const struct hierarchy *h = hierarchy_of(controller);

	/* A controller that is not mounted cannot limit. That is no reason to refuse a pod. */
	return h ? cgroup_write(h, path, file, text, e) : 0;
}

static int limit_put_number(const char *controller, const char *path, const char *file, int64_t v, struct err *e)
{
	char text[32];

	if (v == 0)
		return 0;
	snprintf(text, sizeof(text), "%lld", (long long)v);
	return limit_put(controller, path, file, text, e);
}

/* A kernel without swap accounting (swapaccount=0) has no such file. */
static int limit_put_memsw(const char *path, const struct resources *r, struct err *e)
{
	const struct hierarchy *h = hierarchy_of("memory");

	if (!h || access(cgroup_file(h, path, "memory.memsw.limit_in_bytes").s, F_OK) < 0)
		return 0;
	return limit_put_number("memory", path, "memory.memsw.limit_in_bytes", r->memory_swap_limit, e);
}

static int limit_memory_v1(const char *path, const struct resources *r, struct err *e)
{
	/* The kernel refuses a memory limit above memsw. To raise both, memsw must be written first; to lower both,
	 * memory. A new group has no limits, so memory is written first, and after a refusal memsw and then memory
	 * again. */
	if (limit_put_number("memory", path, "memory.limit_in_bytes", r->memory_limit, e) < 0 &&
	    (limit_put_memsw(path, r, e) < 0 ||
	     limit_put_number("memory", path, "memory.limit_in_bytes", r->memory_limit, e) < 0))
		return -1;
	return limit_put_memsw(path, r, e);
}

static int limit_v1(const char *path, const struct resources *r, struct err *e)
{
	if (limit_put_number("cpu", path, "cpu.shares", r->cpu_shares, e) < 0 ||
	    limit_put_number("cpu", path, "cpu.cfs_period_us", r->cpu_period, e) < 0 ||
	    limit_put_number("cpu", path, "cpu.cfs_quota_us", r->cpu_quota, e) < 0)
		return -1;
	return limit_memory_v1(path, r, e);
}

/* cpu.shares of 2, 1024 and 262144 (least, default, most) become cpu.weight 1, 100 and 10000: a quadratic function of
 * log2(shares) goes through these three points. runc >= 1.3.2, crun >= 1.23 and Kubernetes compute the same; older ones
 * had a straight line, by which a pod with the default of v1 got 39 and not the default of v2. (ARCHITECTURE P64) */
int64_t cgroup_weight(int64_t cpu_shares)
{
	double l;

	if (cpu_shares <= 2)
		return 1;
	if (cpu_shares >= 262144)
		return 10000;
	l = log2((double)cpu_shares);
	return (int64_t)ceil(pow(10, (l * l + 125 * l) / 612 - 7.0 / 34));
}

static int limit_cpu_v2(const char *path, const struct resources *r, struct err *e)
{
	char text[64];

	if (r->cpu_shares && limit_put_number("cpu", path, "cpu.weight", cgroup_weight(r->cpu_shares), e) < 0)
		return -1;
	if (!r->cpu_quota && !r->cpu_period)
		return 0;
	if (r->cpu_quota > 0)
		snprintf(text, sizeof(text), "%lld %lld", (long long)r->cpu_quota,
			 (long long)(r->cpu_period ? r->cpu_period : 100000));
	else
		snprintf(text, sizeof(text), "max %lld", (long long)(r->cpu_period ? r->cpu_period : 100000));
	return limit_put("cpu", path, "cpu.max", text, e);
}

static int limit_v2(const char *path, const struct resources *r, struct err *e)
{
	if (limit_cpu_v2(path, r, e) < 0 || limit_put_number("memory", path, "memory.max", r->memory_limit, e) < 0)
		return -1;
	if (r->memory_limit > 0 && r->memory_swap_limit >= r->memory_limit) {
		char text[32];

		snprintf(text, sizeof(text), "%lld", (long long)(r->memory_swap_limit - r->memory_limit));
		if (limit_put("memory", path, "memory.swap.max", text, e) < 0)
			return -1;
	}
	for (size_t i = 0; i < r->unified.n; i++) {
		if (strchr(r->unified.at[i].key, '/'))
			return err_set(e, ERR_INVALID_ARGUMENT, "unified: %.100s is not a file name",
				       r->unified.at[i].key);
		if (limit_put("unified", path, r->unified.at[i].key, r->unified.at[i].value, e) < 0)
			return -1;
	}
	return 0;
}

int cgroup_limit(const char *path, const struct resources *r, struct err *e)
{
	if (*r->cpuset_cpus && limit_put("cpuset", path, "cpuset.cpus", r->cpuset_cpus, e) < 0)
		return -1;
	if (*r->cpuset_mems && limit_put("cpuset", path, "cpuset.mems", r->cpuset_mems, e) < 0)
		return -1;
	return cgroup_is_v2() ? limit_v2(path, r, e) : limit_v1(path, r, e);
}
