/* config_runtimes.c - see config_read.h: the runtimes of the configuration file, and their options. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "handlers/config_read.h"
#include "reactor/near.h"
#include "reactor/own.h"

enum { CREATE_TIMEOUT_MAX_S = 3600, ANNOTATIONS_MAX = 256, RUNTIMES_MAX = 256 };

enum option_kind { TEXT, ABSOLUTE, WORDS, WORD_PAIRS, YES_NO, SECONDS, SANDBOX };

enum { OF_OCI = 1, OF_NATIVE = 2, OF_SHIM = 4, OF_ALL = 7, OF_PROGRAM = OF_OCI | OF_SHIM };

struct option {
	const char *name;
	enum option_kind kind;
	unsigned of; /* the types that have it */
	size_t offset;   /* in struct runtime_handler */
};

#define OPTION(name, kind, types, member) { name, kind, types, offsetof(struct runtime_handler, member) }
static const struct option all_options[] = {
	OPTION("type", TEXT, OF_ALL, type),
	OPTION("path", TEXT, OF_ALL, path),
	OPTION("fallback", TEXT, OF_ALL, fallback),
	OPTION("args", WORDS, OF_OCI, options.args),
	OPTION("root", ABSOLUTE, OF_PROGRAM, options.root),
	OPTION("sandbox", SANDBOX, OF_PROGRAM, options),
	OPTION("create_timeout", SECONDS, OF_PROGRAM, options.create_timeout_ms),
	OPTION("allowed_annotations", WORDS, OF_PROGRAM, options.allowed_annotations),
	OPTION("default_annotations", WORD_PAIRS, OF_PROGRAM, options.default_annotations),
	OPTION("base_spec", ABSOLUTE, OF_ALL, options.base_spec),
	OPTION("cni_conf_dir", ABSOLUTE, OF_ALL, options.cni_conf_dir),
	OPTION("privileged_without_host_devices", YES_NO, OF_ALL, options.privileged_without_host_devices),
	OPTION("cgroup_writable", YES_NO, OF_ALL, options.cgroup_writable),
	OPTION("binary", ABSOLUTE, OF_SHIM, options.binary),
	OPTION("config_path", ABSOLUTE, OF_SHIM, options.config_path),
};
#undef OPTION

static const struct option *option_named(const char *name)
{
	for (size_t i = 0; i < sizeof(all_options) / sizeof(*all_options); i++)
		if (strcmp(all_options[i].name, name) == 0)
			return &all_options[i];
	return NULL;
}

/* " (did you mean WORD?)", or "". */
static const char *option_hint(const struct reading *r, const char *name)
{
	struct near_word n = { .word = name };

	for (size_t i = 0; i < sizeof(all_options) / sizeof(*all_options); i++)
		near_try(&n, all_options[i].name);
	near_try(&n, "inherit");
	return n.found ? arena_printf(r->c->arena, " (did you mean %s?)", n.found) : "";
}

/* ---- values ---- */

static int read_pairs(struct reading *r, struct pairs *out, yaml_node_t *n)
{
	size_t count;

	if (n->type != YAML_MAPPING_NODE)
		return config_fault(r, n, "a map of words is expected", NULL);
	count = (size_t)(n->data.mapping.pairs.top - n->data.mapping.pairs.start);
	if (count > ANNOTATIONS_MAX)
		return config_fault(r, n, "at most 256 annotations are allowed", NULL);
	*out = (struct pairs){ arena_zalloc(r->c->arena, (count + 1) * sizeof(*out->at)), count };
	for (size_t i = 0; i < count; i++) {
		const yaml_node_pair_t *p = &n->data.mapping.pairs.start[i];
		const char *key = config_word(config_node(r, p->key)), *value = config_word(config_node(r, p->value));

		if (!key || !value)
			return config_fault(r, n, "a map of words is expected", NULL);
		out->at[i] = (struct pair){ arena_strdup(r->c->arena, key), arena_strdup(r->c->arena, value) };
	}
	return 0;
}

static int read_seconds(struct reading *r, int64_t *ms, const yaml_node_t *n)
{
	const char *text = config_word(n);
	char *end = NULL;
	long s = text ? strtol(text, &end, 10) : 0;

	if (!text || end == text || *end || s < 1 || s > CREATE_TIMEOUT_MAX_S)
		return config_fault(r, n, "a number of seconds from 1 to 3600 is expected", NULL);
	*ms = (int64_t)s * 1000;
	return 0;
}

static int read_sandbox(struct reading *r, struct runtime_options *out, const yaml_node_t *n)
{
	const char *word = config_word(n);

	if (!word || (strcmp(word, "none") != 0 && strcmp(word, "container") != 0 && strcmp(word, "api") != 0))
		return config_fault(r, n, "sandbox is none, container or api", NULL);
	out->sandbox_container = strcmp(word, "container") == 0;
	out->sandbox_api = strcmp(word, "api") == 0;
	return 0;
}

static const char *sandbox_word(const struct runtime_options *o)
{
	return o->sandbox_api ? "api" : o->sandbox_container ? "container" : NULL;
}

static int read_text(struct reading *r, const struct option *o, const char **out, const yaml_node_t *n)
{
	if (!config_word(n))
		return config_fault(r, n, "one word is expected for", o->name);
	if (config_check_length(r, n, o->name, OTHER_PATH_MAX) < 0)
		return -1;
	if (o->kind == ABSOLUTE && config_word(n)[0] != '/')
		return config_fault(r, n, "an absolute path is expected for", o->name);
	*out = arena_strdup(r->c->arena, config_word(n));
	return 0;
}

static int read_words(struct reading *r, const struct option *o, struct strings *out, yaml_node_t *n)
{
	if (config_list(r, o->name, OTHER_PATH_MAX, out, n) < 0)
		return -1;
	return out->n <= RUNTIME_ARGS_MAX ? 0 : config_fault(r, n, "at most 32 words are allowed for", o->name);
}

static int read_option(struct reading *r, struct runtime_handler *h, const struct option *o, yaml_node_t *n)
{
	char *member = (char *)h + o->offset;

	switch (o->kind) {
	case TEXT:
	case ABSOLUTE: return read_text(r, o, (const char **)member, n);
	case WORDS: return read_words(r, o, (struct strings *)member, n);
	case WORD_PAIRS: return read_pairs(r, (struct pairs *)member, n);
	case SECONDS: return read_seconds(r, (int64_t *)member, n);
	case SANDBOX: return read_sandbox(r, &h->options, n);
	case YES_NO:
		if (!config_word(n))
			return config_fault(r, n, "true or false is expected for", o->name);
		return config_switch(r, (bool *)member, n);
	}
	return -1;
}

/* ---- one handler ---- */

/* 0: the type is unknown. */
static unsigned type_of(const struct runtime_handler *h)
{
	return strcmp(h->type, "oci") == 0      ? OF_OCI
	       : strcmp(h->type, "native") == 0 ? OF_NATIVE
	       : strcmp(h->type, "shim") == 0   ? OF_SHIM
						: 0;
}

static int check_runtime(struct reading *r, yaml_node_t *key, const struct runtime_handler *h)
{
	unsigned type = type_of(h);

	if (!type)
		return config_fault(r, key, "the type of a runtime is oci, native or shim, not", h->type);
	if (type == OF_NATIVE && h->path[0])
		return config_fault(r, key, "a runtime of type native has no path:", h->name);
	if (type == OF_OCI && h->path[0] != '/')
		return config_fault(r, key, "an absolute path is expected for runtime", h->name);
	if (type == OF_SHIM && !h->path[0])
		return config_fault(r, key, "a path or a runtime type is expected for runtime", h->name);
	if (type != OF_SHIM && h->options.sandbox_api)
		return config_fault(r, key, "sandbox: api is for runtimes of type shim, which is not", h->name);
	if (type != OF_NATIVE && h->fallback[0])
		return config_fault(r, key, "only a runtime of type native has a fallback:", h->name);
	return 0;
}

/* A handler has only what its type can act on. */
static int check_options(struct reading *r, const struct runtime_handler *h, yaml_node_t *n)
{
	for (yaml_node_pair_t *p = n->data.mapping.pairs.start; p < n->data.mapping.pairs.top; p++) {
		yaml_node_t *k = config_node(r, p->key);
		const struct option *o = option_named(config_word(k));

		if (o && !(o->of & type_of(h)))
			return config_fault(r, k,
					    arena_printf(r->c->arena, "a runtime of type %s has no", h->type), o->name);
	}
	return 0;
}

/* What the handler begins with: all of another handler that stands above it. */
static int read_inherited(struct reading *r, struct runtime_handler *h, const struct runtime_handler *above, size_t n,
			  const yaml_node_t *v)
{
	const char *name = config_word(v), *own = h->name;

	for (size_t i = 0; name && i < n; i++)
		if (strcmp(above[i].name, name) == 0) {
			*h = above[i];
			h->name = own;
			return 0;
		}
	return config_fault(r, v, "inherit names no runtime that stands above:", name);
}

static int read_options(struct reading *r, struct runtime_handler *h, const struct runtime_handler *above, size_t n,
			yaml_node_t *map, bool inherited)
{
	for (yaml_node_pair_t *p = map->data.mapping.pairs.start; p < map->data.mapping.pairs.top; p++) {
		yaml_node_t *k = config_node(r, p->key), *v = config_node(r, p->value);
		const struct option *o = config_word(k) ? option_named(config_word(k)) : NULL;
		bool inherit = config_word(k) && strcmp(config_word(k), "inherit") == 0;

		if (!config_word(k))
			return config_fault(r, k, "a word is expected", NULL);
		if (!o && !inherit)
			return config_unknown(r, k, option_hint(r, config_word(k)));
		if (inherit != inherited)
			continue;
		if (inherit ? read_inherited(r, h, above, n, v) < 0 : read_option(r, h, o, v) < 0)
			return -1;
	}
	return 0;
}

/* above: the n handlers that were read before. *h: zeroed, or as an earlier file has it. */
static int read_runtime(struct reading *r, struct runtime_handler *h, const struct runtime_handler *above, size_t n,
			yaml_node_t *key, yaml_node_t *map)
{
	if (!config_word(key) || !*config_word(key) || map->type != YAML_MAPPING_NODE)
		return config_fault(r, key, "a runtime is NAME: {type: oci or shim, path: PROGRAM} or {type: native}",
				    NULL);
	if (!h->name) {
		*h = (struct runtime_handler){ .name = arena_strdup(r->c->arena, config_word(key)), .type = "oci",
					       .path = "", .fallback = "" };
		fields_zero(runtime_options_fields, &h->options);
	}
	if (read_options(r, h, above, n, map, true) < 0 || read_options(r, h, above, n, map, false) < 0 ||
	    check_runtime(r, key, h) < 0)
		return -1;
	return check_options(r, h, map);
}

/* The handler of that name, or n. */
static size_t handler_named(const struct runtime_handler *handlers, size_t n, const char *name)
{
	size_t i = 0;

	while (i < n && strcmp(handlers[i].name, name) != 0)
		i++;
	return i;
}

int config_runtimes(struct reading *r, struct runtimes_config *out, yaml_node_t *n, bool further)
{
	struct runtime_handler *handlers;
	size_t count, earlier = further ? out->n : 0, have = earlier;

	if (n->type != YAML_MAPPING_NODE)
		return config_fault(r, n, "a map of runtimes is expected", NULL);
	count = (size_t)(n->data.mapping.pairs.top - n->data.mapping.pairs.start);
	if (earlier + count > RUNTIMES_MAX)
		return config_fault(r, n, "at most 256 runtimes are allowed", NULL);
	handlers = arena_zalloc(r->c->arena, (earlier + count) * sizeof(*handlers));
	memcpy(handlers, out->handlers, earlier * sizeof(*handlers));
	for (size_t i = 0; i < count; i++) {
		const yaml_node_pair_t *p = &n->data.mapping.pairs.start[i];
		yaml_node_t *key = config_node(r, p->key);
		size_t at = config_word(key) ? handler_named(handlers, have, config_word(key)) : have;

		if (at >= earlier && at < have)
			return config_fault(r, key, "given twice:", config_word(key));
		if (read_runtime(r, &handlers[at], handlers, at, key, config_node(r, p->value)) < 0)
			return -1;
		have += at == have;
	}
	out->handlers = handlers;
	out->n = have;
	return 0;
}

/* ---- the other way ---- */

static json_t *pairs_json(const struct pairs *pairs)
{
	json_t *j = json_object();

	for (size_t i = 0; i < pairs->n; i++)
		json_object_set_new(j, pairs->at[i].key, json_string(pairs->at[i].value));
	return j;
}

/* NULL: as by default. */
static json_t *option_json(const struct runtime_handler *h, const struct option *o)
{
	const void *member = (const char *)h + o->offset;
	const char *text = o->kind == TEXT || o->kind == ABSOLUTE ? *(const char *const *)member : "";
	int64_t ms = o->kind == SECONDS ? *(const int64_t *)member : 0;

	switch (o->kind) {
	case TEXT:
	case ABSOLUTE: return text && *text ? json_string(text) : NULL;
	case WORDS: return ((const struct strings *)member)->n ? config_list_json(member) : NULL;
	case WORD_PAIRS: return ((const struct pairs *)member)->n ? pairs_json(member) : NULL;
	case SECONDS: return ms ? json_integer(ms / 1000) : NULL;
	case SANDBOX: return sandbox_word(&h->options) ? json_string(sandbox_word(&h->options)) : NULL;
	case YES_NO: return *(const bool *)member ? json_true() : NULL;
	}
	return NULL;
}

json_t *config_runtime_json(const struct runtime_handler *h)
{
	json_t *j = json_object();

	for (size_t i = 0; i < sizeof(all_options) / sizeof(*all_options); i++) {
		json_t *value = option_json(h, &all_options[i]);

		if (value)
			json_object_set_new(j, all_options[i].name, value);
	}
	return j;
}
