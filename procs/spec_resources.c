/* spec_resources.c - linux.resources and oom_score_adj: limits in the words of the OCI runtime-spec.
 *
 * No pids limit is written: crun 1.8.1 refuses 0 and CRI has no field for another. memory_swap_limit is memory + swap,
 * as in cgroup v1; the runtimes convert it for v2. Specs: CRI v1 LinuxContainerResources; OCI config-linux.md "Control
 * groups". */
#include "procs/spec_part.h"
#include "reactor/log.h"

static void cpu(struct spec *s, const struct resources *r)
{
	json_t *o = own_must(json_object());

	if (r->cpu_shares)
		spec_put(o, "shares", json_integer(r->cpu_shares));
	if (r->cpu_quota)
		spec_put(o, "quota", json_integer(r->cpu_quota));
	if (r->cpu_period)
		spec_put(o, "period", json_integer(r->cpu_period));
	if (r->cpuset_cpus[0])
		spec_put(o, "cpus", spec_str(r->cpuset_cpus));
	if (r->cpuset_mems[0])
		spec_put(o, "mems", spec_str(r->cpuset_mems));
	spec_put(s->resources, "cpu", o);
}

static void memory(struct spec *s, const struct resources *r)
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

/* The kubelet names every page size with limit 0, controller or not. */
static void hugepages(struct spec *s, const struct resources *r)
{
	json_t *list;

	if (!s->host->hugetlb || r->hugepages.n == 0)
		return;
	list = own_must(json_array());
	for (size_t i = 0; i < r->hugepages.n; i++)
		spec_add(list, json_pack("{s:o,s:I}", "pageSize", spec_str(r->hugepages.at[i].page_size), "limit",
					 (json_int_t)r->hugepages.at[i].limit));
	spec_put(s->resources, "hugepageLimits", list);
}

static int unified(struct spec *s, const struct resources *r, struct err *e)
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

/* Written even when nobody asked: a container must not inherit the protection of a daemon at -999. */
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

	cpu(&s, r);
	memory(&s, r);
	hugepages(&s, r);
	if (unified(&s, r, e) == 0)
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
	oom_score_adj(s, r);
	cpu(s, r);
	memory(s, r);
	hugepages(s, r);
	return unified(s, r, e);
}
