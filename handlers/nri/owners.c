/* owners.c - see owners.h. { container: { number of the field: { key: plugin } } }; a plugin with "-" before its name
 * has taken it away. */
#include "handlers/nri/owners.h"

#include <stdio.h>
#include <string.h>

#include "handlers/convert.h"
#include "reactor/own.h"
#include "reactor/utf8.h"

/* As they are named to users. */
static const char *const names[] = {
	[NRI__FIELD__FIELD_ANNOTATIONS] = "annotation",
	[NRI__FIELD__FIELD_MOUNTS] = "mount",
	[NRI__FIELD__FIELD_OCI_HOOKS] = "hooks",
	[NRI__FIELD__FIELD_DEVICES] = "device",
	[NRI__FIELD__FIELD_CDI_DEVICES] = "CDI device",
	[NRI__FIELD__FIELD_ENV] = "env",
	[NRI__FIELD__FIELD_ARGS] = "args",
	[NRI__FIELD__FIELD_MEM_LIMIT] = "memory.limit",
	[NRI__FIELD__FIELD_MEM_SWAP_LIMIT] = "memory.swap",
	[NRI__FIELD__FIELD_CPU_SHARES] = "cpu.shares",
	[NRI__FIELD__FIELD_CPU_QUOTA] = "cpu.quota",
	[NRI__FIELD__FIELD_CPU_PERIOD] = "cpu.period",
	[NRI__FIELD__FIELD_CPUSET_CPUS] = "cpu.cpus",
	[NRI__FIELD__FIELD_CPUSET_MEMS] = "cpu.mems",
	[NRI__FIELD__FIELD_PIDS_LIMIT] = "pids.limit",
	[NRI__FIELD__FIELD_HUGEPAGE_LIMITS] = "hugepage limit",
	[NRI__FIELD__FIELD_CGROUPS_UNIFIED] = "unified limit",
	[NRI__FIELD__FIELD_OOM_SCORE_ADJ] = "oom_score_adj",
	[NRI__FIELD__FIELD_RLIMITS] = "rlimit",
	[NRI__FIELD__FIELD_SECCOMP_POLICY] = "seccomp_policy",
	[NRI__FIELD__FIELD_SYSCTL] = "sysctl",
};

enum { FIELDS = sizeof(names) / sizeof(*names) };

json_t *nri_owners_new(void)
{
	return own_must(json_object());
}

static void put(json_t *object, const char *key, json_t *value)
{
	own_must(json_object_set_new_nocheck(object, key, own_must(value)) == 0 ? object : NULL);
}

static json_t *inside(json_t *object, const char *key)
{
	json_t *v = json_object_get(object, key);

	if (!v)
		put(object, key, v = json_object());
	return v;
}

static const json_t *field_get(const json_t *fields, Nri__Field field)
{
	char number[16];

	snprintf(number, sizeof(number), "%d", (int)field);
	return json_object_get(fields, number);
}

static json_t *keys_of(json_t *owners, const char *container, Nri__Field field)
{
	char number[16];

	snprintf(number, sizeof(number), "%d", (int)field);
	return inside(inside(owners, container), number);
}

int nri_claim(json_t *owners, const char *container, const char *plugin, Nri__Field field, const char *key,
	      struct err *e)
{
	json_t *keys = keys_of(owners, container, field);
	const char *owner = json_string_value(json_object_get(keys, key));

	if (!utf8_valid(key, strlen(key)))
		return err_set(e, ERR_INVALID_ARGUMENT, "NRI plugin %s: text that is not UTF-8: %s", plugin,
			       names[field]);
	owner = owner && *owner == '-' ? owner + 1 : owner;
	if (owner && strcmp(owner, plugin) != 0)
		return err_set(e, ERR_INVALID_ARGUMENT, "NRI plugins %s and %s both change %s%s%.200s", owner, plugin,
			       names[field], *key ? " " : "", key);
	put(keys, key, json_string(plugin));
	return 0;
}

void nri_release(json_t *owners, const char *container, const char *plugin, Nri__Field field, const char *key)
{
	json_t *keys = keys_of(owners, container, field);

	if (json_object_get(keys, key))
		put(keys, key, json_sprintf("-%s", plugin));
}

void nri_claim_too(json_t *owners, const char *container, const char *plugin, Nri__Field field)
{
	json_t *keys = keys_of(owners, container, field);
	const char *owner = json_string_value(json_object_get(keys, ""));

	put(keys, "", owner ? json_sprintf("%s,%s", owner, plugin) : json_string(plugin));
}

const char *nri_owners_of(const json_t *owners, const char *container, Nri__Field field, struct arena *a)
{
	const char *out = NULL, *key;
	json_t *owner;

	json_object_foreach((json_t *)field_get(json_object_get(owners, container), field), key, owner) {
		const char *name = json_string_value(owner);

		if (*name != '-')
			out = out ? arena_printf(a, "%s, %s", out, name) : arena_strdup(a, name);
	}
	return out;
}

/* ---- the message ---- */

static bool has_one_value(Nri__Field field)
{
	switch (field) {
	case NRI__FIELD__FIELD_ANNOTATIONS:
	case NRI__FIELD__FIELD_MOUNTS:
	case NRI__FIELD__FIELD_DEVICES:
	case NRI__FIELD__FIELD_CDI_DEVICES:
	case NRI__FIELD__FIELD_ENV:
	case NRI__FIELD__FIELD_HUGEPAGE_LIMITS:
	case NRI__FIELD__FIELD_CGROUPS_UNIFIED:
	case NRI__FIELD__FIELD_RLIMITS:
	case NRI__FIELD__FIELD_SYSCTL: return false;
	default: return true;
	}
}

static Nri__CompoundFieldOwners *compound_of(const json_t *keys, struct arena *a)
{
	Nri__CompoundFieldOwners *out =
		NEW_MESSAGE(a, Nri__CompoundFieldOwners, nri__compound_field_owners__init);
	struct pairs pairs = { arena_zalloc(a, (json_object_size(keys) + 1) * sizeof(*pairs.at)), 0 };
	const char *key;
	json_t *owner;

	json_object_foreach((json_t *)keys, key, owner)
		pairs.at[pairs.n++] = (struct pair){ key, json_string_value(owner) };
	out->n_owners = pairs.n;
	out->owners = convert_map(&pairs, &nri__compound_field_owners__owners_entry__descriptor, a);
	return out;
}

static Nri__FieldOwners *fields_of(const json_t *fields, struct arena *a)
{
	Nri__FieldOwners *out = NEW_MESSAGE(a, Nri__FieldOwners, nri__field_owners__init);

	out->simple = arena_zalloc(a, FIELDS * sizeof(*out->simple));
	out->compound = arena_zalloc(a, FIELDS * sizeof(*out->compound));
	for (int field = 0; field < FIELDS; field++) {
		const json_t *keys = field_get(fields, (Nri__Field)field);

		if (!json_object_size(keys))
			continue;
		if (has_one_value((Nri__Field)field)) {
			Nri__FieldOwners__SimpleEntry *s = NEW_MESSAGE(a, Nri__FieldOwners__SimpleEntry,
								       nri__field_owners__simple_entry__init);

			s->key = field;
			s->value = (char *)json_string_value(json_object_get(keys, ""));
			out->simple[out->n_simple++] = s;
		} else {
			Nri__FieldOwners__CompoundEntry *c = NEW_MESSAGE(a, Nri__FieldOwners__CompoundEntry,
									 nri__field_owners__compound_entry__init);

			c->key = field;
			c->value = compound_of(keys, a);
			out->compound[out->n_compound++] = c;
		}
	}
	return out;
}

Nri__OwningPlugins *nri_owners_message(const json_t *owners, struct arena *a)
{
	Nri__OwningPlugins *out = NEW_MESSAGE(a, Nri__OwningPlugins, nri__owning_plugins__init);
	const char *container;
	json_t *fields;

	out->owners = arena_zalloc(a, (json_object_size(owners) + 1) * sizeof(*out->owners));
	json_object_foreach((json_t *)owners, container, fields) {
		Nri__OwningPlugins__OwnersEntry *o =
			NEW_MESSAGE(a, Nri__OwningPlugins__OwnersEntry, nri__owning_plugins__owners_entry__init);

		o->key = (char *)container;
		o->value = fields_of(fields, a);
		out->owners[out->n_owners++] = o;
	}
	return out;
}
