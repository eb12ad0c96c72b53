/* cdi.c - see cdi.h: which devices a container asks for, which files describe them, and their edits merged. */
#include "procs/cdi.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "reactor/log.h"
#include "reactor/own.h"
#include "reactor/words.h"

#define ANNOTATION "cdi.k8s.io/"

enum { FILE_MAX = JSON_BYTES_MAX };

static const struct strings *dirs;

/* A device that is asked for, and its description in the last directory that has one. */
struct wanted {
	const char *name; /* vendor/class=name */
	json_t *file, *device; /* owned; NULL: not found */
	size_t dir;
	bool twice; /* described twice in that directory */
};

enum { CDI_DEVICES_MAX = 512 };

struct search {
	struct arena *arena;
	struct lookup *lookup;
	struct wanted *at;
	size_t n;
	const char *faults; /* files that could not be read: "; file: why" for each */
};

void cdi_open(const struct strings *spec_dirs)
{
	dirs = spec_dirs;
}

/* ---- what is asked for ---- */

static bool is_word(const char *s, size_t len, const char *inner)
{
	if (len == 0 || !isalnum((unsigned char)s[0]) || !isalnum((unsigned char)s[len - 1]))
		return false;
	for (size_t i = 0; i < len; i++)
		if (!isalnum((unsigned char)s[i]) && !strchr(inner, s[i]))
			return false;
	return true;
}

static bool is_device(const char *name)
{
	const char *slash = strchr(name, '/'), *equal = slash ? strchr(slash, '=') : NULL;

	return equal && is_word(name, (size_t)(slash - name), "_-.") &&
	       is_word(slash + 1, (size_t)(equal - slash - 1), "_-.") && is_word(equal + 1, strlen(equal + 1), "_-.:");
}

static int cdi_ask(struct strings *out, const char *name, const char *where, struct err *e)
{
	if (!is_device(name))
		return err_set(e, ERR_INVALID_ARGUMENT, "%s: \"%.200s\" is no CDI device (vendor/class=name)", where,
			       name);
	if (!strings_have(out, name))
		out->at[out->n++] = name;
	return 0;
}

static size_t commas(const char *text)
{
	size_t n = 0;

	for (; *text; text++)
		n += *text == ',';
	return n;
}

int cdi_asked(const struct strings *field, const struct pairs *annotations, struct strings *out, struct arena *a,
	      struct err *e)
{
	size_t most = field->n;

	for (size_t i = 0; i < annotations->n; i++)
		most += 1 + commas(annotations->at[i].value);
	*out = (struct strings){ arena_zalloc(a, most * sizeof(*out->at)), 0 };
	for (size_t i = 0; i < field->n; i++)
		if (cdi_ask(out, field->at[i], "CDI_devices", e) < 0)
			return -1;
	for (size_t i = 0; i < annotations->n; i++) {
		const char *at = annotations->at[i].value;

		if (strncmp(annotations->at[i].key, ANNOTATION, strlen(ANNOTATION)) != 0)
			continue;
		for (;; at++) {
			size_t len = strcspn(at, ",");

			if (cdi_ask(out, arena_strndup(a, at, len), annotations->at[i].key, e) < 0)
				return -1;
			at += len;
			if (!*at)
				break;
		}
	}
	return 0;
}

/* ---- where it is ---- */

static void cdi_found(struct wanted *w, json_t *file, json_t *device, size_t dir)
{
	if (w->device && w->dir == dir) {
		w->twice = true;
		return;
	}
	json_decref(w->file);
	json_decref(w->device);
	*w = (struct wanted){ .name = w->name, .file = json_incref(file), .device = json_incref(device), .dir = dir };
}

static void cdi_look_in(struct search *s, json_t *file, size_t dir)
{
	const char *kind = json_string_value(json_object_get(file, "kind"));
	size_t len = strlen(kind), i;
	json_t *d;

	json_array_foreach(json_object_get(file, "devices"), i, d)
		for (size_t k = 0; k < s->n; k++) {
			const char *name = s->at[k].name;

			if (strncmp(name, kind, len) == 0 && name[len] == '=' &&
			    strcmp(name + len + 1, json_string_value(json_object_get(d, "name"))) == 0)
				cdi_found(&s->at[k], file, d, dir);
		}
}

static void cdi_fault(struct search *s, const char *words)
{
	s->faults = arena_printf(s->arena, "%s; %.200s", s->faults, words);
}

static void cdi_look_at_file(struct search *s, const char *path, enum cdi_form form, size_t dir)
{
	auto_json json_t *file = NULL;
	struct err e;
	size_t len;
	auto_free char *text = lookup_read(s->lookup, path, FILE_MAX, &len, ERR_INTERNAL, &e);

	if (text)
		file = cdi_parse(text, len, path, form, &e);
	if (file)
		return cdi_look_in(s, file, dir);
	log_warn("cdi_file error=%s", log_quote(e.msg));
	cdi_fault(s, e.msg);
}

static bool cdi_is_spec(const char *name, enum cdi_form *form)
{
	*form = word_ends_in(name, ".yaml") ? CDI_YAML : CDI_JSON;
	return *form == CDI_YAML || word_ends_in(name, ".json");
}

/* The names in a spec directory. false: there are none; e is OK where there is no such directory. */
static bool cdi_list(struct lookup *lookup, const char *dir, struct strings *names, struct arena *a, struct err *e)
{
	const struct looked *f = lookup_get(lookup, LOOKUP_DIR, dir, e);

	if (!f)
		return false;
	e->code = ERR_OK;
	errno = f->error;
	if (errno && errno != ENOENT)
		err_os(e, ERR_INTERNAL, "%s", dir);
	return !f->error && lookup_names(f, dir, names, a, e) == 0;
}

void cdi_look(struct lookup *lookup)
{
	struct arena *a = arena_new();
	struct strings names;
	enum cdi_form form;
	struct err e;

	for (size_t i = 0; dirs && i < dirs->n; i++) {
		if (!cdi_list(lookup, dirs->at[i], &names, a, &e))
			continue;
		for (size_t k = 0; k < names.n; k++)
			if (cdi_is_spec(names.at[k], &form))
				lookup_add(lookup, LOOKUP_TEXT, arena_printf(a, "%s/%s", dirs->at[i], names.at[k]));
	}
	arena_free(a);
}

static void cdi_look_everywhere(struct search *s)
{
	struct strings names;
	enum cdi_form form;
	struct err e;

	for (size_t i = 0; dirs && i < dirs->n; i++) {
		if (!cdi_list(s->lookup, dirs->at[i], &names, s->arena, &e)) {
			if (e.code != ERR_OK)
				cdi_fault(s, e.msg);
			continue;
		}
		for (size_t k = 0; k < names.n; k++) {
			const char *path = arena_printf(s->arena, "%s/%s", dirs->at[i], names.at[k]);

			if (cdi_is_spec(path, &form))
				cdi_look_at_file(s, path, form, i);
		}
	}
}

/* ---- what it adds ---- */

static void cdi_merge(json_t *to, const json_t *from)
{
	static const char *const lists[] = { "env", "deviceNodes", "mounts", "hooks", "additionalGids", "netDevices" };
	json_t *rdt = json_object_get(from, "intelRdt");

	for (size_t i = 0; i < sizeof(lists) / sizeof(*lists); i++) {
		json_t *more = json_object_get(from, lists[i]);

		if (more && json_array_extend(json_object_get(to, lists[i]), more))
			abort();
	}
	if (rdt && json_object_update(json_object_get(to, "intelRdt"), rdt))
		abort();
}

/* The edits for all devices of a file come once, before the edits of its first device. */
static json_t *cdi_merge_all(const struct search *s)
{
	json_t *all = own_must(json_pack("{s:[],s:[],s:[],s:[],s:[],s:[],s:{}}", "env", "deviceNodes", "mounts",
					 "hooks", "additionalGids", "netDevices", "intelRdt"));

	for (size_t i = 0; i < s->n; i++) {
		bool again = false;

		for (size_t k = 0; k < i; k++)
			again |= json_object_get(s->at[k].file, "devices") == json_object_get(s->at[i].file, "devices");
		if (!again)
			cdi_merge(all, json_object_get(s->at[i].file, "containerEdits"));
		cdi_merge(all, json_object_get(s->at[i].device, "containerEdits"));
	}
	return all;
}

static int cdi_all_there(const struct search *s, struct err *e)
{
	const char *missing = "";

	/* The message has room for no more than 400 bytes of the names. */
	for (size_t i = 0; i < s->n && strlen(missing) < 400; i++)
		if (!s->at[i].device || s->at[i].twice)
			missing = arena_printf(s->arena, "%s%s%.100s%s", missing, *missing ? ", " : "", s->at[i].name,
					       s->at[i].twice ? " (described twice)" : "");
	return *missing ? err_set(e, ERR_INVALID_ARGUMENT, "no such CDI device: %.400s%.400s", missing, s->faults) : 0;
}

json_t *cdi_edits(struct lookup *lookup, const struct strings *devices, struct err *e)
{
	struct search s = { .arena = arena_new(), .lookup = lookup, .n = devices->n, .faults = "" };
	json_t *out = NULL;

	if (devices->n > CDI_DEVICES_MAX) { /* every device is compared with those of every file */
		err_set(e, ERR_INVALID_ARGUMENT, "%zu CDI devices; %d are allowed", devices->n, CDI_DEVICES_MAX);
		arena_free(s.arena);
		return NULL;
	}
	s.at = arena_zalloc(s.arena, devices->n * sizeof(*s.at));
	for (size_t i = 0; i < devices->n; i++)
		s.at[i].name = devices->at[i];
	cdi_look_everywhere(&s);
	if (cdi_all_there(&s, e) == 0)
		out = cdi_merge_all(&s);
	for (size_t i = 0; i < s.n; i++) {
		json_decref(s.at[i].file);
		json_decref(s.at[i].device);
	}
	arena_free(s.arena);
	return out;
}
