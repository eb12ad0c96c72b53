/* part.c - the small tools of part.h: arrays of strings, paths. */
#include "procs/spec/part.h"

#include <string.h>

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

const struct runtime_options *spec_options(const struct spec *s)
{
	static const struct runtime_options none;
	const struct runtime_handler *h = runtime_find(s->c->sandbox->config.runtime_handler);

	return h ? &h->options : &none;
}

void spec_add_base(json_t *config, const json_t *base)
{
	const char *key;
	json_t *v;

	json_object_foreach((json_t *)base, key, v) {
		json_t *own = json_object_get(config, key);

		if (json_is_object(own) && json_is_object(v))
			spec_add_base(own, v);
		else if (!own || (json_is_array(own) && !json_array_size(own)))
			spec_put(config, key, json_deep_copy(v));
	}
}
