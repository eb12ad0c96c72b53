/* groups.c - native.h: the limits of a container as writes to the files of its cgroup, and its device rules.
 *
 * What runc writes, in its order (opencontainers/cgroups fs/, fs2/). Specs: OCI config-linux.md "Control groups";
 * kernel Documentation/admin-guide/cgroup-v1/, cgroup-v2.rst. */
#include <stdio.h>
#include <string.h>

#include "procs/cgroup.h"
#include "procs/native/native.h"

enum { WRITES_MAX = 4096 };

struct writes {
	struct making *m;
	struct plan_write *at;
	size_t n;
};

static void write_flagged(struct writes *w, const char *controller, const char *file, const char *text, uint32_t flags)
{
	/* A controller that is not mounted cannot limit, which is no reason to refuse a container. */
	const char *path = cgroup_file_path(w->m->arena, controller, w->m->group, file);

	if (!path || w->n == WRITES_MAX)
		return;
	w->at[w->n++] = (struct plan_write){ making_text(w->m, path), making_text(w->m, text), flags, 0 };
}

static void write_text(struct writes *w, const char *controller, const char *file, const char *text)
{
	write_flagged(w, controller, file, text, 0);
}

static void write_number(struct writes *w, const char *controller, const char *file, const json_t *v, uint32_t flags)
{
	if (json_is_integer(v))
		write_flagged(w, controller, file, arena_printf(w->m->arena, "%lld", (long long)json_integer_value(v)),
			      flags);
}

/* ---- v1 ---- */

/* The kernel refuses a quota that is too large for the old period, and a memory limit above memsw. What may depend on
 * the next file is tried first, and written once more after it. */
static void limits_v1(struct writes *w, const json_t *cpu, const json_t *memory)
{
	const json_t *period = json_object_get(cpu, "period"), *limit = json_object_get(memory, "limit");

	write_number(w, "cpu", "cpu.shares", json_object_get(cpu, "shares"), 0);
	write_number(w, "cpu", "cpu.cfs_period_us", period, PLAN_WRITE_TRY);
	write_number(w, "cpu", "cpu.cfs_quota_us", json_object_get(cpu, "quota"), 0);
	write_number(w, "cpu", "cpu.cfs_period_us", period, 0);
	if (!json_object_get(memory, "swap"))
		return write_number(w, "memory", "memory.limit_in_bytes", limit, 0);
	write_number(w, "memory", "memory.limit_in_bytes", limit, PLAN_WRITE_TRY);
	write_number(w, "memory", "memory.memsw.limit_in_bytes", json_object_get(memory, "swap"), 0);
	write_number(w, "memory", "memory.limit_in_bytes", limit, 0);
}

/* ---- v2 ---- */

static void write_bytes(struct writes *w, const char *file, json_int_t bytes)
{
	write_text(w, "memory", file, bytes < 0 ? "max" : arena_printf(w->m->arena, "%lld", (long long)bytes));
}

static void limits_v2(struct writes *w, const json_t *cpu, const json_t *memory)
{
	json_int_t shares = json_integer_value(json_object_get(cpu, "shares"));
	json_int_t quota = json_integer_value(json_object_get(cpu, "quota"));
	json_int_t period = json_integer_value(json_object_get(cpu, "period"));
	json_int_t limit = json_integer_value(json_object_get(memory, "limit"));
	json_int_t swap = json_integer_value(json_object_get(memory, "swap"));

	if (shares)
		write_text(w, "cpu", "cpu.weight",
			   arena_printf(w->m->arena, "%lld", (long long)cgroup_weight(shares)));
	if (quota || period)
		write_text(w, "cpu", "cpu.max",
			   arena_printf(w->m->arena, "%s %lld",
					quota > 0 ? arena_printf(w->m->arena, "%lld", (long long)quota) : "max",
					(long long)(period ? period : 100000)));
	/* swap is memory and swap together, as on v1. */
	if (swap)
		write_bytes(w, "memory.swap.max", swap < 0 ? -1 : limit > 0 && swap >= limit ? swap - limit : 0);
	if (limit)
		write_bytes(w, "memory.max", limit);
}

/* ---- both ---- */

static void limits_hugepages(struct writes *w, const json_t *list)
{
	const char *last = cgroup_is_v2() ? "max" : "limit_in_bytes";
	size_t i;
	json_t *v;

	json_array_foreach((json_t *)list, i, v) {
		const char *size = json_string_value(json_object_get(v, "pageSize"));

		if (!size)
			continue;
		write_number(w, "hugetlb", arena_printf(w->m->arena, "hugetlb.%s.%s", size, last),
			     json_object_get(v, "limit"), 0);
		/* Before Linux 5.7 there are no such files. */
		write_number(w, "hugetlb", arena_printf(w->m->arena, "hugetlb.%s.rsvd.%s", size, last),
			     json_object_get(v, "limit"), PLAN_WRITE_TRY);
	}
}

static void limits_unified(struct writes *w, const json_t *unified)
{
	const char *key;
	json_t *v;

	if (cgroup_is_v2())
		json_object_foreach((json_t *)unified, key, v)
			if (!strchr(key, '/') && json_is_string(v))
				write_text(w, "unified", key, json_string_value(v));
}

static void write_limits(struct writes *w, const json_t *resources)
{
	const json_t *cpu = json_object_get(resources, "cpu"), *memory = json_object_get(resources, "memory");
	const char *cpus = json_string_value(json_object_get(cpu, "cpus"));
	const char *mems = json_string_value(json_object_get(cpu, "mems"));

	if (cpus)
		write_text(w, "cpuset", "cpuset.cpus", cpus);
	if (mems)
		write_text(w, "cpuset", "cpuset.mems", mems);
	if (cgroup_is_v2())
		limits_v2(w, cpu, memory);
	else
		limits_v1(w, cpu, memory);
	limits_hugepages(w, json_object_get(resources, "hugepageLimits"));
	limits_unified(w, json_object_get(resources, "unified"));
}

static void writes_begin(struct writes *w, struct making *m)
{
	*w = (struct writes){ .m = m, .at = arena_zalloc(m->arena, WRITES_MAX * sizeof(struct plan_write)) };
}

static void writes_end(struct writes *w)
{
	w->m->head.writes = making_list(w->m, w->at, w->n, sizeof(*w->at));
}

void plan_limits(struct making *m, const json_t *resources)
{
	struct writes w;

	writes_begin(&w, m);
	write_limits(&w, resources);
	writes_end(&w);
}

/* ---- device rules ---- */

/* What runc and crun allow in every container, after its own rules: to make any node, and to use these. */
static const char *const always[] = { "c *:* m",   "b *:* m",	"c 1:3 rwm",   "c 1:8 rwm",
				      "c 1:7 rwm", "c 5:0 rwm", "c 1:5 rwm",   "c 1:9 rwm",
				      "c 5:2 rwm", "c 136:* rwm", "c 10:200 rwm" };

static const char *number_or_any(struct arena *a, const json_t *v)
{
	return json_is_integer(v) && json_integer_value(v) >= 0
		       ? arena_printf(a, "%lld", (long long)json_integer_value(v))
		       : "*";
}

/* As the files of v1 want it: "c 1:3 rwm". */
static const char *rule_text(struct arena *a, const json_t *rule)
{
	const char *type = json_string_value(json_object_get(rule, "type"));
	const char *access = json_string_value(json_object_get(rule, "access"));

	if (!type || strcmp(type, "a") == 0)
		return "a *:* rwm";
	return arena_printf(a, "%s %s:%s %s", type, number_or_any(a, json_object_get(rule, "major")),
			    number_or_any(a, json_object_get(rule, "minor")), access ? access : "rwm");
}

static void rules_v1(struct writes *w, const json_t *rules)
{
	size_t i;
	json_t *v;

	json_array_foreach((json_t *)rules, i, v)
		write_text(w, "devices",
			   json_is_true(json_object_get(v, "allow")) ? "devices.allow" : "devices.deny",
			   rule_text(w->m->arena, v));
	for (i = 0; i < sizeof(always) / sizeof(*always); i++)
		write_text(w, "devices", "devices.allow", always[i]);
}

void plan_run_limits(struct making *m, const json_t *resources)
{
	const json_t *rules = json_object_get(resources, "devices");
	json_t *all;
	struct writes w;
	uint32_t n;

	writes_begin(&w, m);
	write_limits(&w, resources);
	if (!cgroup_is_v2()) {
		rules_v1(&w, rules);
	} else {
		struct plan_code *code;

		all = json_array();
		json_array_extend(all, (json_t *)rules);
		for (size_t i = 0; i < sizeof(always) / sizeof(*always); i++)
			json_array_append_new(all, json_string(always[i]));
		code = device_program(m->arena, all, &n);
		m->head.device_program = making_list(m, code, n, sizeof(*code));
		m->head.device_group = making_text(m, cgroup_file_path(m->arena, "devices", m->group, ""));
		json_decref(all);
	}
	writes_end(&w);
}
