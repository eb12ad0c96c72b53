/* conf.c - see conf.h. */
#include "procs/cni/conf.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "reactor/own.h"
#include "reactor/words.h"

enum { FILE_MAX = 1 << 20 };
static const char HOST_LOCAL_DIR[] = "/var/lib/cni/networks"; /* without a dataDir */

/* Oldest first. Versions before 0.3.0 had no lists and no prevResult, and are refused. */
static const char *const versions[] = { "0.3.0", "0.3.1", "0.4.0", "1.0.0", "1.1.0" };
enum { VERSIONS = sizeof(versions) / sizeof(versions[0]) };

static int version_rank(const char *v)
{
	for (int i = 0; v && i < VERSIONS; i++)
		if (strcmp(versions[i], v) == 0)
			return i;
	return -1;
}

bool cni_conf_reaches(const json_t *list, int major, int minor)
{
	const char *v = json_string_value(json_object_get(list, "cniVersion"));
	int have_major = 0, have_minor = 0;

	sscanf(v, "%d.%d", &have_major, &have_minor);
	return have_major > major || (have_major == major && have_minor >= minor);
}

const json_t *cni_conf_plugins(const json_t *list)
{
	return json_object_get(list, "plugins");
}

const char *cni_conf_name(const json_t *list)
{
	return json_string_value(json_object_get(list, "name"));
}

const char *cni_plugin_type(const json_t *plugin)
{
	return json_string_value(json_object_get(plugin, "type"));
}

/* The newest version known here of cniVersion and of cniVersions (an array that 1.1.0 added). */
static const char *conf_pick_version(const json_t *j)
{
	const char *one = json_string_value(json_object_get(j, "cniVersion"));
	const json_t *all = json_object_get(j, "cniVersions"), *v;
	int best = version_rank(one);
	size_t i;

	json_array_foreach(all, i, v) {
		int rank = version_rank(json_string_value(v));

		if (rank > best)
			best = rank;
	}
	return best < 0 ? NULL : versions[best];
}

/* Section 1: the first character is alphanumeric; the others may also be "_", "." and "-". */
static bool name_is_good(const char *name)
{
	if (!name || !isalnum((unsigned char)name[0]))
		return false;
	for (const char *at = name; *at; at++)
		if (!isalnum((unsigned char)*at) && !strchr("_.-", *at))
			return false;
	return true;
}

static int conf_check_plugins(const json_t *plugins, const char *what, struct err *e)
{
	json_t *plugin;
	size_t i;

	if (json_array_size(plugins) == 0)
		return err_set(e, ERR_INTERNAL, "%s: no plugins in it", what);
	json_array_foreach(plugins, i, plugin) {
		const char *type = cni_plugin_type(plugin);

		if (!type || !type[0])
			return err_set(e, ERR_INTERNAL, "%s: plugin %zu has no type", what, i + 1);
		if (strchr(type, '/') || strcmp(type, ".") == 0 || strcmp(type, "..") == 0)
			return err_set(e, ERR_INTERNAL, "%s: plugin %zu: type %.64s is no file name", what, i + 1,
				       type);
	}
	return 0;
}

json_t *cni_conf_parse(const char *text, size_t len, enum cni_conf_kind kind, const char *what, struct err *e)
{
	auto_json json_t *j = json_parse(text, len, what, e);
	auto_json json_t *list = NULL;
	const char *name, *version;

	if (!j)
		return NULL;
	if (!json_is_object(j)) {
		err_set(e, ERR_INTERNAL, "%s: not a JSON object", what);
		return NULL;
	}
	name = json_string_value(json_object_get(j, "name"));
	version = conf_pick_version(j);
	if (!name_is_good(name)) {
		err_set(e, ERR_INTERNAL, "%s: no valid network name in it", what);
		return NULL;
	}
	if (!version) {
		const char *asked = json_string_value(json_object_get(j, "cniVersion"));

		err_set(e, ERR_INTERNAL, "%s: cniVersion %.32s is not one of %s to %s", what, asked ? asked : "(none)",
			versions[0], versions[VERSIONS - 1]);
		return NULL;
	}
	list = kind == CNI_CONF_LIST ? json_incref(j) : json_pack("{s:s, s:[O]}", "name", name, "plugins", j);
	if (conf_check_plugins(cni_conf_plugins(list), what, e) < 0)
		return NULL;
	json_object_set_new(list, "cniVersion", json_string(version));
	json_object_del(list, "cniVersions");
	return take_ptr(&list);
}

static json_t *conf_load_file(struct lookup *l, const char *path, enum cni_conf_kind kind, struct err *e)
{
	size_t len;
	auto_free char *text = lookup_read(l, path, FILE_MAX, &len, ERR_FAILED_PRECONDITION, e);

	return text ? cni_conf_parse(text, len, kind, path, e) : NULL;
}

/* A directory's name ends in a slash. */
static bool is_conf_name(const char *name)
{
	return word_ends_in(name, ".conflist") || word_ends_in(name, ".conf") || word_ends_in(name, ".json");
}

static int conf_list_dir(struct lookup *l, const char *dir, struct strings *names, struct arena *a, struct err *e)
{
	const struct looked *f = lookup_get(l, LOOKUP_DIR, dir, e);

	*names = (struct strings){ 0 };
	if (!f)
		return -1;
	errno = f->error;
	if (f->error)
		return errno == ENOENT ? 0 : err_os(e, ERR_FAILED_PRECONDITION, "%s", dir);
	return lookup_names(f, dir, names, a, e);
}

json_t *cni_conf_load(struct lookup *l, const char *dir, struct arena *a, const char **file, struct err *e)
{
	struct strings names;
	json_t *list = NULL;
	struct err fault;

	*file = "";
	if (conf_list_dir(l, dir, &names, a, e) < 0)
		return NULL;
	e->code = ERR_OK;
	for (size_t i = 0; i < names.n && !list; i++) {
		if (!is_conf_name(names.at[i]))
			continue;
		*file = arena_printf(a, "%s/%s", dir, names.at[i]);
		list = conf_load_file(l, *file,
				      word_ends_in(*file, ".conflist") ? CNI_CONF_LIST : CNI_CONF_SINGLE, &fault);
		if (!list && fault.code == ERR_UNAVAILABLE) {
			*e = fault;
			return NULL;
		}
		if (!list && e->code == ERR_OK)
			*e = fault;
	}
	if (!list && e->code == ERR_OK)
		err_set(e, ERR_FAILED_PRECONDITION, "no CNI configuration in %s yet", dir);
	if (!list)
		e->code = ERR_FAILED_PRECONDITION;
	return list;
}

const char *cni_plugin_path(struct arena *a, const char *type, const struct strings *bin_dirs, cni_facts *look,
			    void *arg, struct err *e)
{
	const char *all = "";

	for (size_t i = 0; i < bin_dirs->n; i++) {
		char *path = arena_printf(a, "%s/%s", bin_dirs->at[i], type);
		const struct looked *f = look(arg, path, e);

		if (!f)
			return NULL;
		if (!f->error && S_ISREG(f->mode) && (f->mode & 0111))
			return path;
		/* A file that cannot be looked at, for want of fds for example, may be there. */
		errno = f->error;
		if (errno && errno != ENOENT && errno != ENOTDIR) {
			err_os(e, ERR_INTERNAL, "CNI plugin %.300s", path);
			return NULL;
		}
		all = arena_printf(a, "%s%s%s", all, i ? ", " : "", bin_dirs->at[i]);
	}
	err_set(e, ERR_INTERNAL, "CNI plugin %.64s is not in %s", type, all);
	return NULL;
}

char *cni_conf_stdin(struct arena *a, const json_t *list, const json_t *plugin, const json_t *capabilities,
		     json_t *prev)
{
	auto_json json_t *conf = json_copy((json_t *)plugin);
	auto_json json_t *runtime = json_object();
	json_t *declared = json_object_get(plugin, "capabilities"), *yes;
	const char *key;

	json_object_set(conf, "name", json_object_get(list, "name"));
	json_object_set(conf, "cniVersion", json_object_get(list, "cniVersion"));
	json_object_foreach(declared, key, yes) {
		json_t *value = json_object_get(capabilities, key);

		if (json_is_true(yes) && value)
			json_object_set(runtime, key, value);
	}
	json_object_del(conf, "capabilities");
	if (json_object_size(runtime))
		json_object_set(conf, "runtimeConfig", runtime);
	if (prev)
		json_object_set(conf, "prevResult", prev);
	return json_text(a, conf);
}

json_t *cni_conf_for_gc(const json_t *list, const struct strings *valid)
{
	json_t *copy = json_deep_copy(list), *plugin;
	auto_json json_t *all = json_array();
	size_t i;

	for (size_t k = 0; k < valid->n; k++)
		json_array_append_new(all, json_pack("{s:s, s:s}", "containerID", valid->at[k], "ifname", "eth0"));
	json_array_foreach(cni_conf_plugins(copy), i, plugin) {
		json_object_set(plugin, "cni.dev/valid-attachments", all);
		json_object_set(plugin, "cni.dev/attachments", all); /* as libcni, for plugins of early drafts */
	}
	return copy;
}

static void place_add(struct strings *to, struct arena *a, const char *dir, const char *network)
{
	const char *path = arena_printf(a, "%s/%s", dir, network);

	if (!strings_have(to, path))
		to->at[to->n++] = path;
}

struct strings cni_conf_places(struct arena *a, const json_t *list)
{
	const json_t *plugins = cni_conf_plugins(list), *plugin;
	struct strings out = { arena_zalloc(a, (json_array_size(plugins) + 1) * sizeof(*out.at)), 0 };
	size_t i;

	json_array_foreach(plugins, i, plugin) {
		const json_t *ipam = json_object_get(plugin, "ipam");
		const char *dir = json_string_value(json_object_get(ipam, "dataDir"));

		if (dir && *dir == '/')
			place_add(&out, a, dir, cni_conf_name(list));
	}
	place_add(&out, a, HOST_LOCAL_DIR, cni_conf_name(list));
	return out;
}
