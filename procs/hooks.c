/* hooks.c - see hooks.h: which files there are, and whose conditions hold for a container. */
#include "procs/hooks.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "reactor/own.h"
#include "reactor/words.h"

enum {
	FILES_MAX = 256, FILE_MAX = 65536,
	TEXTS_MAX = 4 * HOOK_TEXT_MAX, /* that one pattern is compared with for one container */
	TEXT_COST = 16,		       /* what each text counts beside its bytes */
};

static const struct strings *dirs;

void hooks_open(const struct strings *list)
{
	dirs = list;
}

/* ---- which files ---- */

/* A directory that is not there has none. */
static int list_dir(struct lookup *lookup, const char *dir, struct strings *out, struct arena *a, struct err *e)
{
	const struct looked *f = lookup_get(lookup, LOOKUP_DIR, dir, e);

	*out = (struct strings){ 0 };
	if (!f)
		return -1;
	errno = f->error;
	if (errno)
		return errno == ENOENT ? 0 : err_os(e, ERR_FAILED_PRECONDITION, "hooks: %s", dir);
	return lookup_names(f, dir, out, a, e);
}

void hooks_look(struct lookup *lookup)
{
	struct arena *a = arena_new();
	struct strings names;
	struct err e;

	for (size_t i = 0; dirs && i < dirs->n; i++) {
		lookup_add(lookup, LOOKUP_DIR, dirs->at[i]);
		if (list_dir(lookup, dirs->at[i], &names, a, &e) < 0)
			continue;
		for (size_t k = 0; k < names.n; k++)
			if (word_ends_in(names.at[k], ".json"))
				lookup_add(lookup, LOOKUP_TEXT, arena_printf(a, "%s/%s", dirs->at[i], names.at[k]));
	}
	arena_free(a);
}

struct hook_file {
	const char *dir, *name;
};

static int by_name(const void *a, const void *b)
{
	const struct hook_file *x = a, *y = b;
	int order = strcasecmp(x->name, y->name);

	return order ? order : strcmp(x->name, y->name);
}

/* The number of files in *out, or -1. */
static int list_files(struct lookup *lookup, struct hook_file *out, struct arena *a, struct err *e)
{
	struct strings names;
	int n = 0, k;

	for (size_t i = 0; dirs && i < dirs->n; i++) {
		if (list_dir(lookup, dirs->at[i], &names, a, e) < 0)
			return -1;
		for (size_t m = 0; m < names.n; m++) {
			if (!word_ends_in(names.at[m], ".json"))
				continue;
			for (k = 0; k < n && strcmp(out[k].name, names.at[m]) != 0;)
				k++;
			if (k == FILES_MAX)
				return err_set(e, ERR_FAILED_PRECONDITION,
					       "hooks: %s: there are more than %d files: remove some", dirs->at[i],
					       FILES_MAX);
			out[k] = (struct hook_file){ dirs->at[i], names.at[m] };
			n = k == n ? n + 1 : n;
		}
	}
	if (n)
		qsort(out, (size_t)n, sizeof(*out), by_name);
	return n;
}

/* ---- conditions ---- */

/* One pattern, compared with the texts of one container. */
struct pattern {
	regex_t regex;
	const char *words;
	size_t left; /* bytes that it may still be compared with */
};

static int pattern_open(struct pattern *p, const char *words, struct err *e)
{
	*p = (struct pattern){ .words = words, .left = TEXTS_MAX };
	if (hooks_regex(&p->regex, words) == 0)
		return 0;
	return err_set(e, ERR_FAILED_PRECONDITION, "no pattern: %.200s", words);
}

/* 1, 0, or -1 with an error. name: of the text. */
static int pattern_finds(struct pattern *p, const char *text, const char *name, struct err *e)
{
	size_t len = strlen(text), cost = len + TEXT_COST;

	if (len > HOOK_TEXT_MAX || cost > p->left)
		return err_set(e, ERR_INVALID_ARGUMENT,
			       "%.200s: with %zu bytes too long to be compared with the pattern %.100s", name, len,
			       p->words);
	p->left -= cost;
	return regexec(&p->regex, text, 0, NULL, 0) == 0;
}

/* Is there a pair whose key matches one pattern and whose value matches the other? Not one that `over` has too. */
static int any_pair(struct pattern *key, struct pattern *value, const struct pairs *pairs, const struct pairs *over,
		    struct err *e)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < pairs->n; i++) {
		r = pattern_finds(key, pairs->at[i].key, "the key of an annotation", e);
		if (r == 1 && over && pairs_get(over, pairs->at[i].key))
			r = 0;
		if (r == 1)
			r = pattern_finds(value, pairs->at[i].value, pairs->at[i].key, e);
	}
	return r;
}

static int annotation_holds(const struct hooks_about *about, const char *key, const char *value, struct err *e)
{
	struct pattern k, v;
	int r;

	if (pattern_open(&k, key, e) < 0)
		return -1;
	if (pattern_open(&v, value, e) < 0) {
		regfree(&k.regex);
		return -1;
	}
	r = any_pair(&k, &v, about->pod, NULL, e);
	if (r == 0)
		r = any_pair(&k, &v, about->container, about->pod, e);
	regfree(&k.regex);
	regfree(&v.regex);
	return r;
}

static int command_holds(const struct hooks_about *about, const json_t *patterns, struct err *e)
{
	struct pattern p;
	int r = 0;
	json_t *v;
	size_t i;

	json_array_foreach((json_t *)patterns, i, v) {
		if (r != 0 || pattern_open(&p, json_string_value(v), e) < 0)
			return r ? r : -1;
		r = pattern_finds(&p, about->command, "the command", e);
		regfree(&p.regex);
	}
	return r;
}

/* All conditions that a file has must hold. always: false and hasBindMounts: false never hold, as with CRI-O. */
static int when_holds(const struct hooks_about *about, const json_t *when, struct err *e)
{
	const json_t *always = json_object_get(when, "always"), *commands = json_object_get(when, "commands");
	const json_t *bind = json_object_get(when, "hasBindMounts");
	const char *key;
	json_t *v;
	int r = 1;

	if (always && !json_is_true(always))
		return 0;
	if (bind && !(json_is_true(bind) && about->bind_mounts))
		return 0;
	json_object_foreach(json_object_get(when, "annotations"), key, v)
		if (r == 1)
			r = annotation_holds(about, key, json_string_value(v), e);
	return r == 1 && commands ? command_holds(about, commands, e) : r;
}

/* ---- what they add ---- */

static int hook_put(const json_t *file, json_t *hooks, struct err *e)
{
	size_t i;
	json_t *stage;

	json_array_foreach(json_object_get(file, "stages"), i, stage) {
		const char *name = json_string_value(stage);
		json_t *list = json_object_get(hooks, name);

		if (!list)
			own_must(json_object_set_new(hooks, name, list = json_array()) == 0 ? list : NULL);
		if (!json_is_array(list)) /* a base_spec has it so */
			return err_set(e, ERR_FAILED_PRECONDITION, "base_spec: hooks.%s is no list", name);
		own_must(json_array_append(list, json_object_get(file, "hook")) == 0 ? list : NULL);
	}
	return 0;
}

static int add_file(struct lookup *lookup, const char *path, const struct hooks_about *about, json_t *hooks,
		    struct err *e)
{
	auto_json json_t *file = NULL;
	size_t len;
	auto_free char *text = lookup_read(lookup, path, FILE_MAX, &len, ERR_FAILED_PRECONDITION, e);
	int r;

	if (!text && lookup_missing(lookup, LOOKUP_TEXT, path))
		return 0;
	file = text ? hooks_parse(text, len, path, e) : NULL;
	if (!file)
		return err_wrap(e, "hooks: a file that cannot be used (mend it, or remove it)");
	r = when_holds(about, json_object_get(file, "when"), e);
	if (r == 1)
		r = hook_put(file, hooks, e);
	return r < 0 ? err_wrap(e, "hooks: %s", path) : 0;
}

int hooks_add(struct lookup *lookup, const struct hooks_about *about, json_t *hooks, struct err *e)
{
	struct arena *a = arena_new();
	struct hook_file *files = arena_zalloc(a, FILES_MAX * sizeof(*files));
	int n = list_files(lookup, files, a, e), r = n < 0 ? -1 : 0;

	for (int i = 0; r == 0 && i < n; i++)
		r = add_file(lookup, arena_printf(a, "%s/%s", files[i].dir, files[i].name), about, hooks, e);
	arena_free(a);
	return r;
}
