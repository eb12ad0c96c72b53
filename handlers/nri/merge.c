/* merge.c - see merge.h. Spec: NRI's api.proto, ContainerAdjustment; pkg/adaptation/result.go. */
#include "handlers/nri/merge.h"

#include <stdbool.h>
#include <string.h>

#include "handlers/convert.h"
#include "reactor/map.h"

/* Every message of a list that is merged by name has the name first: destination, key, path, type, page_size. */
struct named {
	ProtobufCMessage base;
	char *name;
};

static const char *name_of(const struct named *m)
{
	return m->name[0] == '-' ? m->name + 1 : m->name;
}

/* The list of `more` behind that of `into`. by_name: without the entries of `into` that more has too. */
static void *merged(void *into, size_t *n, void *more, size_t n_more, bool by_name, struct arena *a)
{
	struct named **out, **old = into, **new = more;
	struct map names = { 0 };
	size_t kept = 0;

	if (!n_more)
		return into;
	for (size_t i = 0; by_name && *n && i < n_more; i++)
		map_put(&names, name_of(new[i]), new[i]);
	out = arena_zalloc(a, (*n + n_more) * sizeof(*out));
	for (size_t i = 0; i < *n; i++)
		if (!by_name || !map_get(&names, name_of(old[i])))
			out[kept++] = old[i];
	map_free(&names);
	memcpy(out + kept, new, n_more * sizeof(*out));
	*n = kept + n_more;
	return out;
}

#define BY_NAME(into, from, list) \
	((into)->list = merged((into)->list, &(into)->n_##list, (from)->list, (from)->n_##list, true, a))
#define BESIDE(into, from, list) \
	((into)->list = merged((into)->list, &(into)->n_##list, (from)->list, (from)->n_##list, false, a))
#define LAST(into, from, member) ((into)->member = (from)->member ? (from)->member : (into)->member)
#define LAST_TEXT(into, from, member) ((into)->member = *(from)->member ? (from)->member : (into)->member)

static void merge_hooks(Nri__Hooks *into, const Nri__Hooks *from, struct arena *a)
{
	BESIDE(into, from, prestart);
	BESIDE(into, from, create_runtime);
	BESIDE(into, from, create_container);
	BESIDE(into, from, start_container);
	BESIDE(into, from, poststart);
	BESIDE(into, from, poststop);
}

static void merge_resources(Nri__LinuxResources *into, const Nri__LinuxResources *from, struct arena *a)
{
	BY_NAME(into, from, hugepage_limits);
	BY_NAME(into, from, unified);
	BESIDE(into, from, devices);
	LAST(into, from, pids);
	if (from->memory) {
		LAST(into->memory, from->memory, limit);
		LAST(into->memory, from->memory, swap);
	}
	if (!from->cpu)
		return;
	LAST(into->cpu, from->cpu, shares);
	LAST(into->cpu, from->cpu, quota);
	LAST(into->cpu, from->cpu, period);
	LAST_TEXT(into->cpu, from->cpu, cpus);
	LAST_TEXT(into->cpu, from->cpu, mems);
}

static void merge_linux(Nri__LinuxContainerAdjustment *into, const Nri__LinuxContainerAdjustment *from, struct arena *a)
{
	BY_NAME(into, from, devices);
	BY_NAME(into, from, sysctl);
	LAST(into, from, oom_score_adj);
	LAST(into, from, seccomp_policy);
	if (from->resources)
		merge_resources(into->resources, from->resources, a);
}

static void merge_begin(Nri__ContainerAdjustment *into, struct arena *a)
{
	into->hooks = NEW_MESSAGE(a, Nri__Hooks, nri__hooks__init);
	into->linux = NEW_MESSAGE(a, Nri__LinuxContainerAdjustment, nri__linux_container_adjustment__init);
	into->linux->resources = NEW_MESSAGE(a, Nri__LinuxResources, nri__linux_resources__init);
	into->linux->resources->memory = NEW_MESSAGE(a, Nri__LinuxMemory, nri__linux_memory__init);
	into->linux->resources->cpu = NEW_MESSAGE(a, Nri__LinuxCPU, nri__linux_cpu__init);
}

void nri_merge(Nri__ContainerAdjustment *into, const Nri__ContainerAdjustment *from, struct arena *a)
{
	if (!into->linux)
		merge_begin(into, a);
	BY_NAME(into, from, annotations);
	BY_NAME(into, from, mounts);
	BY_NAME(into, from, env);
	BY_NAME(into, from, rlimits);
	BY_NAME(into, from, cdi_devices);
	if (from->n_args) {
		bool again = from->n_args > 1 && !from->args[0][0]; /* adjust.c change_args() */

		into->args = from->args + again;
		into->n_args = from->n_args - again;
	}
	if (from->hooks)
		merge_hooks(into->hooks, from->hooks, a);
	if (from->linux)
		merge_linux(into->linux, from->linux, a);
}

/* ---- unknown fields ---- */

static const ProtobufCMessage *unknown_in(const ProtobufCMessage *m);

static const ProtobufCMessage *unknown_in_field(const ProtobufCMessage *m, const ProtobufCFieldDescriptor *f)
{
	const void *member = (const char *)m + f->offset;
	const ProtobufCMessage *const *list;
	const ProtobufCMessage *found = NULL;
	size_t n;

	if (f->type != PROTOBUF_C_TYPE_MESSAGE)
		return NULL;
	if (f->label != PROTOBUF_C_LABEL_REPEATED) {
		found = *(const ProtobufCMessage *const *)member;
		return found ? unknown_in(found) : NULL;
	}
	list = *(const ProtobufCMessage *const *const *)member;
	n = *(const size_t *)((const char *)m + f->quantifier_offset);
	for (size_t i = 0; i < n && !found; i++)
		found = unknown_in(list[i]);
	return found;
}

static const ProtobufCMessage *unknown_in(const ProtobufCMessage *m)
{
	const ProtobufCMessage *found = m->n_unknown_fields ? m : NULL;

	for (unsigned i = 0; i < m->descriptor->n_fields && !found; i++)
		found = unknown_in_field(m, &m->descriptor->fields[i]);
	return found;
}

int nri_known(const ProtobufCMessage *m, struct err *e)
{
	const ProtobufCMessage *found = unknown_in(m);

	return found ? err_set(e, ERR_UNIMPLEMENTED, "crisp does not know field %u of %s",
			       found->unknown_fields[0].tag, found->descriptor->short_name)
		     : 0;
}
