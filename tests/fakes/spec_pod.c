/* spec_pod.c - see spec_pod.h. */
#include "tests/fakes/spec_pod.h"

#include <assert.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

struct spec_host spec_pod_host;

const struct spec_host *spec_host(void)
{
	return &spec_pod_host;
}

static void swap(char *text, char from, char to)
{
	for (; *text; text++)
		if (*text == from)
			*text = to;
}

json_t *spec_pod_json(struct arena *a, const char *text)
{
	char *copy = arena_strdup(a, text);
	struct err e;
	json_t *j;

	swap(copy, '\'', '"');
	j = json_parse(copy, strlen(copy), "test", &e);
	if (!j)
		fprintf(stderr, "%s in %s\n", e.msg, copy);
	assert(j);
	return j;
}

static void fill(struct spec_pod *p, const struct field *table, void *object, const char *text)
{
	auto_json json_t *j = spec_pod_json(p->arena, text);
	int r = fields_from_json(table, object, j, p->arena, &p->e);

	if (r < 0)
		fprintf(stderr, "%s in %s\n", p->e.msg, text);
	assert(r == 0);
}

const char *spec_pod_path(struct spec_pod *p, const char *path)
{
	return arena_printf(p->arena, "%s/%s", p->dir, path);
}

void spec_pod_file(struct spec_pod *p, const char *path, const char *text)
{
	auto_file FILE *f = fopen(spec_pod_path(p, path), "w");

	assert(f);
	fputs(text, f);
}

static const char *image_words[] = { "/entry", "cmd" };

void spec_pod_open(struct spec_pod *p, const char *config)
{
	char template[] = "/tmp/crisp-spec-XXXXXX";

	*p = (struct spec_pod){ .arena = arena_new() };
	spec_pod_host = (struct spec_host){
		.caps = CAP(CAPS) - 1, .lowers_oom_score = true, .kernel_major = 6, .kernel_minor = 1
	};
	p->dir = arena_strdup(p->arena, mkdtemp(template));
	mkdir(spec_pod_path(p, "rootfs"), 0755);
	mkdir(spec_pod_path(p, "rootfs/etc"), 0755);
	mkdir(spec_pod_path(p, "sandbox"), 0755);
	fill(p, sandbox_config_fields, &p->sandbox.config,
	     "{'name':'pod','namespace_':'ns','uid':'pod-uid','hostname':'web-0'}");
	fill(p, container_config_fields, &p->container.config, config);
	snprintf(p->sandbox.id, ID_SIZE, "sandbox1");
	snprintf(p->container.id, ID_SIZE, "container1");
	p->sandbox.dir = spec_pod_path(p, "sandbox");
	p->sandbox.files = spec_pod_path(p, "files");
	p->sandbox.cgroup = "/crisp/sandbox1";
	list_init(&p->sandbox.containers);
	p->container.sandbox = &p->sandbox;
	p->container.process_label = p->container.mount_label = "";
	p->container.arena = p->arena;
	p->container.bundle = p->dir;
	p->container.lookup = lookup_new("pod");
	p->container.runtime = "runc";
	p->container.restore = "";
	p->container.cgroup = "/crisp/sandbox1/container1";
	p->container.image = (struct container_image){
		.id = "", .ref = "", .name = "img:1", .working_dir = "", .user = "", .stop_signal = ""
	};
	p->container.image.entrypoint = (struct strings){ image_words, 1 };
	p->container.image.cmd = (struct strings){ image_words + 1, 1 };
	p->in = (struct spec_input){ .container = &p->container,
				     .rootfs = spec_pod_path(p, "rootfs"),
				     .node_name = "node1" };
	p->in.features = (struct runtime_features){ .recursive_read_only = true, .user_namespaces = true };
	p->in.namespaces =
		(struct spec_namespaces){ .net = "/n/net", .ipc = "/n/ipc", .uts = "/n/uts", .user = "", .pid = "new" };
}

static int drop_one(const char *path, const struct stat *st, int type, struct FTW *at)
{
	(void)st, (void)type, (void)at;
	return remove(path);
}

void spec_pod_close(struct spec_pod *p)
{
	json_decref(p->config);
	nftw(p->dir, drop_one, 16, FTW_DEPTH | FTW_PHYS);
	lookup_free(p->container.lookup);
	arena_free(p->arena);
}

void spec_pod_security(struct spec_pod *p, const char *security)
{
	fill(p, security_fields, &p->sandbox.config.security, security);
}

/* Each CreateContainer looks anew. There is no child here to ask: a look into the kernel's caches that a mount
 * elsewhere on the machine spoiled is made again. */
bool spec_pod_make(struct spec_pod *p)
{
	int r = -1;

	json_decref(p->config);
	p->config = NULL;
	for (int i = 0; i < 1000 && r < 0 && (i == 0 || p->e.code == ERR_UNAVAILABLE); i++) {
		lookup_free(p->container.lookup);
		p->container.lookup = lookup_new("pod");
		r = spec_make(&p->in, &p->config, &p->e);
	}
	return r == 0;
}

const char *spec_pod_error(struct spec_pod *p)
{
	char *text;

	if (spec_pod_make(p))
		return "made";
	text = arena_printf(p->arena, "%s%s%s: %s", err_name(p->e.code), p->e.reason ? " " : "",
			    p->e.reason ? p->e.reason : "", p->e.msg);
	swap(text, '"', '\'');
	return text;
}

static const char *text_of(struct spec_pod *p, const json_t *j)
{
	char *text = j ? json_text(p->arena, j) : (char *)"";

	if (j)
		swap(text, '"', '\'');
	return text;
}

const char *spec_pod_get(struct spec_pod *p, const char *path)
{
	const json_t *j = p->config;

	while (j && *path) {
		size_t n = strcspn(path, ".");
		const char *key = arena_strndup(p->arena, path, n);

		j = json_is_array(j) ? json_array_get(j, strtoul(key, NULL, 10)) : json_object_get(j, key);
		path += n + (path[n] == '.');
	}
	return text_of(p, j);
}

const char *spec_pod_mount(struct spec_pod *p, const char *to)
{
	const json_t *found = NULL;
	size_t i;
	json_t *m;

	json_array_foreach(json_object_get(p->config, "mounts"), i, m) {
		if (strcmp(json_string_value(json_object_get(m, "destination")), to) == 0) {
			assert(!found);
			found = m;
		}
	}
	return text_of(p, found);
}
