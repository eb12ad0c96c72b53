/* adjust.c - see adjust.h. Spec: OCI runtime-spec config.md, config-linux.md. */
#include "procs/adjust.h"

#include <string.h>

#include "reactor/own.h"

static void put(json_t *object, const char *key, json_t *value)
{
	own_must(json_object_set_new_nocheck(object, key, own_must(value)) == 0 ? object : NULL);
}

static void add(json_t *array, json_t *value)
{
	own_must(json_array_append_new(array, own_must(value)) == 0 ? array : NULL);
}

static const char *text_of(const json_t *object, const char *key)
{
	const char *s = json_string_value(json_object_get(object, key));

	return s ? s : "";
}

/* The member, made when it is missing; NULL: it is of another type. */
static json_t *member(json_t *object, const char *key, bool list)
{
	json_t *m = json_object_get(object, key);

	if (!m && json_is_object(object))
		put(object, key, m = list ? json_array() : json_object());
	return m && (list ? json_is_array(m) : json_is_object(m)) ? m : NULL;
}

static int no_place(struct err *e, const char *what)
{
	return err_set(e, ERR_INVALID_ARGUMENT, "config.json has no place for %s", what);
}

/* Takes the objects away whose member `key` is this text. */
static void take_away(json_t *list, const char *key, const char *text)
{
	for (size_t i = json_array_size(list); i-- > 0;)
		if (strcmp(text_of(json_array_get(list, i), key), text) == 0)
			json_array_remove(list, i);
}

static int adjust_pairs(json_t *object, const char *name, const json_t *change, struct err *e)
{
	json_t *to = member(object, name, false), *v;
	const char *key;

	if (!to)
		return no_place(e, name);
	json_object_foreach((json_t *)change, key, v) {
		if (json_is_null(v))
			json_object_del(to, key);
		else
			put(to, key, json_incref(v));
	}
	return 0;
}

/* A variable keeps its place among the others. */
static int adjust_env(json_t *process, const json_t *change, struct err *e)
{
	json_t *env = member(process, "env", true), *v;
	const char *name;

	if (!env)
		return no_place(e, "environment variables");
	json_object_foreach((json_t *)change, name, v) {
		json_t *word = json_is_null(v) ? NULL : own_must(json_sprintf("%s=%s", name, json_string_value(v)));
		size_t len = strlen(name);

		for (size_t i = json_array_size(env); i-- > 0;) {
			const char *old = json_string_value(json_array_get(env, i));

			if (!old || strncmp(old, name, len) != 0 || old[len] != '=')
				continue;
			if (word)
				json_array_set_new(env, i, take_ptr(&word));
			else
				json_array_remove(env, i);
		}
		if (word)
			add(env, word);
	}
	return 0;
}

/* Before the first mount that it would hide. */
static void add_mount(json_t *mounts, json_t *mount)
{
	const char *to = text_of(mount, "destination");
	size_t n = strlen(to), i;
	json_t *v;

	json_array_foreach(mounts, i, v) {
		const char *other = text_of(v, "destination");

		if (strncmp(other, to, n) == 0 && other[n] == '/')
			break;
	}
	own_must(json_array_insert_new(mounts, i, own_must(mount)) == 0 ? mounts : NULL);
}

static int adjust_mounts(json_t *config, const json_t *change, struct err *e)
{
	json_t *mounts = member(config, "mounts", true), *v;
	size_t i;

	if (!mounts)
		return no_place(e, "mounts");
	json_array_foreach((json_t *)change, i, v) {
		take_away(mounts, "destination", text_of(v, "destination"));
		if (json_object_get(v, "type"))
			add_mount(mounts, json_deep_copy(v));
	}
	return 0;
}

/* The rule that lets the container use its device; what a rule before it says does not count any more. */
static void allow_device(json_t *rules, const json_t *device)
{
	const char *type = text_of(device, "type");

	if (*type != 'p')
		add(rules, json_pack("{s:b,s:s,s:O,s:O,s:s}", "allow", 1, "type", *type == 'b' ? "b" : "c", "major",
				     json_object_get(device, "major"), "minor", json_object_get(device, "minor"),
				     "access", "rwm"));
}

static int adjust_devices(json_t *linux_, const json_t *change, struct err *e)
{
	json_t *devices = member(linux_, "devices", true), *v;
	json_t *rules = member(member(linux_, "resources", false), "devices", true);
	size_t i;

	if (!devices || !rules)
		return no_place(e, "devices");
	json_array_foreach((json_t *)change, i, v) {
		take_away(devices, "path", text_of(v, "path"));
		if (!json_object_get(v, "type"))
			continue;
		add(devices, json_deep_copy(v));
		allow_device(rules, v);
	}
	return 0;
}

static int adjust_rlimits(json_t *process, const json_t *change, struct err *e)
{
	json_t *rlimits = member(process, "rlimits", true), *v;
	size_t i;

	if (!rlimits)
		return no_place(e, "rlimits");
	json_array_foreach((json_t *)change, i, v) {
		take_away(rlimits, "type", text_of(v, "type"));
		add(rlimits, json_deep_copy(v));
	}
	return 0;
}

static int adjust_hooks(json_t *config, const json_t *change, struct err *e)
{
	json_t *hooks = member(config, "hooks", false), *v, *list;
	const char *stage;

	json_object_foreach((json_t *)change, stage, v) {
		list = member(hooks, stage, true);
		if (!list)
			return no_place(e, "hooks");
		own_must(json_array_extend(list, v) == 0 ? list : NULL);
	}
	return 0;
}

static int adjust_rules(json_t *linux_, const json_t *change, struct err *e)
{
	json_t *rules = member(member(linux_, "resources", false), "devices", true), *v;
	size_t i;

	if (!rules)
		return no_place(e, "device rules");
	json_array_foreach((json_t *)change, i, v)
		add(rules, json_deep_copy(v));
	return 0;
}

/* A compiled filter of the policy before it must not stand beside it (seccomp_bpf.h). */
static int adjust_seccomp(json_t *config, json_t *linux_, const json_t *policy, struct err *e)
{
	if (!json_is_object(linux_))
		return no_place(e, "a seccomp policy");
	put(linux_, "seccomp", json_incref((json_t *)policy));
	json_object_del(json_object_get(config, "annotations"), "run.oci.seccomp_bpf_data");
	return 0;
}

int adjust_config(json_t *config, const json_t *change, struct err *e)
{
	json_t *process = json_object_get(config, "process"), *linux_ = json_object_get(config, "linux"), *v;
	const char *key;
	int r = 0;

	json_object_foreach((json_t *)change, key, v) {
		if (r < 0)
			return r;
		if (strcmp(key, "annotations") == 0)
			r = adjust_pairs(config, key, v, e);
		else if (strcmp(key, "env") == 0)
			r = adjust_env(process, v, e);
		else if (strcmp(key, "args") == 0)
			put(process, "args", json_incref(v));
		else if (strcmp(key, "mounts") == 0)
			r = adjust_mounts(config, v, e);
		else if (strcmp(key, "devices") == 0)
			r = adjust_devices(linux_, v, e);
		else if (strcmp(key, "deviceRules") == 0)
			r = adjust_rules(linux_, v, e);
		else if (strcmp(key, "sysctl") == 0)
			r = adjust_pairs(linux_, key, v, e);
		else if (strcmp(key, "seccomp") == 0)
			r = adjust_seccomp(config, linux_, v, e);
		else if (strcmp(key, "rlimits") == 0)
			r = adjust_rlimits(process, v, e);
		else if (strcmp(key, "hooks") == 0)
			r = adjust_hooks(config, v, e);
		else if (strcmp(key, "oomScoreAdj") == 0)
			put(process, "oomScoreAdj", json_incref(v));
		else if (strcmp(key, "pidsLimit") == 0)
			put(member(linux_, "resources", false), "pids", json_pack("{s:O}", "limit", v));
	}
	return r;
}
