/* cdi_parse.c - parses one CDI file and checks it. Contract in cdi.h. */
#include <string.h>

#include "procs/cdi.h"
#include "procs/cri_config.h"
#include "reactor/own.h"
#include "reactor/yaml_json.h"

/* These structs only check the types of the members. The edits are read from the JSON itself, where an absent member
 * differs from 0. */
struct node {
	const char *path, *hostPath, *type, *permissions;
	int64_t major, minor, fileMode, uid, gid;
};
static const struct field node_fields[] = {
	F_STR(struct node, path),     F_STR(struct node, hostPath),
	F_STR(struct node, type),     F_STR(struct node, permissions),
	F_I64(struct node, major),    F_I64(struct node, minor),
	F_I64(struct node, fileMode), F_I64(struct node, uid),
	F_I64(struct node, gid),      F_END,
};

struct mount {
	const char *hostPath, *containerPath, *type;
	struct strings options;
};
static const struct field mount_fields[] = {
	F_STR(struct mount, hostPath), F_STR(struct mount, containerPath), F_STR(struct mount, type),
	F_STRINGS(struct mount, options), F_END,
};

struct hook {
	const char *hookName, *path;
	struct strings args, env;
	int64_t timeout;
};
static const struct field hook_fields[] = {
	F_STR(struct hook, hookName), F_STR(struct hook, path),    F_STRINGS(struct hook, args),
	F_STRINGS(struct hook, env),  F_I64(struct hook, timeout), F_END,
};

struct edits {
	struct strings env;
	struct { struct node *at; size_t n; } deviceNodes;
	struct { struct mount *at; size_t n; } mounts;
	struct { struct hook *at; size_t n; } hooks;
	struct ints additionalGids;
};
static const struct field edits_fields[] = {
	F_STRINGS(struct edits, env),
	F_ARRAY(struct edits, deviceNodes, node_fields),
	F_ARRAY(struct edits, mounts, mount_fields),
	F_ARRAY(struct edits, hooks, hook_fields),
	F_INTS(struct edits, additionalGids),
	F_END,
};

static int cdi_bad(struct err *e, const char *what, const char *value)
{
	return err_set(e, ERR_INTERNAL, "%s \"%.200s\"", what, value);
}

static int check_env(const struct strings *env, struct err *e)
{
	for (size_t i = 0; i < env->n; i++)
		if (!strchr(env->at[i], '=') || env->at[i][0] == '=')
			return cdi_bad(e, "no NAME=VALUE:", env->at[i]);
	return 0;
}

static int check_node(const struct node *n, struct err *e)
{
	if (n->path[0] != '/' || (n->hostPath[0] && n->hostPath[0] != '/'))
		return cdi_bad(e, "device node: no absolute path:", n->path[0] != '/' ? n->path : n->hostPath);
	if (strlen(n->type) > 1 || (n->type[0] && !strchr("bcup", n->type[0])))
		return cdi_bad(e, "device node: type", n->type);
	if (n->major < 0 || n->minor < 0 || n->fileMode < 0 || n->fileMode > 07777)
		return cdi_bad(e, "device node: a negative number, or no file mode:", n->path);
	if (!id_valid(n->uid) || !id_valid(n->gid))
		return cdi_bad(e, "device node: no uid or gid:", n->path);
	if (strcmp(n->permissions, "none") != 0 && n->permissions[strspn(n->permissions, "rwm")])
		return cdi_bad(e, "device node: permissions", n->permissions);
	return 0;
}

static int check_hook(const struct hook *h, struct err *e)
{
	static const char *const names[] = { "prestart",       "createRuntime", "createContainer",
					     "startContainer", "poststart",     "poststop" };
	bool known = false;

	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++)
		known |= strcmp(h->hookName, names[i]) == 0;
	if (!known)
		return cdi_bad(e, "hook: hookName", h->hookName);
	if (h->path[0] != '/')
		return cdi_bad(e, "hook: no absolute path:", h->path);
	return h->timeout < 0 ? cdi_bad(e, "hook: negative timeout of", h->path) : check_env(&h->env, e);
}

/* fields_from_json() takes {"base64": ..} for a string, as records have it (reactor/fields.h). In a CDI file it is an
 * error: the edits are read from the JSON itself, where a string must be a string. */
static bool cdi_has_base64(const json_t *j)
{
	const char *key;
	size_t i;
	json_t *v;

	json_object_foreach((json_t *)j, key, v)
		if (strcmp(key, "base64") == 0 || cdi_has_base64(v))
			return true;
	json_array_foreach(j, i, v)
		if (cdi_has_base64(v))
			return true;
	return false;
}

static int check_edits(const json_t *j, struct arena *a, struct err *e)
{
	struct edits x;
	const json_t *rdt = json_object_get(j, "intelRdt"), *net = json_object_get(j, "netDevices");

	if (!j)
		return 0;
	if (!json_is_object(j) || (rdt && !json_is_object(rdt)) || (net && !json_is_array(net)))
		return err_set(e, ERR_INTERNAL, "containerEdits, or its intelRdt or netDevices, is of the wrong type");
	if (cdi_has_base64(j))
		return err_set(e, ERR_INTERNAL, "containerEdits has an object where a string belongs");
	if (fields_from_json(edits_fields, &x, j, a, e) < 0 || check_env(&x.env, e) < 0)
		return -1;
	for (size_t i = 0; i < x.deviceNodes.n; i++)
		if (check_node(&x.deviceNodes.at[i], e) < 0)
			return -1;
	for (size_t i = 0; i < x.mounts.n; i++)
		if (x.mounts.at[i].hostPath[0] == '\0' || x.mounts.at[i].containerPath[0] != '/')
			return cdi_bad(e,
				   "mount: no hostPath, or no absolute containerPath:", x.mounts.at[i].containerPath);
	for (size_t i = 0; i < x.hooks.n; i++)
		if (check_hook(&x.hooks.at[i], e) < 0)
			return -1;
	for (size_t i = 0; i < x.additionalGids.n; i++)
		if (x.additionalGids.at[i] < 0 || x.additionalGids.at[i] >= UINT32_MAX)
			return err_set(e, ERR_INTERNAL, "additionalGids: %lld is no group",
				       (long long)x.additionalGids.at[i]);
	return 0;
}

static int cdi_check(const json_t *j, struct arena *a, struct err *e)
{
	const char *kind = json_string_value(json_object_get(j, "kind")), *name;
	const json_t *devices = json_object_get(j, "devices");
	size_t i;
	json_t *d;

	if (!json_is_string(json_object_get(j, "cdiVersion")))
		return err_set(e, ERR_INTERNAL, "no cdiVersion");
	if (!kind || !strchr(kind, '/') || strchr(kind, '='))
		return err_set(e, ERR_INTERNAL, "kind is no vendor/class");
	if (!json_is_array(devices) || json_array_size(devices) == 0)
		return err_set(e, ERR_INTERNAL, "no devices");
	if (check_edits(json_object_get(j, "containerEdits"), a, e) < 0)
		return -1;
	json_array_foreach((json_t *)devices, i, d) {
		name = json_string_value(json_object_get(d, "name"));
		if (!name || !*name)
			return err_set(e, ERR_INTERNAL, "devices[%zu] has no name", i);
		if (check_edits(json_object_get(d, "containerEdits"), a, e) < 0)
			return err_wrap(e, "device %.100s", name);
	}
	return 0;
}

static json_t *cdi_read(const char *text, size_t len, const char *what, enum cdi_form form, struct err *e)
{
	static const char *const numbers[] = { "major", "minor", "fileMode", "uid", "gid", "timeout", "additionalGids",
					       NULL };
	static const char *const switches[] = { "enableCMT", "enableMBM", "enableMonitoring", NULL };
	static const struct yaml_types types = { numbers, switches };

	return form == CDI_YAML ? yaml_parse(text, len, &types, what, e) : json_parse(text, len, what, e);
}

json_t *cdi_parse(const char *text, size_t len, const char *what, enum cdi_form form, struct err *e)
{
	auto_json json_t *j = cdi_read(text, len, what, form, e);
	struct arena *a = arena_new();
	int r = j ? cdi_check(j, a, e) : -1;

	arena_free(a);
	if (j && r < 0)
		err_wrap(e, "%s", what);
	return r < 0 ? NULL : take_ptr(&j);
}
