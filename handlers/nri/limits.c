/* limits.c - see limits.h. Spec: NRI's api.proto, LinuxResources. */
#include "handlers/nri/limits.h"

#include <stdbool.h>

#include "handlers/convert.h"
#include "handlers/nri/owners.h"
#include "procs/spec.h"

enum { HUGEPAGES_MAX = 64, UNIFIED_MAX = 1024 };

static int limit(int64_t *out, bool set, int64_t value, int64_t least, const char *what, struct err *e)
{
	if (!set)
		return 0;
	if (value < least)
		return err_set(e, ERR_INVALID_ARGUMENT, "%s: %lld is no limit", what, (long long)value);
	*out = value;
	return 0;
}

static int64_t number(const Nri__OptionalUInt64 *n)
{
	return n ? (int64_t)n->value : 0;
}

/* As of a request of CRI (request_check.c): each page size is compared with all others. (ARCHITECTURE H92) */
static int too_many(const Nri__LinuxResources *in, struct err *e)
{
	if (in->n_hugepage_limits > HUGEPAGES_MAX || in->n_unified > UNIFIED_MAX)
		return err_set(e, ERR_RESOURCE_EXHAUSTED, "resources: more than %d hugepage_limits or %d unified",
			       HUGEPAGES_MAX, UNIFIED_MAX);
	return 0;
}

static int not_possible(const Nri__LinuxResources *in, struct err *e)
{
	const Nri__LinuxMemory *m = in->memory;
	const Nri__LinuxCPU *c = in->cpu;
	const char *what = m && (m->reservation || m->kernel || m->kernel_tcp || m->swappiness) ?
				   "memory.reservation, kernel, kernel_tcp and swappiness" :
			   m && (m->disable_oom_killer || m->use_hierarchy) ?
				   "memory.disable_oom_killer and use_hierarchy" :
			   c && (c->realtime_runtime || c->realtime_period) ? "cpu.realtime_*" :
			   in->blockio_class ? "blockio_class" :
			   in->rdt_class ? "rdt_class" : NULL;

	return what ? err_set(e, ERR_UNIMPLEMENTED, "resources: crisp does not set %s", what) : 0;
}

int nri_limits(struct resources *out, int64_t *pids, const Nri__LinuxResources *in, struct arena *a, struct err *e)
{
	const Nri__LinuxMemory *m = in->memory;
	const Nri__LinuxCPU *c = in->cpu;

	*out = (struct resources){ .set = true, .cpuset_cpus = c ? c->cpus : "", .cpuset_mems = c ? c->mems : "" };
	*pids = NRI_PIDS_UNSET;
	if (too_many(in, e) < 0 || not_possible(in, e) < 0 ||
	    (m && (limit(&out->memory_limit, m->limit, m->limit ? m->limit->value : 0, 0, "memory.limit", e) < 0 ||
		   limit(&out->memory_swap_limit, m->swap, m->swap ? m->swap->value : 0, -1, "memory.swap", e) < 0)))
		return -1;
	if (c && (limit(&out->cpu_shares, c->shares, number(c->shares), 0, "cpu.shares", e) < 0 ||
		  limit(&out->cpu_period, c->period, number(c->period), 0, "cpu.period", e) < 0 ||
		  limit(&out->cpu_quota, c->quota, c->quota ? c->quota->value : 0, -1, "cpu.quota", e) < 0))
		return -1;
	if (in->pids && in->pids->limit == NRI_PIDS_UNLIMITED)
		*pids = NRI_PIDS_UNLIMITED;
	else if (in->pids && limit(pids, true, in->pids->limit, 1, "pids.limit", e) < 0)
		return -1;
	out->hugepages.at = arena_zalloc(a, (in->n_hugepage_limits + 1) * sizeof(*out->hugepages.at));
	for (size_t i = 0; i < in->n_hugepage_limits; i++)
		out->hugepages.at[out->hugepages.n++] = (struct hugepage_limit){ in->hugepage_limits[i]->page_size,
										 in->hugepage_limits[i]->limit };
	out->unified = convert_pairs(in->unified, in->n_unified, a);
	return resources_check(out, e);
}

int nri_limits_update(struct resources *out, const Nri__LinuxResources *in, struct arena *a, struct err *e)
{
	int64_t pids;

	if (in->pids || in->n_devices)
		return err_set(e, ERR_UNIMPLEMENTED, "crisp does not update %s",
			       in->pids ? "pids.limit" : "device rules");
	return nri_limits(out, &pids, in, a, e);
}

int nri_limits_claim(json_t *owners, const char *id, const char *plugin, const struct resources *r, int64_t pids,
		     struct err *e)
{
	const struct { bool set; Nri__Field field; } each[] = {
		{ r->memory_limit, NRI__FIELD__FIELD_MEM_LIMIT }, { r->cpu_shares, NRI__FIELD__FIELD_CPU_SHARES },
		{ r->memory_swap_limit, NRI__FIELD__FIELD_MEM_SWAP_LIMIT },
		{ r->cpu_quota, NRI__FIELD__FIELD_CPU_QUOTA },	  { r->cpu_period, NRI__FIELD__FIELD_CPU_PERIOD },
		{ *r->cpuset_cpus, NRI__FIELD__FIELD_CPUSET_CPUS },
		{ *r->cpuset_mems, NRI__FIELD__FIELD_CPUSET_MEMS },
		{ pids != NRI_PIDS_UNSET, NRI__FIELD__FIELD_PIDS_LIMIT },
	};

	for (size_t i = 0; i < sizeof(each) / sizeof(*each); i++)
		if (each[i].set && nri_claim(owners, id, plugin, each[i].field, "", e) < 0)
			return -1;
	for (size_t i = 0; i < r->hugepages.n; i++)
		if (nri_claim(owners, id, plugin, NRI__FIELD__FIELD_HUGEPAGE_LIMITS, r->hugepages.at[i].page_size, e) <
		    0)
			return -1;
	for (size_t i = 0; i < r->unified.n; i++)
		if (nri_claim(owners, id, plugin, NRI__FIELD__FIELD_CGROUPS_UNIFIED, r->unified.at[i].key, e) < 0)
			return -1;
	return 0;
}
