/* resources.c - linux.resources and oom_score_adj: limits as the OCI runtime-spec wants them.
 *
 * No pids limit is written: CRI has no field for it, and crun 1.8.1 refuses 0. memory_swap_limit is memory + swap,
 * as in cgroup v1; runtimes convert it for v2. Specs: CRI v1 LinuxContainerResources; OCI config-linux.md "Control
 * groups". (ARCHITECTURE P20, X14) */
#include <string.h>

#include "procs/spec.h"
#include "procs/spec/part.h"
#include "reactor/log.h"

static int check_cpuset(const char *name, const char *list, struct err *e)
{
	if (list[strspn(list, "0123456789,-")])
		return err_set(e, ERR_INVALID_ARGUMENT, "resources.%s: %s is no list of numbers", name,
			       log_quote(list));
	return 0;
}

/* sched-bwc.rst: cpu_quota and cpu_period are at least 1 ms, and the period is at most 1 s. */
int resources_check(const struct resources *r, struct err *e)
{
	if (r->memory_swap_limit > 0 && r->memory_swap_limit < r->memory_limit)
		return err_set(e, ERR_INVALID_ARGUMENT,
			       "resources: memory_swap_limit_in_bytes %lld is below memory_limit_in_bytes %lld",
			       (long long)r->memory_swap_limit, (long long)r->memory_limit);
	if (r->cpu_period && (r->cpu_period < 1000 || r->cpu_period > 1000000))
		return err_set(e, ERR_INVALID_ARGUMENT, "resources.cpu_period: %lld is not in 1000..1000000",
			       (long long)r->cpu_period);
	if (r->cpu_quota > 0 && r->cpu_quota < 1000)
		return err_set(e, ERR_INVALID_ARGUMENT, "resources.cpu_quota: %lld is below 1000",
			       (long long)r->cpu_quota);
	if (check_cpuset("cpuset_cpus", r->cpuset_cpus, e) < 0)
		return -1;
	return check_cpuset("cpuset_mems", r->cpuset_mems, e);
}

/* A new group has no quota, so -1 is written for a group that may have one only. (ARCHITECTURE P121) */
static void limits_cpu(struct spec *s, const struct resources *r, bool of_new_group)
{
	json_t *o = own_must(json_object());

	if (r->cpu_shares)
		spec_put(o, "shares", json_integer(r->cpu_shares));
	if (of_new_group ? r->cpu_quota > 0 : r->cpu_quota != 0)
		spec_put(o, "quota", json_integer(r->cpu_quota));
	if (r->cpu_period)
		spec_put(o, "period", json_integer(r->cpu_period));
	if (r->cpuset_cpus[0])
		spec_put(o, "cpus", spec_str(r->cpuset_cpus));
	if (r->cpuset_mems[0])
		spec_put(o, "mems", spec_str(r->cpuset_mems));
	spec_put(s->resources, "cpu", o);
}

static void limits_memory(struct spec *s, const struct resources *r)
{
	json_t *o = own_must(json_object());
	int64_t swap =
		r->memory_swap_limit ? r->memory_swap_limit : r->memory_limit; /* equal: the container does not swap */

	if (r->memory_limit)
		spec_put(o, "limit", json_integer(r->memory_limit));
	if (swap && s->host->swap_accounting)
		spec_put(o, "swap", json_integer(swap));
	spec_put(s->resources, "memory", o);
}

/* "2MB", "1GB", as in the names of the kernel's hugetlb files. */
static bool is_page_size(const char *s)
{
	size_t digits = strspn(s, "0123456789");

	return digits && digits < 10 && strchr("KMG", s[digits]) && s[digits] && strcmp(s + digits + 1, "B") == 0;
}

/* The kubelet sends every page size with limit 0, also on a machine without the hugetlb controller. */
static int limits_hugepages(struct spec *s, const struct resources *r, struct err *e)
{
	json_t *list;

	for (size_t i = 0; i < r->hugepages.n; i++)
		if (!is_page_size(r->hugepages.at[i].page_size))
			return err_set(e, ERR_INVALID_ARGUMENT, "hugepage_limits: \"%.40s\" is no page size like 2MB",
				       r->hugepages.at[i].page_size);
	if (!s->host->hugetlb || r->hugepages.n == 0)
		return 0;
	list = own_must(json_array());
	for (size_t i = 0; i < r->hugepages.n; i++)
		spec_add(list, json_pack("{s:o,s:I}", "pageSize", spec_str(r->hugepages.at[i].page_size), "limit",
					 (json_int_t)r->hugepages.at[i].limit));
	spec_put(s->resources, "hugepageLimits", list);
	return 0;
}

static int limits_unified(struct spec *s, const struct resources *r, struct err *e)
{
	json_t *o;

	if (!s->host->cgroup_v2 || r->unified.n == 0)
		return 0;
	o = own_must(json_object());
	spec_put(s->resources, "unified", o);
	for (size_t i = 0; i < r->unified.n; i++)
		if (json_object_set_new(o, r->unified.at[i].key, spec_str(r->unified.at[i].value)) < 0)
			return err_set(e, ERR_INVALID_ARGUMENT, "resources.unified: a key is not UTF-8");
	return 0;
}

/* Always written, so that no container inherits a daemon's -999. */
static void oom_score_adj(struct spec *s, const struct resources *r)
{
	static bool told;
	int64_t want = r->oom_score_adj;

	if (!s->host->lowers_oom_score && want < s->host->oom_score_adj) {
		if (!told)
			log_warn("oom_score_adj container=%s wanted=%lld given=%d reason=\"no CAP_SYS_RESOURCE\"",
				 s->c->id, (long long)want, s->host->oom_score_adj);
		told = true;
		want = s->host->oom_score_adj;
	}
	spec_put(s->process, "oomScoreAdj", json_integer(want));
}

json_t *spec_limits(const struct resources *r, struct err *e)
{
	struct spec s = { .host = spec_host(), .resources = own_must(json_object()) };

	limits_cpu(&s, r, false);
	limits_memory(&s, r);
	if (limits_hugepages(&s, r, e) == 0 && limits_unified(&s, r, e) == 0)
		return s.resources;
	json_decref(s.resources);
	return NULL;
}

int spec_resources(struct spec *s, struct err *e)
{
	const struct resources *r = &s->c->config.resources;

	if (r->oom_score_adj < -1000 || r->oom_score_adj > 1000)
		return err_set(e, ERR_INVALID_ARGUMENT, "oom_score_adj %lld is not in -1000..1000",
			       (long long)r->oom_score_adj);
	if (r->cpu_shares < 0 || r->cpu_period < 0 || r->cpu_quota < -1)
		return err_set(e, ERR_INVALID_ARGUMENT, "resources: negative cpu_shares, cpu_period or cpu_quota");
	if (resources_check(r, e) < 0)
		return -1;
	oom_score_adj(s, r);
	limits_cpu(s, r, true);
	limits_memory(s, r);
	return limits_hugepages(s, r, e) < 0 ? -1 : limits_unified(s, r, e);
}
