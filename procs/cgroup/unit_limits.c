/* unit_limits.c - see unit_limits.h. */
#include "procs/cgroup/unit_limits.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "procs/cgroup.h"

enum { PERIOD_US = 100000, QUOTA_STEP_US = 10000, S_US = 1000000 };

static void limits_put(sd_bus_message *m, const char *name, uint64_t v)
{
	BUS_MUST(sd_bus_message_append(m, "(sv)", name, "t", v));
}

static bool limits_number(const char **at, unsigned long *out)
{
	char *end;

	if (!isdigit((unsigned char)**at))
		return false;
	*out = strtoul(*at, &end, 10);
	*at = end;
	return *out < CPU_BYTES_MAX * 8;
}

size_t unit_limits_bits(const char *list, uint8_t bits[CPU_BYTES_MAX])
{
	size_t bytes = 0;

	memset(bits, 0, CPU_BYTES_MAX);
	for (const char *at = list; *at;) {
		unsigned long from, to;

		if (!limits_number(&at, &from))
			return 0;
		to = from;
		if (*at == '-' && (at++, !limits_number(&at, &to)))
			return 0;
		for (unsigned long i = from; i <= to; i++)
			bits[i / 8] |= (uint8_t)(1u << (i % 8));
		if (to < from || (*at && *at != ',') || (*at == ',' && !*++at))
			return 0;
		bytes = to / 8 + 1 > bytes ? to / 8 + 1 : bytes;
	}
	return bytes;
}

static void limits_put_set(sd_bus_message *m, const char *name, const char *list)
{
	uint8_t bits[CPU_BYTES_MAX];
	size_t n = unit_limits_bits(list, bits);

	if (!n)
		return; /* empty, or wrong: then the kernel refuses it when it is written into the file */
	BUS_MUST(sd_bus_message_open_container(m, 'r', "sv"));
	BUS_MUST(sd_bus_message_append(m, "s", name));
	BUS_MUST(sd_bus_message_open_container(m, 'v', "ay"));
	BUS_MUST(sd_bus_message_append_array(m, 'y', bits, n));
	BUS_MUST(sd_bus_message_close_container(m));
	BUS_MUST(sd_bus_message_close_container(m));
}

/* systemd keeps whole percents. Rounded up, as runc does, so that a container may still get all that its pod has. */
static void limits_put_quota(sd_bus_message *m, int64_t quota_us, int64_t period_us)
{
	uint64_t a_second = UINT64_MAX;

	if (!quota_us && !period_us)
		return;
	if (period_us <= 0)
		period_us = PERIOD_US;
	if (quota_us > 0) {
		a_second = (uint64_t)quota_us * S_US / (uint64_t)period_us;
		a_second = (a_second + QUOTA_STEP_US - 1) / QUOTA_STEP_US * QUOTA_STEP_US;
	}
	limits_put(m, "CPUQuotaPerSecUSec", a_second);
	limits_put(m, "CPUQuotaPeriodUSec", (uint64_t)period_us);
}

static void limits_put_bytes(sd_bus_message *m, const char *name, int64_t v)
{
	if (v)
		limits_put(m, name, v < 0 ? UINT64_MAX : (uint64_t)v);
}

/* The files of v2 for which systemd has a property with one number. */
static void limits_put_unified(sd_bus_message *m, const struct pair *p)
{
	static const struct { const char *file, *property; } known[] = {
		{ "memory.min", "MemoryMin" },   { "memory.low", "MemoryLow" },
		{ "memory.high", "MemoryHigh" }, { "memory.max", "MemoryMax" },
		{ "pids.max", "TasksMax" },      { "memory.swap.max", "MemorySwapMax" },
		{ "cpu.weight", "CPUWeight" },
	};
	char *end;
	uint64_t v = strtoull(p->value, &end, 10);

	if (strcmp(p->value, "max") == 0)
		v = UINT64_MAX;
	else if (!isdigit((unsigned char)*p->value) || *end)
		return;
	for (size_t i = 0; i < sizeof(known) / sizeof(*known); i++)
		if (strcmp(p->key, known[i].file) == 0)
			limits_put(m, known[i].property, v);
}

void unit_limits_put(sd_bus_message *m, const struct resources *r)
{
	if (r->cpu_shares > 0)
		limits_put(m, "CPUWeight", (uint64_t)cgroup_weight(r->cpu_shares));
	limits_put_quota(m, r->cpu_quota, r->cpu_period);
	limits_put_bytes(m, "MemoryMax", r->memory_limit);
	if (r->memory_limit > 0 && r->memory_swap_limit >= r->memory_limit)
		limits_put(m, "MemorySwapMax", (uint64_t)(r->memory_swap_limit - r->memory_limit));
	limits_put_set(m, "AllowedCPUs", r->cpuset_cpus);
	limits_put_set(m, "AllowedMemoryNodes", r->cpuset_mems);
	for (size_t i = 0; i < r->unified.n; i++)
		limits_put_unified(m, &r->unified.at[i]);
}
