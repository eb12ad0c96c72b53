/* test_config.c - the configuration file: defaults, keys, bounds, and errors that name file and line. */
#include <stdio.h>
#include <string.h>

#include "handlers/config.h"
#include "reactor/json.h"
#include "tests/missing.h"
#include "tests/tap.h"

static struct config c;
static struct err e;

static int parse(const char *text)
{
	if (c.arena)
		config_free(&c);
	return config_read(&c, text, strlen(text), "test.yaml", &e);
}

static void defaults_are_complete(void)
{
	ok(parse("") == 0);
	is_str(c.root, "/var/lib/crisp");
	is_str(c.state, "/run/crisp");
	is_str(c.netns_dir, "/run/netns");
	ok(c.listen.n == 1);
	is_str(c.listen.at[0], "unix:///run/crisp/crisp.sock");
	is_str(c.http, "unix:///run/crisp/http.sock");
	ok(c.runtimes.n == 2 && c.images_max_layer_bytes == 32ull << 30 && !c.selinux);
	is_str(c.runtimes.default_name, "runc");
	ok(c.checkpoint_enabled && !c.checkpoint_restore_from_image);
	is_str(c.runtimes.state, "/run/crisp");
	config_free(&c);
	ok(config_load(&c, NULL, &e) == 0);
}

static void every_key_of_the_design_is_taken(void)
{
	ok(parse("root: /r\nstate: /s\nnetns_dir: /n\nlisten: [unix:///a, 'tcp://127.0.0.1:7']\nhttp: "
		 "tcp://127.0.0.1:8\n"
		 "stream: {address: 127.0.0.1, port: 9, tls_cert: /c, tls_key: /k}\ncgroup: {driver: cgroupfs, root: "
		 "/g}\n"
		 "cni: {bin_dirs: [/b1, /b2], conf_dir: /conf}\nregistry: {config_path: /certs}\n"
		 "images: {max_layer_bytes: 10MiB, min_free: 3%, pinned: [a, b]}\n"
		 "checkpoint: {enabled: false, restore_from_image: true}\n"
		 "runtime: {default: fast}\n"
		 "runtimes:\n  fast: {type: oci, path: /usr/bin/crun}\nlog: {level: debug}\nselinux: true\n") == 0);
	is_str(c.state, "/s");
	ok(c.listen.n == 2 && c.cni.bin_dirs.n == 2 && c.images_pinned.n == 2 && c.stream_port == 9);
	ok(c.images_max_layer_bytes == 10 << 20 && c.log_level == LOG_LEVEL_DEBUG && c.runtimes.n == 1 && c.selinux);
	is_str(c.runtimes.handlers[0].path, "/usr/bin/crun");
	ok(!c.checkpoint_enabled && c.checkpoint_restore_from_image);
	is_str(c.http, "tcp://127.0.0.1:8");
}

static void sockets_follow_the_state_directory(void)
{
	ok(parse("state: /elsewhere\n") == 0);
	is_str(c.listen.at[0], "unix:///elsewhere/crisp.sock");
	is_str(c.http, "unix:///elsewhere/http.sock");
}

static void refused(const char *text, const char *why)
{
	ok(parse(text) < 0 && e.code == ERR_INVALID_ARGUMENT);
	is_str(e.msg, why);
}

static void faults_name_file_and_line(void)
{
	refused("root: /r\nrooot: /x\n", "test.yaml:2: unknown key rooot");
	refused("log:\n  level: debug\n  colour: red\n", "test.yaml:3: unknown key colour");
	refused("log: {level: loud}\n", "test.yaml:1: debug, info, warn or error is expected, not loud");
	refused("checkpoint: {enabled: no}\n", "test.yaml:1: true or false is expected, not no");
	refused("selinux: yes\n", "test.yaml:1: true or false is expected, not yes");
	refused("root: relative\n", "test.yaml:1: an absolute path is expected for root");
	refused("images: {max_layer_bytes: many}\n", "test.yaml:1: not a size (32GiB, 500MB, 4096): many");
	refused("images: {max_layer_bytes: -1}\n", "test.yaml:1: not a size (32GiB, 500MB, 4096): -1");
	refused("images: {max_layer_bytes: 99999999TiB}\n",
		"test.yaml:1: not a size (32GiB, 500MB, 4096): 99999999TiB");
	refused("stream: {port: 70000}\n", "test.yaml:1: not a port: 70000");
	refused("root: /a\nroot: /b\n", "test.yaml:2: given twice: root");
	refused("listen: unix:///a\n", "test.yaml:1: a list is expected");
	refused("root: [a]\n", "test.yaml:1: one word is expected for root");
	refused("cni: yes\n", "test.yaml:1: a map is expected for cni");
	refused("runtime: {default: kata}\n", "test.yaml: runtime.default kata is not among the runtimes");
	refused("runtimes:\n  x: {type: oci, path: bin/x}\n",
		"test.yaml:2: an absolute path is expected for runtime x");
	refused("runtimes:\n  x: {type: vm, path: /x}\n", "test.yaml:2: the only type of a runtime is oci, not vm");
	refused("cgroup: {driver: cgroup2}\n",
		"test.yaml: cgroup.driver must be cgroupfs, systemd or auto, not cgroup2");
	ok(parse("a: [b\n") < 0 && strncmp(e.msg, "test.yaml:2: ", 13) == 0);
	ok(parse("- 1\n- 2\n") < 0);
	config_free(&c);
	ok(config_load(&c, missing("x.yaml"), &e) < 0 && strstr(e.msg, missing("x.yaml")));
}

/* A configuration of one line, FORMAT with a value of `head` and as many letters as make it n bytes. */
static int parse_of_length(const char *format, const char *head, size_t n)
{
	char value[512], text[640];

	snprintf(value, sizeof(value), "%s%0*d", head, (int)(n - strlen(head)), 0);
	snprintf(text, sizeof(text), format, value);
	return parse(text);
}

static void paths_are_bounded(void)
{
	static const struct {
		const char *format, *head, *name;
		size_t max;
	} bounds[] = {
		{ "root: %s\n", "/", "root", 175 },
		{ "state: %s\n", "/", "state", 88 },
		{ "netns_dir: %s\n", "/", "netns_dir", 179 },
		{ "listen: ['unix:///run/a', '%s']\n", "unix:///", "listen", 114 },
		{ "http: '%s'\n", "unix:///", "http", 114 },
		{ "stream: {tls_key: /k, tls_cert: %s}\n", "/", "tls_cert", 255 },
		{ "stream: {tls_cert: /c, tls_key: %s}\n", "/", "tls_key", 255 },
		{ "cgroup: {root: %s}\n", "/", "root", 100 },
		{ "cni: {bin_dirs: [/a, %s]}\n", "/", "bin_dirs", 255 },
		{ "cni: {conf_dir: %s}\n", "/", "conf_dir", 255 },
		{ "cdi: {spec_dirs: [/a, %s]}\n", "/", "spec_dirs", 255 },
		{ "registry: {config_path: %s}\n", "/", "config_path", 255 },
		{ "runtimes: {runc: {path: %s}}\n", "/", "path", 255 },
	};
	char want[128];

	for (size_t i = 0; i < sizeof(bounds) / sizeof(*bounds); i++) {
		snprintf(want, sizeof(want), "test.yaml:1: at most %zu bytes are allowed for %s", bounds[i].max,
			 bounds[i].name);
		ok(parse_of_length(bounds[i].format, bounds[i].head, bounds[i].max) == 0);
		ok(parse_of_length(bounds[i].format, bounds[i].head, bounds[i].max + 1) < 0);
		is_str(e.msg, want);
	}
}

static void verbose_text_is_json(void)
{
	struct arena *a = arena_new();
	auto_json json_t *j = NULL;
	char *text;

	ok(parse("state: /s\n") == 0);
	text = config_text(&c, a);
	j = json_parse(text, strlen(text), "text", &e);
	is_str(json_get_str(a, j, "stateDir"), "/s");
	ok(json_is_object(json_object_get(json_object_get(j, "runtimes"), "runc")));
	arena_free(a);
}

int main(void)
{
	defaults_are_complete();
	every_key_of_the_design_is_taken();
	sockets_follow_the_state_directory();
	faults_name_file_and_line();
	paths_are_bounded();
	verbose_text_is_json();
	config_free(&c);
	return tap_end();
}
