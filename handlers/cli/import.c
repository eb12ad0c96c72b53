/* import.c - see import.h. Each value that is no table is looked for in the rows of import_rows.h by its path. */
#include "handlers/cli/import.h"

#include <string.h>

#include "handlers/cli/import_rows.h"
#include "reactor/own.h"
#include "reactor/toml.h"

enum { PATH_MAX_PARTS = 24 };

struct key {
	const char *part[PATH_MAX_PARTS];
	size_t n;
};

static const char *key_text(struct arena *a, const struct key *key)
{
	const char *text = "";

	for (size_t i = 0; i < key->n; i++)
		text = arena_printf(a, "%s%s%s", text, i ? "." : "", key->part[i]);
	return text;
}

/* ---- rows ---- */

/* True: the row is for the key; *any is the part that its * stands for, or NULL. */
static bool row_is_for(const struct import_row *row, const struct key *key, const char **any)
{
	const char *p = row->from;

	*any = NULL;
	for (size_t i = 0; i < key->n; i++) {
		size_t len = strcspn(p, ".");

		if (len == 1 && *p == '*')
			*any = *any ? *any : key->part[i];
		else if (strlen(key->part[i]) != len || memcmp(p, key->part[i], len) != 0)
			return false;
		p += len;
		if ((*p == '.') != (i + 1 < key->n))
			return false;
		p += *p == '.';
	}
	return true;
}

static json_t *child(json_t *object, const char *name)
{
	json_t *inner = json_object_get(object, name);

	if (!json_is_object(inner)) {
		inner = json_object();
		json_object_set_new(object, name, inner);
	}
	return inner;
}

/* Takes the value. Lists of annotations come from two keys; all others are replaced. */
static void config_set(struct import *im, const char *to, const char *any, json_t *value)
{
	json_t *at = im->config, *old;
	size_t len;

	for (; to[len = strcspn(to, ".")]; to += len + 1) {
		const char *name = len == 1 && *to == '*' ? any : arena_strndup(im->arena, to, len);

		at = child(at, name);
	}
	old = json_object_get(at, to);
	if (strcmp(to, "allowed_annotations") == 0 && json_is_array(old)) {
		json_array_extend(old, value);
		json_decref(value);
	} else {
		json_object_set_new(at, to, value);
	}
}

/* "", 0, false and empty lists are what the other program has by default. */
static bool says_nothing(const json_t *v)
{
	return json_is_false(v) || json_is_null(v) || (json_is_string(v) && !*json_string_value(v)) ||
	       (json_is_integer(v) && !json_integer_value(v)) || (json_is_array(v) && !json_array_size(v)) ||
	       (json_is_string(v) && strcmp(json_string_value(v), "0s") == 0);
}

/* The empty row: there is none. */
static const struct import_row *row_of(const struct import *im, const struct key *key, const char **any)
{
	const struct import_row *row = im->crio ? import_crio : import_containerd;

	while (row->from && !row_is_for(row, key, any))
		row++;
	return row;
}

/* A runtime is one also without keys. */
static void table_take(struct import *im, const struct key *key)
{
	const char *any;
	const struct import_row *row = row_of(im, key, &any);

	if (row->to && !row->convert)
		child(child(im->config, "runtimes"), any);
}

static void value_take(struct import *im, const struct key *key, const json_t *v, int line)
{
	const char *any;
	const struct import_row *row = row_of(im, key, &any);
	json_t *value = row->convert ? row->convert(v) : NULL;

	if (value)
		config_set(im, row->to, any, value);
	if (says_nothing(v))
		return;
	if (!row->from)
		im->tell(im->arg, line, key_text(im->arena, key), "no counterpart");
	else if (row->note && *row->note)
		im->tell(im->arg, line, key_text(im->arena, key), row->note);
	else if (row->to && !value)
		im->tell(im->arg, line, key_text(im->arena, key), "this value has no counterpart");
}

/* ---- files ---- */

/* The plugins of containerd that crisp is in the place of. NULL: another one. */
static const char *plugin_name(const char *name)
{
	static const char *const names[][2] = {
		{ "io.containerd.grpc.v1.cri", "cri" }, { "io.containerd.cri.v1.runtime", "cri" },
		{ "io.containerd.cri.v1.images", "cri" }, { "cri", "cri" }, { "io.containerd.nri.v1.nri", "nri" },
	};

	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++)
		if (strcmp(names[i][0], name) == 0)
			return names[i][1];
	return NULL;
}

/* TOML is nested less deep than struct key has parts. */
static void tables_walk(struct import *im, struct key *key, const json_t *table)
{
	const char *name;
	json_t *v;

	json_object_foreach((json_t *)table, name, v) {
		struct key inner = *key;
		bool plugin = !im->crio && key->n == 1 && strcmp(key->part[0], "plugins") == 0;

		if (plugin && plugin_name(name))
			inner = (struct key){ .part = { plugin_name(name) }, .n = 1 };
		else if (plugin)
			continue; /* what crisp has no part like is no setting of CRI */
		else if (inner.n < PATH_MAX_PARTS)
			inner.part[inner.n++] = name;
		if (json_is_object(v)) {
			table_take(im, &inner);
			tables_walk(im, &inner, v);
		} else {
			value_take(im, &inner, v, toml_line(im->lines, table, name));
		}
	}
}

void import_open(struct import *im)
{
	im->config = own_must(json_object());
	im->files = 0;
}

void import_close(struct import *im)
{
	json_decref(im->config);
}

int import_add(struct import *im, const char *text, size_t len, const char *file, struct err *e)
{
	auto_json json_t *lines = NULL, *j = toml_parse_lines(text, len, file, &lines, e);
	struct key key = { .n = 0 };
	bool crio;

	if (!j) {
		e->code = ERR_INVALID_ARGUMENT;
		return -1;
	}
	if (!json_object_size(j))
		return 0; /* comments only, as many a file of a directory */
	crio = json_object_get(j, "crio") != NULL;
	if (im->files++ && crio != im->crio)
		return err_set(e, ERR_INVALID_ARGUMENT, "%s: it is %s, and the files before are not", file,
			       crio ? "CRI-O's" : "not CRI-O's");
	im->crio = crio;
	im->lines = lines;
	tables_walk(im, &key, j);
	im->lines = NULL;
	return 0;
}

/* ---- runtimes ---- */

static const char *taken_word(struct import *im, json_t *runtime, const char *name)
{
	const char *word = json_get_str(im->arena, runtime, name);

	json_object_del(runtime, name);
	return word;
}

static void set_word(json_t *object, const char *name, const char *word)
{
	if (*word)
		json_object_set_new(object, name, json_string(word));
}

/* A program with the command line of runc, or a shim. */
static void runtime_end(struct import *im, const char *name, json_t *runtime,
			const char *(*find)(struct arena *arena, const char *name))
{
	const char *type = taken_word(im, runtime, IMPORT_TYPE), *binary = taken_word(im, runtime, IMPORT_BINARY);
	const char *path = taken_word(im, runtime, IMPORT_PATH), *found;
	const char *sandboxer = taken_word(im, runtime, IMPORT_SANDBOXER);
	bool api = strcmp(sandboxer, "shim") == 0;
	bool shim = im->crio ? strcmp(type, "vm") == 0 : api || (*type && strcmp(type, "io.containerd.runc.v2") != 0);

	if (*sandboxer && !api && strcmp(sandboxer, "podsandbox") != 0)
		im->tell(im->arg, 0, arena_printf(im->arena, "runtime %s", name),
			 arena_printf(im->arena, "a sandboxer %s, beside containerd, is not spoken to", sandboxer));
	if (shim) {
		set_word(runtime, "type", "shim");
		set_word(runtime, "path", *path ? path : type);
		set_word(runtime, "binary", binary[0] == '/' ? binary : "");
		/* A container is what containerd and CRI-O give each pod. */
		set_word(runtime, "sandbox", api ? "api" : "container");
		return;
	}
	if (json_object_del(runtime, "config_path") == 0)
		im->tell(im->arg, 0, arena_printf(im->arena, "runtime %s", name), "only a shim has a config_path");
	path = im->crio ? path : binary;
	if (path[0] != '/') {
		const char *program = *path ? path : im->crio ? name : "runc";

		found = find(im->arena, program);
		path = found ? found : arena_printf(im->arena, "/usr/bin/%s", program);
		if (!found)
			im->tell(im->arg, 0, arena_printf(im->arena, "runtime %s", name),
				 arena_printf(im->arena, "%s is not on this machine", program));
	}
	set_word(runtime, "type", "oci");
	set_word(runtime, "path", path);
}

static void default_end(struct import *im, const json_t *runtimes)
{
	const char *name = json_get_str(im->arena, json_object_get(im->config, "runtime"), "default");
	const char *is = *name ? name : im->crio ? "crun" : "runc", *first;

	if (!json_object_get(runtimes, is)) {
		first = json_object_iter_key(json_object_iter((json_t *)runtimes));
		im->tell(im->arg, 0, "the default runtime",
			 arena_printf(im->arena, "%s is not among the runtimes; %s is taken", is, first));
		is = first;
	}
	json_object_set_new(child(im->config, "runtime"), "default", json_string(is));
}

void import_end(struct import *im, const char *(*find)(struct arena *arena, const char *name))
{
	json_t *runtimes = json_object_get(im->config, "runtimes"), *one, *cgroup;
	const char *name;

	json_object_foreach(runtimes, name, one)
		runtime_end(im, name, one, find);
	if (json_object_size(runtimes))
		default_end(im, runtimes);
	cgroup = child(im->config, "cgroup");
	if (!json_object_get(cgroup, "driver"))
		set_word(cgroup, "driver", im->crio ? "systemd" : "cgroupfs");
}
