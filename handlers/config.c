/* config.c - see config.h. One table of keys says how the document that libyaml has parsed is read. */
#include "handlers/config.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>
#include <yaml.h>

#include "procs/sandbox.h"
#include "reactor/json.h"
#include "reactor/own.h"

enum { FILE_MAX_BYTES = 1 << 20 };

/* The most bytes that a path may have, so that every path made of it fits the kernel's limits and the fixed buffers of
 * all rooms. Each bound is a limit less the longest name that is put behind the path; 64 is the length of an id, and
 * sizeof counts the NUL of both.
 *
 *   root         fsconfig(2) takes strings of 256 bytes with their NUL: ROOT/snapshots/ID/work (images/overlay.c)
 *   state        sun_path has 108 bytes: STATE/console/NUMBER (procs/console.c); keeper.sock and crisp.sock are shorter
 *   netns_dir    the keeper takes a pin of 250 bytes: NETNS_DIR/crisp-ID (procs/keeper/ns_request.c)
 *   cgroup.root  a group's file has 4096 bytes (procs/cgroup/tree.h). With systemd a dash is a level of its own:
 *                a-b.slice is a.slice/a-b.slice. A name of 100 bytes has at most 50 levels of together 2850 bytes;
 *                the pod's slice, the container's scope and the file take 350 more, and the mount point has the rest
 *   addresses    sun_path again: "unix://" and 107 bytes
 *   other paths  nothing but PATH_MAX bounds these, even with the longest file name behind them
 *
 * The buffers path[512] and path[600] of handlers/ and procs/ hold STATE/containers/ID/NAME, STATE/sandboxes/ID/NAME or
 * NETNS_DIR/crisp-ID: at most 300 bytes, with names of at most 100. */
enum {
	ID_BYTES = ID_SIZE - 1,
	SUN_PATH = sizeof(((struct sockaddr_un *)0)->sun_path),
	ROOT_MAX = 256 - (int)sizeof("/snapshots/" "/work") - ID_BYTES,
	STATE_MAX = SUN_PATH - (int)sizeof("/console/4294967295"),
	NETNS_DIR_MAX = 251 - (int)sizeof("/crisp-") - ID_BYTES,
	CGROUP_ROOT_MAX = 100,
	ADDRESS_MAX = (int)sizeof("unix://") - 1 + SUN_PATH - 1,
	OTHER_PATH_MAX = 255,
	UNBOUNDED = 0,
};
_Static_assert(ROOT_MAX == 175 && STATE_MAX == 88 && NETNS_DIR_MAX == 179 && ADDRESS_MAX == 114,
	       "docs/crisp-config.5 names these bounds");

enum kind { STRING, PATH, LIST, PORT, SIZE, SWITCH, LEVEL, RUNTIMES };

struct key {
	const char *section; /* "": top level */
	const char *name;
	enum kind kind;
	size_t max; /* bytes of a STRING, of a PATH and of each item of a LIST, or UNBOUNDED */
	size_t offset;
};

#define KEY(section, name, kind, max, member) { section, name, kind, max, offsetof(struct config, member) }
static const struct key keys[] = {
	KEY("", "root", PATH, ROOT_MAX, root),
	KEY("", "state", PATH, STATE_MAX, state),
	KEY("", "netns_dir", PATH, NETNS_DIR_MAX, netns_dir),
	KEY("", "listen", LIST, ADDRESS_MAX, listen),
	KEY("", "http", STRING, ADDRESS_MAX, http),
	KEY("stream", "address", STRING, UNBOUNDED, stream_address),
	KEY("stream", "port", PORT, UNBOUNDED, stream_port),
	KEY("stream", "tls_cert", STRING, OTHER_PATH_MAX, stream_tls_cert),
	KEY("stream", "tls_key", STRING, OTHER_PATH_MAX, stream_tls_key),
	KEY("cgroup", "driver", STRING, UNBOUNDED, cgroup.driver),
	KEY("cgroup", "root", PATH, CGROUP_ROOT_MAX, cgroup.root),
	KEY("cni", "bin_dirs", LIST, OTHER_PATH_MAX, cni.bin_dirs),
	KEY("cni", "conf_dir", PATH, OTHER_PATH_MAX, cni.conf_dir),
	KEY("cdi", "spec_dirs", LIST, OTHER_PATH_MAX, cdi_spec_dirs),
	KEY("registry", "config_path", PATH, OTHER_PATH_MAX, registry_config_path),
	KEY("images", "max_layer_bytes", SIZE, UNBOUNDED, images_max_layer_bytes),
	KEY("images", "min_free", STRING, UNBOUNDED, images_min_free),
	KEY("images", "pinned", LIST, UNBOUNDED, images_pinned),
	KEY("checkpoint", "enabled", SWITCH, UNBOUNDED, checkpoint_enabled),
	KEY("checkpoint", "restore_from_image", SWITCH, UNBOUNDED, checkpoint_restore_from_image),
	KEY("runtime", "default", STRING, UNBOUNDED, runtimes.default_name),
	KEY("", "runtimes", RUNTIMES, UNBOUNDED, runtimes),
	KEY("", "selinux", SWITCH, UNBOUNDED, selinux),
	KEY("log", "level", LEVEL, UNBOUNDED, log_level),
};
#undef KEY

/* The reading of one file. */
struct reading {
	struct config *c;
	yaml_document_t *doc;
	const char *path;
	struct err *e;
};

static int config_fault(struct reading *r, const yaml_node_t *at, const char *what, const char *word)
{
	return err_set(r->e, ERR_INVALID_ARGUMENT, "%s:%zu: %s%s%s", r->path, at->start_mark.line + 1, what,
		       word ? " " : "", word ? word : "");
}

static const char *scalar(const yaml_node_t *n)
{
	return n->type == YAML_SCALAR_NODE ? (const char *)n->data.scalar.value : NULL;
}

static int check_length(struct reading *r, const yaml_node_t *n, const char *name, size_t max)
{
	if (max == UNBOUNDED || strlen(scalar(n)) <= max)
		return 0;
	return config_fault(r, n, arena_printf(r->c->arena, "at most %zu bytes are allowed for", max), name);
}

static yaml_node_t *node(struct reading *r, int index)
{
	return yaml_document_get_node(r->doc, index);
}

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

static int read_list(struct reading *r, const struct key *k, struct strings *out, yaml_node_t *n)
{
	size_t count;

	if (n->type != YAML_SEQUENCE_NODE)
		return config_fault(r, n, "a list is expected", NULL);
	count = (size_t)(n->data.sequence.items.top - n->data.sequence.items.start);
	*out = (struct strings){ arena_zalloc(r->c->arena, count * sizeof(*out->at)), count };
	for (size_t i = 0; i < count; i++) {
		yaml_node_t *item = node(r, n->data.sequence.items.start[i]);

		if (!scalar(item))
			return config_fault(r, item, "a word is expected", NULL);
		if (check_length(r, item, k->name, k->max) < 0)
			return -1;
		out->at[i] = arena_strdup(r->c->arena, scalar(item));
	}
	return 0;
}

static int read_runtime(struct reading *r, struct runtime_handler *h, yaml_node_t *key, yaml_node_t *n)
{
	if (!scalar(key) || !*scalar(key) || n->type != YAML_MAPPING_NODE)
		return config_fault(r, key, "a runtime is NAME: {type: oci, path: PROGRAM}", NULL);
	*h = (struct runtime_handler){ arena_strdup(r->c->arena, scalar(key)), "oci", "" };
	for (yaml_node_pair_t *p = n->data.mapping.pairs.start; p < n->data.mapping.pairs.top; p++) {
		yaml_node_t *k = node(r, p->key), *v = node(r, p->value);

		if (!scalar(k) || !scalar(v))
			return config_fault(r, k, "a word is expected", NULL);
		if (check_length(r, v, scalar(k), OTHER_PATH_MAX) < 0)
			return -1;
		if (strcmp(scalar(k), "type") == 0)
			h->type = arena_strdup(r->c->arena, scalar(v));
		else if (strcmp(scalar(k), "path") == 0)
			h->path = arena_strdup(r->c->arena, scalar(v));
		else
			return config_fault(r, k, "unknown key", scalar(k));
	}
	if (h->path[0] != '/')
		return config_fault(r, key, "an absolute path is expected for runtime", h->name);
	if (strcmp(h->type, "oci") != 0)
		return config_fault(r, key, "the only type of a runtime is oci, not", h->type);
	return 0;
}

static int read_runtimes(struct reading *r, struct runtimes_config *out, yaml_node_t *n)
{
	struct runtime_handler *handlers;
	size_t count;

	if (n->type != YAML_MAPPING_NODE)
		return config_fault(r, n, "a map of runtimes is expected", NULL);
	count = (size_t)(n->data.mapping.pairs.top - n->data.mapping.pairs.start);
	handlers = arena_zalloc(r->c->arena, count * sizeof(*handlers));
	for (size_t i = 0; i < count; i++) {
		const yaml_node_pair_t *p = &n->data.mapping.pairs.start[i];

		if (read_runtime(r, &handlers[i], node(r, p->key), node(r, p->value)) < 0)
			return -1;
	}
	out->handlers = handlers;
	out->n = count;
	return 0;
}

static int read_port(struct reading *r, int32_t *out, const yaml_node_t *n)
{
	char *end;
	long v = strtol(scalar(n), &end, 10);

	if (end == scalar(n) || *end || v < 0 || v > 65535)
		return config_fault(r, n, "not a port:", scalar(n));
	*out = (int32_t)v;
	return 0;
}

static int read_level(struct reading *r, enum log_level *out, const yaml_node_t *n)
{
	int level = log_level_parse(scalar(n));

	if (level < 0)
		return config_fault(r, n, "debug, info, warn or error is expected, not", scalar(n));
	*out = (enum log_level)level;
	return 0;
}

static int read_switch(struct reading *r, bool *out, const yaml_node_t *n)
{
	*out = strcmp(scalar(n), "true") == 0;
	if (!*out && strcmp(scalar(n), "false") != 0)
		return config_fault(r, n, "true or false is expected, not", scalar(n));
	return 0;
}

static int read_value(struct reading *r, const struct key *k, yaml_node_t *n)
{
	char *member = (char *)r->c + k->offset;

	if (k->kind == LIST)
		return read_list(r, k, (struct strings *)member, n);
	if (k->kind == RUNTIMES)
		return read_runtimes(r, (struct runtimes_config *)member, n);
	if (!scalar(n))
		return config_fault(r, n, "one word is expected for", k->name);
	if (check_length(r, n, k->name, k->max) < 0)
		return -1;
	switch (k->kind) {
	case PATH:
		if (scalar(n)[0] != '/')
			return config_fault(r, n, "an absolute path is expected for", k->name);
		/* fallthrough */
	case STRING:
		*(const char **)member = arena_strdup(r->c->arena, scalar(n));
		return 0;
	case PORT: return read_port(r, (int32_t *)member, n);
	case SWITCH: return read_switch(r, (bool *)member, n);
	case LEVEL: return read_level(r, (enum log_level *)member, n);
	case SIZE:
		if (parse_size((uint64_t *)member, scalar(n)) < 0)
			return config_fault(r, n, "not a size (32GiB, 500MB, 4096):", scalar(n));
		return 0;
	case LIST:
	case RUNTIMES: break;
	}
	return -1;
}

static const struct key *find_key(const char *section, const char *name)
{
	for (size_t i = 0; i < sizeof(keys) / sizeof(*keys); i++)
		if (strcmp(keys[i].section, section) == 0 && strcmp(keys[i].name, name) == 0)
			return &keys[i];
	return NULL;
}

static bool is_section(const char *name)
{
	for (size_t i = 0; i < sizeof(keys) / sizeof(*keys); i++)
		if (*name && strcmp(keys[i].section, name) == 0)
			return true;
	return false;
}

static int read_map(struct reading *r, const char *section, yaml_node_t *n)
{
	if (n->type != YAML_MAPPING_NODE)
		return config_fault(r, n, *section ? "a map is expected for" : "a map is expected",
				    *section ? section : NULL);
	for (yaml_node_pair_t *p = n->data.mapping.pairs.start; p < n->data.mapping.pairs.top; p++) {
		yaml_node_t *key = node(r, p->key), *value = node(r, p->value);
		const struct key *k = scalar(key) ? find_key(section, scalar(key)) : NULL;

		for (yaml_node_pair_t *q = n->data.mapping.pairs.start; q < p; q++)
			if (scalar(key) && scalar(node(r, q->key)) && strcmp(scalar(key), scalar(node(r, q->key))) == 0)
				return config_fault(r, key, "given twice:", scalar(key));
		if (k ? read_value(r, k, value) < 0
		    : !*section && scalar(key) && is_section(scalar(key))
			    ? read_map(r, scalar(key), value) < 0
			    : config_fault(r, key, "unknown key", scalar(key)) < 0)
			return -1;
	}
	return 0;
}

static int config_check(const struct config *c, const char *path, struct err *e)
{
	bool found = false;

	for (size_t i = 0; i < c->runtimes.n; i++)
		found |= strcmp(c->runtimes.handlers[i].name, c->runtimes.default_name) == 0;
	if (!found)
		return err_set(e, ERR_INVALID_ARGUMENT, "%s: runtime.default %s is not among the runtimes", path,
			       c->runtimes.default_name);
	if (strcmp(c->cgroup.driver, "cgroupfs") != 0 && strcmp(c->cgroup.driver, "systemd") != 0 &&
	    strcmp(c->cgroup.driver, "auto") != 0)
		return err_set(e, ERR_INVALID_ARGUMENT, "%s: cgroup.driver must be cgroupfs, systemd or auto, not %s",
			       path, c->cgroup.driver);
	if (!c->listen.n)
		return err_set(e, ERR_INVALID_ARGUMENT, "%s: listen names no address", path);
	if (!*c->stream_tls_cert != !*c->stream_tls_key)
		return err_set(e, ERR_INVALID_ARGUMENT, "%s: stream.tls_cert and stream.tls_key need each other", path);
	return 0;
}

static void set_defaults(struct config *c)
{
	static const char *const bin_dirs[] = { "/opt/cni/bin", "/usr/lib/cni" };
	static const char *const cdi_dirs[] = { "/etc/cdi", "/var/run/cdi" };
	static const struct runtime_handler handlers[] = {
		{ "runc", "oci", "/usr/sbin/runc" },
		{ "crun", "oci", "/usr/bin/crun" },
	};
	static const char *const listen[] = { "unix:///run/crisp/crisp.sock" };

	*c = (struct config){
		.root = "/var/lib/crisp", .state = "/run/crisp", .netns_dir = "/run/netns",
		.listen = { (const char **)listen, 1 },
		.http = "unix:///run/crisp/http.sock",
		.stream_address = "127.0.0.1", .stream_tls_cert = "", .stream_tls_key = "",
		.cgroup = { .root = "/crisp", .driver = "cgroupfs" },
		.cni = { .bin_dirs = { (const char **)bin_dirs, 2 }, .conf_dir = "/etc/cni/net.d" },
		.cdi_spec_dirs = { (const char **)cdi_dirs, 2 },
		.registry_config_path = "/etc/crisp/certs.d",
		.images_max_layer_bytes = 32ull << 30, .images_min_free = "5%",
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
	if (c->listen.n == 1 && strcmp(c->listen.at[0], "unix:///run/crisp/crisp.sock") == 0)
		c->listen = (struct strings){ listen, 1 };
	if (strcmp(c->http, "unix:///run/crisp/http.sock") == 0)
		c->http = arena_printf(c->arena, "unix://%s/http.sock", c->state);
	c->runtimes.state = c->state;
}

int config_read(struct config *c, const char *text, size_t len, const char *path, struct err *e)
{
	struct reading r = { c, NULL, path, e };
	yaml_parser_t parser;
	yaml_document_t doc;
	yaml_node_t *top;
	int failed = 0;

	set_defaults(c);
	own_must(yaml_parser_initialize(&parser) ? c : NULL);
	yaml_parser_set_input_string(&parser, (const unsigned char *)text, len);
	if (!yaml_parser_load(&parser, &doc)) {
		failed = err_set(e, ERR_INVALID_ARGUMENT, "%s:%zu: %s", path, parser.problem_mark.line + 1,
				 parser.problem ? parser.problem : "not YAML");
	} else {
		r.doc = &doc;
		top = yaml_document_get_root_node(&doc);
		if (top && !(scalar(top) && !*scalar(top)))
			failed = read_map(&r, "", top);
		yaml_document_delete(&doc);
	}
	yaml_parser_delete(&parser);
	if (failed)
		return failed;
	follow_state(c);
	return config_check(c, path, e);
}

int config_load(struct config *c, const char *path, struct err *e)
{
	auto_free char *text = NULL;
	auto_fd int fd = -1;
	struct stat st;
	ssize_t n;

	*c = (struct config){ 0 }; /* config_free() is due even when the file cannot be read */
	if (!path)
		return config_read(c, "", 0, "defaults", e);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0 || fstat(fd, &st) < 0)
		return err_os(e, ERR_INVALID_ARGUMENT, "read %s", path);
	if (!S_ISREG(st.st_mode) || st.st_size > FILE_MAX_BYTES)
		return err_set(e, ERR_INVALID_ARGUMENT, "%s: not a regular file of at most 1 MiB", path);
	text = own_must(malloc((size_t)st.st_size + 1));
	n = read(fd, text, (size_t)st.st_size);
	if (n < 0)
		return err_os(e, ERR_INVALID_ARGUMENT, "read %s", path);
	return config_read(c, text, (size_t)n, path, e);
}

void config_free(struct config *c)
{
	arena_free(c->arena);
	c->arena = NULL;
}

static json_t *list_json(const struct strings *s)
{
	json_t *j = json_array();

	for (size_t i = 0; i < s->n; i++)
		json_array_append_new(j, json_string(s->at[i]));
	return j;
}

char *config_text(const struct config *c, struct arena *a)
{
	auto_json json_t *runtimes = json_object();
	auto_json json_t *j = NULL;

	for (size_t i = 0; i < c->runtimes.n; i++)
		json_object_set_new(runtimes, c->runtimes.handlers[i].name,
				    json_pack("{s:s,s:s}", "type", c->runtimes.handlers[i].type, "path",
					      c->runtimes.handlers[i].path));
	/* critest looks for the state directory under the name stateDir. */
	j = json_pack("{s:s, s:s, s:s, s:s, s:o, s:s, s:{s:s, s:i}, s:{s:s, s:s}, s:{s:o, s:s}, s:{s:o}, s:{s:s}, "
		      "s:{s:I, s:s, s:o}, s:{s:b, s:b}, s:{s:s}, s:O, s:b}",
		      "root", c->root, "state", c->state, "stateDir", c->state, "netns_dir", c->netns_dir, "listen",
		      list_json(&c->listen), "http", c->http, "stream", "address", c->stream_address, "port",
		      (int)c->stream_port, "cgroup", "driver", c->cgroup.driver, "root", c->cgroup.root, "cni",
		      "bin_dirs", list_json(&c->cni.bin_dirs), "conf_dir", c->cni.conf_dir, "cdi", "spec_dirs",
		      list_json(&c->cdi_spec_dirs), "registry", "config_path", c->registry_config_path, "images",
		      "max_layer_bytes", (json_int_t)c->images_max_layer_bytes, "min_free", c->images_min_free,
		      "pinned", list_json(&c->images_pinned), "checkpoint", "enabled", (int)c->checkpoint_enabled,
		      "restore_from_image", (int)c->checkpoint_restore_from_image,
		      "runtime", "default", c->runtimes.default_name, "runtimes", runtimes,
		      "selinux", (int)c->selinux);
	return json_text(a, own_must(j));
}
