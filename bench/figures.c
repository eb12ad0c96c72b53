/* figures.c - see figures.h. */
#include "bench/figures.h"

#include <errno.h>
#include <string.h>

#include "reactor/own.h"

static const struct {
	const char *suffix, *unit;
	bool larger_is_better;
} units[] = {
	{ "_kib", "KiB", false }, { "_mb_s", "MB/s", true },  { "_per_s", "1/s", true },
	{ "_percent", "%", false }, { "_per_mb", "ms/MB", false }, { "_n", "", false },
};
enum { UNITS = sizeof(units) / sizeof(*units) };

static size_t unit_of(const char *name)
{
	size_t len = strlen(name);

	for (size_t i = 0; i < UNITS; i++) {
		size_t n = strlen(units[i].suffix);

		if ((len > n && strcmp(name + len - n, units[i].suffix) == 0) || strcmp(name, units[i].suffix + 1) == 0)
			return i;
	}
	return UNITS;
}

const char *figure_unit(const char *name)
{
	size_t i = unit_of(name);

	return i < UNITS ? units[i].unit : "ms";
}

const char *figure_title(struct arena *a, const char *name)
{
	size_t i = unit_of(name), n = i < UNITS ? strlen(units[i].suffix) : 0, len = strlen(name);
	char *title = arena_strndup(a, name, len > n ? len - n : len);

	for (char *c = title; *c; c++)
		if (*c == '_')
			*c = ' ';
	return title;
}

bool figure_larger_is_better(const char *name)
{
	size_t i = unit_of(name);

	return i < UNITS && units[i].larger_is_better;
}

struct figure *figures_find(const struct figures *f, const char *scenario, const char *mode, const char *name,
			    const char *endpoint)
{
	for (size_t i = 0; i < f->n; i++) {
		struct figure *at = &f->at[i];

		if (strcmp(at->name, name) == 0 && strcmp(at->endpoint, endpoint) == 0 && strcmp(at->mode, mode) == 0 &&
		    strcmp(at->scenario, scenario) == 0)
			return at;
	}
	return NULL;
}

const char *figures_endpoint(const struct figures *f, const char *prefix)
{
	for (size_t i = 0; i < f->n; i++)
		if (strncmp(f->at[i].endpoint, prefix, strlen(prefix)) == 0)
			return f->at[i].endpoint;
	return NULL;
}

static bool first_of_endpoint(const struct figures *f, size_t at)
{
	for (size_t i = 0; i < at; i++)
		if (strcmp(f->at[i].endpoint, f->at[at].endpoint) == 0)
			return false;
	return true;
}

const char *figures_nth_endpoint(const struct figures *f, size_t n)
{
	for (size_t i = 0; i < f->n; i++)
		if (first_of_endpoint(f, i) && n-- == 0)
			return f->at[i].endpoint;
	return NULL;
}

static struct figure *figure_of(struct figures *f, const json_t *line, const char *name)
{
	const char *scenario = json_get_str(f->arena, line, "scenario"), *mode = json_get_str(f->arena, line, "mode");
	const char *endpoint = json_get_str(f->arena, line, "endpoint");
	struct figure *at = figures_find(f, scenario, mode, name, endpoint);

	if (at)
		return at;
	if (f->n == f->room) {
		f->room = f->room ? 2 * f->room : 64;
		f->at = own_must(reallocarray(f->at, f->room, sizeof(*f->at)));
	}
	at = &f->at[f->n++];
	*at = (struct figure){ scenario, mode, arena_strdup(f->arena, name), endpoint, { 0 } };
	return at;
}

static void take_sample(struct figures *f, json_t *line)
{
	const char *name;
	json_t *v;

	json_object_foreach(line, name, v)
		if (json_is_number(v) && strcmp(name, "round") != 0)
			samples_add(&figure_of(f, line, name)->samples, json_number_value(v));
}

/* Is `value` one of the values of the list "A; B"? */
static bool has_value(const char *list, const char *value)
{
	size_t len = strlen(value);

	for (const char *at = list; (at = strstr(at, value)); at++)
		if ((at == list || strncmp(at - 2, "; ", 2) == 0) && (!at[len] || strncmp(at + len, "; ", 2) == 0))
			return true;
	return false;
}

static void take_conditions(struct figures *f, json_t *line)
{
	const char *key;
	json_t *v;

	json_object_foreach(line, key, v) {
		const char *had = json_string_value(json_object_get(f->conditions, key));
		auto_free char *dumped = json_is_string(v) ? NULL : own_must(json_dumps(v, JSON_ENCODE_ANY));
		const char *text = dumped ? dumped : json_string_value(v);

		if (strcmp(key, "kind") == 0 || !*text || (had && has_value(had, text)))
			continue;
		json_object_set_new(f->conditions, key,
				    own_must(had ? json_sprintf("%s; %s", had, text) : json_string(text)));
	}
}

static int take_line(struct figures *f, const char *text, size_t len, const char *path, struct err *e)
{
	auto_json json_t *line = json_parse(text, len, path, e);
	const char *kind;

	if (!line)
		return -1;
	kind = json_get_str(f->arena, line, "kind");
	if (strcmp(kind, "sample") == 0) {
		take_sample(f, line);
	} else if (strcmp(kind, "conditions") == 0) {
		take_conditions(f, line);
	} else if (strcmp(kind, "run") == 0) {
		json_array_append(f->runs, line);
	} else if (strcmp(kind, "error") == 0) {
		json_array_append(f->errors, line);
	}
	return 0;
}

int figures_read(struct figures *f, const char *path, struct err *e)
{
	auto_file FILE *in = fopen(path, "re");
	auto_free char *line = NULL;
	size_t size = 0;
	ssize_t len;

	if (!f->arena) {
		f->arena = arena_new();
		f->conditions = own_must(json_object());
		f->runs = own_must(json_array());
		f->errors = own_must(json_array());
	}
	if (!in)
		return err_os(e, ERR_INTERNAL, "%s", path);
	while ((len = getline(&line, &size, in)) > 0)
		if (line[0] != '\n' && take_line(f, line, (size_t)len, path, e) < 0)
			return -1;
	return 0;
}

void figures_free(struct figures *f)
{
	for (size_t i = 0; i < f->n; i++)
		samples_clear(&f->at[i].samples);
	free(f->at);
	json_decref(f->conditions);
	json_decref(f->runs);
	json_decref(f->errors);
	arena_free(f->arena);
	*f = (struct figures){ 0 };
}
