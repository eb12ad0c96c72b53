/* part.c - the small tools of part.h: arrays of strings, paths, the environment. */
#include "procs/spec/part.h"

#include <string.h>

#include "reactor/log.h"

json_t *spec_strs(const struct strings *s)
{
	json_t *a = own_must(json_array());

	for (size_t i = 0; i < s->n; i++)
		spec_add(a, spec_str(s->at[i]));
	return a;
}

char *spec_clean_path(struct arena *a, const char *path)
{
	char *out = arena_zalloc(a, strlen(path) + 2);
	size_t n = 0;

	while (*path) {
		size_t len;

		path += strspn(path, "/");
		len = strcspn(path, "/");
		if (len == 2 && path[0] == '.' && path[1] == '.') {
			while (n > 0 && out[--n] != '/')
				;
		} else if (len > 0 && !(len == 1 && path[0] == '.')) {
			out[n++] = '/';
			memcpy(out + n, path, len);
			n += len;
		}
		path += len;
	}
	if (n == 0)
		out[n++] = '/';
	out[n] = '\0';
	return out;
}

/* ---- the environment ---- */

/* Bytes that are not UTF-8 cannot stand in config.json: each becomes U+FFFD, as in every other CRI runtime. The log has
 * the variable's name alone, because its value may be a secret. */
static json_t *spec_lossy(const struct spec *s, const char *text)
{
	json_t *j = json_string(text);
	size_t n = 0;
	char *out;

	if (j)
		return j;
	log_warn("env container=%.12s name=%s reason=\"not UTF-8, replaced\"", s->c->id,
		 log_quote(arena_strndup(s->a, text, strcspn(text, "="))));
	out = arena_zalloc(s->a, strlen(text) * 3 + 1);
	while (*text) {
		size_t len = 1;
		json_t *one = NULL;

		while (len <= 4 && strnlen(text, len) == len && (one = json_stringn(text, len)) == NULL)
			len++;
		memcpy(out + n, one ? text : "\xef\xbf\xbd", one ? len : 3);
		n += one ? len : 3;
		text += one ? len : 1;
		json_decref(one);
	}
	return spec_str(out);
}

size_t spec_find_env(const json_t *env, const char *name, size_t len)
{
	size_t i;
	json_t *v;

	json_array_foreach(env, i, v) {
		const char *old = json_is_string(v) ? json_string_value(v) : "";

		if (strncmp(old, name, len) == 0 && old[len] == '=')
			break;
	}
	return i;
}

/* A word without "=" removes the variable, as docker reads an image's Env. */
void spec_set_env(const struct spec *s, json_t *env, const char *word)
{
	size_t name = strcspn(word, "="), i = spec_find_env(env, word, name);

	if (word[name] == '\0') {
		if (i < json_array_size(env))
			json_array_remove(env, i);
	} else if (i < json_array_size(env)) {
		json_array_set_new(env, i, spec_lossy(s, word));
	} else {
		spec_add(env, spec_lossy(s, word));
	}
}
