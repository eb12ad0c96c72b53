/* config.c - see config.h. One table of keys says how the document that libyaml has parsed is read. */
#include "handlers/config.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "handlers/config_files.h"
#include "handlers/config_read.h"
#include "reactor/own.h"
#include "reactor/places.h"

#define DEFAULT_HTTP "unix://" DEFAULT_STATE "/http.sock"

enum { LEVELS_MAX = 16 }; /* of maps and lists in each other: the keys need four */

/* "32GiB", "100MB", "4096": units with an i are powers of 1024, the others powers of 1000. */
static int parse_size(uint64_t *out, const char *text)
{
	static const struct { const char *unit; uint64_t factor; } units[] = {
		{ "", 1 }, { "B", 1 }, { "KiB", 1ull << 10 }, { "MiB", 1ull << 20 }, { "GiB", 1ull << 30 },
		{ "TiB", 1ull << 40 }, { "kB", 1000 }, { "MB", 1000000 }, { "GB", 1000000000 }, { "TB", 1000000000000 },
	};
	unsigned long long v;
	char *end;

	errno = 0;
	v = strtoull(text, &end, 10);
	if (errno || end == text || *text == '-')
		return -1;
	for (size_t i = 0; i < sizeof(units) / sizeof(*units); i++) {
		if (strcmp(end, units[i].unit) != 0)
			continue;
		return __builtin_mul_overflow((uint64_t)v, units[i].factor, out) || !*out ? -1 : 0;
	}
	return -1;
}

static int read_port(struct reading *r, int32_t *out, const yaml_node_t *n)
{
	char *end;
	long v = strtol(config_word(n), &end, 10);

	if (end == config_word(n) || *end || v < 0 || v > 65535)
		return config_fault(r, n, "not a port:", config_word(n));
	*out = (int32_t)v;
	return 0;
}

static int read_count(struct reading *r, const struct config_key *k, uint32_t *out, const yaml_node_t *n)
{
	char *end;
	long v = strtol(config_word(n), &end, 10);

	if (end == config_word(n) || *end || v < 0 || (size_t)v > k->max)
		return config_fault(r, n, arena_printf(r->c->arena, "a number from 0 to %zu is expected for", k->max),
				    k->name);
	*out = (uint32_t)v;
	return 0;
}

static int read_level(struct reading *r, enum log_level *out, const yaml_node_t *n)
{
	int level = log_level_parse(config_word(n));

	if (level < 0)
		return config_fault(r, n, "debug, info, warn or error is expected, not", config_word(n));
	*out = (enum log_level)level;
	return 0;
}

static int read_format(struct reading *r, enum log_format *out, const yaml_node_t *n)
{
	int format = log_format_parse(config_word(n));

	if (format < 0)
		return config_fault(r, n, "text or json is expected, not", config_word(n));
	*out = (enum log_format)format;
	return 0;
}

/* "" is said; a value that was forgotten is not. */
static bool quoted_nothing(const yaml_node_t *n)
{
	return !*config_word(n) && n->data.scalar.style != YAML_PLAIN_SCALAR_STYLE;
}

static int read_value(struct reading *r, const struct config_key *k, yaml_node_t *n)
{
	char *member = (char *)r->c + k->offset;

	if (k->kind == LIST)
		return config_list(r, k->name, k->max, (struct strings *)member, n);
	if (k->kind == RUNTIMES)
		return config_runtimes(r, (struct runtimes_config *)member, n, r->places[k - config_keys].path);
	if (!config_word(n))
		return config_fault(r, n, "one word is expected for", k->name);
	if (k->kind != COUNT && config_check_length(r, n, k->name, k->max) < 0)
		return -1;
	switch (k->kind) {
	case PATH:
	case PATH_OR_NONE:
		if (config_word(n)[0] != '/' && (k->kind == PATH || !quoted_nothing(n)))
			return config_fault(r, n, "an absolute path is expected for", k->name);
		/* fallthrough */
	case STRING:
		*(const char **)member = arena_strdup(r->c->arena, config_word(n));
		return 0;
	case PORT: return read_port(r, (int32_t *)member, n);
	case COUNT: return read_count(r, k, (uint32_t *)member, n);
	case SWITCH: return config_switch(r, (bool *)member, n);
	case LEVEL: return read_level(r, (enum log_level *)member, n);
	case FORMAT: return read_format(r, (enum log_format *)member, n);
	case SIZE:
		if (parse_size((uint64_t *)member, config_word(n)) < 0)
			return config_fault(r, n, "not a size (32GiB, 500MB, 4096):", config_word(n));
		return 0;
	case LIST:
	case RUNTIMES: break;
	}
	return -1;
}

/* A key of the section, or at the top a section. */
static int read_member(struct reading *r, const char *section, const yaml_node_t *key, yaml_node_t *value);

static int read_map(struct reading *r, const char *section, yaml_node_t *n)
{
	if (n->type != YAML_MAPPING_NODE)
		return config_fault(r, n, *section ? "a map is expected for" : "a map is expected",
				    *section ? section : NULL);
	for (yaml_node_pair_t *p = n->data.mapping.pairs.start; p < n->data.mapping.pairs.top; p++) {
		yaml_node_t *key = config_node(r, p->key);

		if (!config_word(key))
			return config_unknown(r, key, "");
		for (yaml_node_pair_t *q = n->data.mapping.pairs.start; q < p; q++)
			if (strcmp(config_word(key), config_word(config_node(r, q->key))) == 0)
				return config_fault(r, key, "given twice:", config_word(key));
		if (read_member(r, section, key, config_node(r, p->value)) < 0)
			return -1;
	}
	return 0;
}

static int read_member(struct reading *r, const char *section, const yaml_node_t *key, yaml_node_t *value)
{
	const char *name = config_word(key);
	const struct config_key *k = config_key_find(section, name);

	if (!k && !*section && config_is_section(name))
		return read_map(r, name, value);
	if (!k)
		return config_unknown(r, key, config_key_hint(section, name));
	if (read_value(r, k, value) < 0)
		return -1;
	r->places[k - config_keys] = (struct config_place){ r->path, key->start_mark.line + 1 };
	return 0;
}

static void set_defaults(struct config *c)
{
	static const char *const bin_dirs[] = { "/opt/cni/bin", "/usr/lib/cni" };
	static const char *const cdi_dirs[] = { "/etc/cdi", "/var/run/cdi" };
	static const char *const hooks_dirs[] = { "/usr/share/containers/oci/hooks.d" };
	static const struct runtime_handler handlers[] = {
		{ .name = "runc", .type = "oci", .path = "/usr/sbin/runc", .fallback = "" },
		{ .name = "crun", .type = "oci", .path = "/usr/bin/crun", .fallback = "" },
	};
	static const char *const listen[] = { DEFAULT_ADDRESS };

	*c = (struct config){
		.root = DEFAULT_ROOT, .state = DEFAULT_STATE, .netns_dir = "/run/netns",
		.listen = { (const char **)listen, 1 },
		.http = DEFAULT_HTTP,
		.http_tls_cert = "", .http_tls_key = "", .http_tls_client_ca = "",
		.stream_address = "127.0.0.1", .stream_tls_cert = "", .stream_tls_key = "",
		.cgroup = { .root = "/crisp", .driver = "cgroupfs" },
		.network = "auto", .netns_pool = 4, .watchdog_s = 180,
		.cni = { .bin_dirs = { (const char **)bin_dirs, 2 }, .conf_dir = "/etc/cni/net.d",
			 .cache_dir = "/var/lib/cni" },
		.cdi_spec_dirs = { (const char **)cdi_dirs, 2 },
		.hooks_dirs = { (const char **)hooks_dirs, 1 },
		.nri = { .enabled = true, .socket = NRI_SOCKET, .plugin_path = "/opt/nri/plugins",
			 .config_path = "/etc/nri/conf.d", .validator = { .tolerate_annotation = "" } },
		.nri_register_s = 5, .nri_request_s = 2,
		.registry_config_path = "/etc/crisp/certs.d",
		.images_max_layer_bytes = 32ull << 30, .images_min_free = "5%", .images_volumes = "bind",
		.images_signature_policy = "",
		.images_parallel_downloads = 6, .images_progress_timeout_s = 30, .images_split_bytes = 32 << 20,
		.checkpoint_enabled = true,
		.runtimes = { .handlers = handlers, .n = 2, .default_name = "runc" },
		.log_level = LOG_LEVEL_INFO,
		.arena = arena_new(),
	};
}

/* The default sockets are in the state directory, so that a second instance needs another `state` and no further
 * keys. */
static void follow_state(struct config *c)
{
	const char **listen = arena_zalloc(c->arena, sizeof(*listen));

	listen[0] = arena_printf(c->arena, "unix://%s/crisp.sock", c->state);
	if (c->listen.n == 1 && strcmp(c->listen.at[0], DEFAULT_ADDRESS) == 0)
		c->listen = (struct strings){ listen, 1 };
	if (strcmp(c->http, DEFAULT_HTTP) == 0)
		c->http = arena_printf(c->arena, "unix://%s/http.sock", c->state);
	if (strcmp(c->nri.socket, NRI_SOCKET) == 0 && strcmp(c->state, DEFAULT_STATE) != 0)
		c->nri.socket = arena_printf(c->arena, "%s/nri.sock", c->state);
	c->nri.register_ms = (int64_t)c->nri_register_s * 1000;
	c->nri.request_ms = (int64_t)c->nri_request_s * 1000;
	c->runtimes.state = c->state;
}

/* The parser stands behind the first document. What follows would be ignored. */
static int refuse_second(yaml_parser_t *parser, const char *path, struct err *e)
{
	yaml_document_t doc;
	yaml_node_t *top;
	int failed = 0;

	if (!yaml_parser_load(parser, &doc))
		return err_set(e, ERR_INVALID_ARGUMENT, "%s:%zu: %s", path, parser->problem_mark.line + 1,
			       parser->problem ? parser->problem : "not YAML");
	top = yaml_document_get_root_node(&doc);
	if (top)
		failed = err_set(e, ERR_INVALID_ARGUMENT, "%s:%zu: a second document: one is expected", path,
				 top->start_mark.line + 1);
	yaml_document_delete(&doc);
	return failed;
}

/* The line of a level below the last one that is allowed; 0: there is none. The parser's work for a document grows with
 * the square of its levels, so they are counted first. What is no YAML is left to the reader. */
static size_t too_deep_at(const char *text, size_t len)
{
	yaml_parser_t parser;
	yaml_event_t event;
	yaml_event_type_t type = YAML_NO_EVENT;
	int depth = 0;
	size_t line = 0;

	own_must(yaml_parser_initialize(&parser) ? (void *)&parser : NULL);
	yaml_parser_set_input_string(&parser, (const unsigned char *)text, len);
	while (type != YAML_STREAM_END_EVENT && depth <= LEVELS_MAX && yaml_parser_parse(&parser, &event)) {
		type = event.type;
		line = event.start_mark.line + 1;
		depth += type == YAML_MAPPING_START_EVENT || type == YAML_SEQUENCE_START_EVENT;
		depth -= type == YAML_MAPPING_END_EVENT || type == YAML_SEQUENCE_END_EVENT;
		yaml_event_delete(&event);
	}
	yaml_parser_delete(&parser);
	return depth > LEVELS_MAX ? line : 0;
}

/* One file over what was read before. */
static int read_document(struct reading *r, const char *text, size_t len)
{
	yaml_parser_t parser;
	yaml_document_t doc;
	yaml_node_t *top;
	size_t too_deep = too_deep_at(text, len);
	int failed = 0;

	if (too_deep > 0)
		return err_set(r->e, ERR_INVALID_ARGUMENT, "%s:%zu: more than %d levels", r->path, too_deep,
			       LEVELS_MAX);
	own_must(yaml_parser_initialize(&parser) ? r : NULL);
	yaml_parser_set_input_string(&parser, (const unsigned char *)text, len);
	if (!yaml_parser_load(&parser, &doc)) {
		failed = err_set(r->e, ERR_INVALID_ARGUMENT, "%s:%zu: %s", r->path, parser.problem_mark.line + 1,
				 parser.problem ? parser.problem : "not YAML");
	} else {
		r->doc = &doc;
		top = yaml_document_get_root_node(&doc);
		if (top && !(config_word(top) && !*config_word(top)))
			failed = read_map(r, "", top);
		yaml_document_delete(&doc);
		failed = failed ? failed : refuse_second(&parser, r->path, r->e);
	}
	yaml_parser_delete(&parser);
	return failed;
}

/* *c becomes the defaults. */
static struct reading reading_begin(struct config *c, const char *path, struct err *e)
{
	set_defaults(c);
	return (struct reading){ .c = c, .path = path, .e = e,
				 .places = arena_zalloc(c->arena, config_keys_n * sizeof(struct config_place)) };
}

/* path: the main file. */
static int reading_end(struct reading *r, const char *path)
{
	r->path = path;
	follow_state(r->c);
	return config_check(r);
}

int config_read(struct config *c, const char *text, size_t len, const char *path, struct err *e)
{
	struct reading r = reading_begin(c, path, e);

	return read_document(&r, text, len) < 0 ? -1 : reading_end(&r, path);
}

int config_load(struct config *c, const char *path, struct err *e)
{
	struct reading r = reading_begin(c, path ? path : "defaults", e);
	struct config_files *files = arena_zalloc(c->arena, sizeof(*files));

	if (path && config_files_read(files, path, c->arena, e) < 0)
		return -1;
	c->files = (struct strings){ arena_zalloc(c->arena, (files->n + 1) * sizeof(*c->files.at)), files->n };
	for (size_t i = 0; i < files->n; i++) {
		c->files.at[i] = r.path = files->at[i].path;
		if (read_document(&r, files->at[i].text, files->at[i].len) < 0)
			return -1;
	}
	return reading_end(&r, path ? path : "defaults");
}

void config_free(struct config *c)
{
	arena_free(c->arena);
	c->arena = NULL;
}
