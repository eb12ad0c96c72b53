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
	is_str(c.network, "auto");
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
		 "network: cni\nnetns_pool: 0\nwatchdog: 0\n"
		 "cni: {bin_dirs: [/b1, /b2], conf_dir: /conf, cache_dir: /cache}\n"
		 "registry: {config_path: /certs, auth_files: [/a.json], allow: [a.test], deny: [a.test/b, c.test]}\n"
		 "images: {max_layer_bytes: 10MiB, min_free: 3%, pinned: [a, b], signature_policy: /p.json}\n"
		 "checkpoint: {enabled: false, restore_from_image: true}\n"
		 "runtime: {default: fast}\n"
		 "runtimes:\n  fast: {type: oci, path: /usr/bin/crun}\nlog: {level: debug, format: json}\n"
		 "selinux: true\n") == 0);
	is_str(c.state, "/s");
	ok(c.listen.n == 2 && c.cni.bin_dirs.n == 2 && c.images_pinned.n == 2 && c.stream_port == 9);
	ok(c.images_max_layer_bytes == 10 << 20 && c.log_level == LOG_LEVEL_DEBUG && c.log_format == LOG_JSON);
	ok(c.runtimes.n == 1 && c.selinux);
	is_str(c.runtimes.handlers[0].path, "/usr/bin/crun");
	is_str(c.network, "cni");
	ok(c.registry_auth_files.n == 1 && c.registry_allow.n == 1 && c.registry_deny.n == 2);
	is_str(c.images_signature_policy, "/p.json");
	ok(c.netns_pool == 0 && c.watchdog_s == 0);
	is_str(c.cni.cache_dir, "/cache");
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

static void no_policy_must_be_said(void)
{
	ok(parse("images: {signature_policy: \"\"}\n") == 0);
	is_str(c.images_signature_policy, "");
	refused("images:\n  signature_policy:\n", "test.yaml:2: an absolute path is expected for signature_policy");
	refused("registry: {config_path: \"\"}\n", "test.yaml:1: an absolute path is expected for config_path");
}

static void faults_name_file_and_line(void)
{
	refused("root: /r\nrooot: /x\n", "test.yaml:2: unknown key rooot (did you mean root?)");
	refused("log:\n  level: debug\n  colour: red\n", "test.yaml:3: unknown key colour");
	refused("log: {level: loud}\n", "test.yaml:1: debug, info, warn or error is expected, not loud");
	refused("log: {format: xml}\n", "test.yaml:1: text or json is expected, not xml");
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
	refused("runtime: {default: kata}\n", "test.yaml:1: runtime.default kata is not among the runtimes");
	refused("runtimes:\n  x: {type: oci, path: bin/x}\n",
		"test.yaml:2: an absolute path is expected for runtime x");
	refused("runtimes:\n  x: {path: /x, sandbox: vm}\n", "test.yaml:2: sandbox is none, container or api");
	refused("runtimes:\n  x: {path: /x, sandbox: api}\n",
		"test.yaml:2: sandbox: api is for runtimes of type shim, which is not x");
	refused("runtimes:\n  x: {path: /x, args: --debug}\n", "test.yaml:2: a list is expected");
	refused("runtimes:\n  x: {path: /x, root: tmp}\n", "test.yaml:2: an absolute path is expected for root");
	refused("runtimes:\n  x: {path: /x, create_timeout: 0}\n",
		"test.yaml:2: a number of seconds from 1 to 3600 is expected");
	refused("runtimes:\n  x: {path: /x, default_annotations: [a]}\n", "test.yaml:2: a map of words is expected");
	refused("runtimes:\n  x: {path: /x, cgroup_writable: 1}\n", "test.yaml:2: true or false is expected, not 1");
	refused("runtimes:\n  x: {path: /x, inherit: y}\n  y: {path: /y}\n",
		"test.yaml:2: inherit names no runtime that stands above: y");
	refused("runtimes:\n  x: {type: native, sandbox: container}\n",
		"test.yaml:2: a runtime of type native has no sandbox");
	refused("runtimes:\n  x: {type: shim}\n",
		"test.yaml:2: a path or a runtime type is expected for runtime x");
	refused("runtimes:\n  x: {type: shim, path: io.containerd.runc.v2, args: [a]}\n",
		"test.yaml:2: a runtime of type shim has no args");
	refused("runtimes:\n  x: {path: /x, binary: /y}\n", "test.yaml:2: a runtime of type oci has no binary");
	refused("runtimes:\n  x: {type: vm, path: /x}\n",
		"test.yaml:2: the type of a runtime is oci, native or shim, not vm");
	refused("cgroup: {driver: cgroup2}\n",
		"test.yaml:1: cgroup.driver must be cgroupfs, systemd or auto, not cgroup2");
	refused("netns_pool: 257\n", "test.yaml:1: a number from 0 to 256 is expected for netns_pool");
	refused("netns_pool: many\n", "test.yaml:1: a number from 0 to 256 is expected for netns_pool");
	refused("watchdog: 9\n", "test.yaml:1: watchdog is 0 or at least 10 seconds");
	refused("watchdog: 86401\n", "test.yaml:1: a number from 0 to 86400 is expected for watchdog");
	refused("images: {parallel_downloads: 0}\n",
		"test.yaml:1: images.parallel_downloads must be at least 1");
	refused("images: {unpackers: 65}\n", "test.yaml:1: a number from 0 to 64 is expected for unpackers");
	refused("images: {split_bytes: 1}\n", "test.yaml:1: images.split_bytes must be at least 1MiB");
	refused("images: {volumes: tmpfs}\n", "test.yaml:1: images.volumes must be bind, mkdir or ignore, not tmpfs");
	refused("network: fast\n", "test.yaml:1: network must be cni, native or auto, not fast");
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

/* The line is that of the value, also where the fault shows only beside other values. */
static void late_faults_name_the_line_too(void)
{
	refused("root: /r\nlisten:\n  - udp://127.0.0.1:1\n",
		"test.yaml:2: listen: address udp://127.0.0.1:1: neither unix:///path nor tcp://address:port");
	refused("root: /r\nhttp: tcp://192.0.2.1:1\n",
		"test.yaml:2: http: tcp://192.0.2.1:1 is not a loopback address: beyond loopback it needs "
		"http_tls.cert and http_tls.key (and http_tls.client_ca, to choose the clients)");
	refused("stream:\n  port: 1\n  address: node\n",
		"test.yaml:3: stream: address tcp://node:1: not a literal IP address");
	refused("stream:\n  tls_key: /k\n", "test.yaml:2: stream.tls_cert and stream.tls_key need each other");
	refused("images:\n  volumes: bind\n  progress_timeout: 0\n",
		"test.yaml:3: images.progress_timeout must be at least 1");
	refused("nri:\n  request_timeout: 0\n", "test.yaml:2: the timeouts of nri are at least one second");
	refused("root: /r\nruntimes:\n  x: {path: /x}\n",
		"test.yaml:2: runtime.default runc is not among the runtimes");
	ok(parse("images:\n  min_free: plenty\n") < 0 && strncmp(e.msg, "test.yaml:2: images.min_free", 28) == 0);
}

static void unknown_keys_have_a_hint(void)
{
	refused("level: debug\n", "test.yaml:1: unknown key level (did you mean log.level?)");
	refused("cni: {netns_dir: /x}\n", "test.yaml:1: unknown key netns_dir (did you mean netns_dir at the top?)");
	refused("imagse: {}\n", "test.yaml:1: unknown key imagse (did you mean images?)");
	refused("log: {levle: debug}\n", "test.yaml:1: unknown key levle (did you mean level?)");
	refused("runtimes:\n  x: {pth: /x}\n", "test.yaml:2: unknown key pth (did you mean path?)");
	refused("[a]: b\n", "test.yaml:1: unknown key that is no word");
	refused("runtimes:\n  x: {path: /x}\n  x: {path: /y}\n", "test.yaml:3: given twice: x");
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
		{ "cni: {cache_dir: %s}\n", "/", "cache_dir", 255 },
		{ "cdi: {spec_dirs: [/a, %s]}\n", "/", "spec_dirs", 255 },
		{ "hooks: {dirs: [/a, %s]}\n", "/", "dirs", 255 },
		{ "nri: {socket: %s}\n", "/", "socket", 107 },
		{ "nri: {plugin_path: %s}\n", "/", "plugin_path", 255 },
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

static void options_of_a_runtime(void)
{
	const struct runtime_handler *h;
	struct arena *a = arena_new();
	char *text;

	ok(parse("runtime: {default: runc}\nruntimes:\n  runc: {path: /r}\n"
		 "  runsc: {path: /runsc, args: [--debug, --platform=kvm], root: /run/runsc, sandbox: container, "
		 "create_timeout: 30, allowed_annotations: ['dev.gvisor.*'], default_annotations: {a: b}, "
		 "base_spec: /base, cni_conf_dir: /net, privileged_without_host_devices: true, cgroup_writable: true}\n"
		 "  kvm: {inherit: runsc, args: [--platform=kvm], cgroup_writable: false}\n"
		 "  vm: {type: shim, path: /vm, sandbox: api}\n  vm2: {inherit: vm, sandbox: container}\n") == 0);
	h = &c.runtimes.handlers[1];
	ok(h->options.args.n == 2 && h->options.sandbox_container && h->options.create_timeout_ms == 30000);
	ok(h->options.privileged_without_host_devices && h->options.cgroup_writable);
	is_str(h->options.root, "/run/runsc");
	is_str(h->options.allowed_annotations.at[0], "dev.gvisor.*");
	is_str(pairs_get(&h->options.default_annotations, "a"), "b");
	is_str(h->options.base_spec, "/base");
	is_str(h->options.cni_conf_dir, "/net");
	h = &c.runtimes.handlers[2];
	is_str(h->name, "kvm");
	is_str(h->path, "/runsc");
	ok(h->options.args.n == 1 && h->options.sandbox_container && !h->options.cgroup_writable);
	text = config_text(&c, a);
	ok(strstr(text, "\"sandbox\":\"container\"") && strstr(text, "\"create_timeout\":30"));
	ok(strstr(text, "\"sandbox\":\"api\"") != NULL);
	ok(c.runtimes.handlers[3].options.sandbox_api && !c.runtimes.handlers[3].options.sandbox_container);
	ok(!c.runtimes.handlers[4].options.sandbox_api && c.runtimes.handlers[4].options.sandbox_container);
	arena_free(a);
}

static void nri_follows_the_state(void)
{
	ok(parse("") == 0);
	ok(c.nri.enabled && c.nri.register_ms == 5000 && c.nri.request_ms == 2000);
	is_str(c.nri.socket, "/var/run/nri/nri.sock");
	ok(parse("state: /s\nnri: {enabled: false, request_timeout: 7}\n") == 0);
	ok(!c.nri.enabled && c.nri.request_ms == 7000);
	is_str(c.nri.socket, "/s/nri.sock");
	ok(parse("nri: {request_timeout: 0}\n") < 0);
	ok(parse("nri: {socket: ''}\n") == 0);
	is_str(c.nri.socket, "");
}

static void the_validator_of_nri(void)
{
	const struct nri_validator *v = &c.nri.validator;

	ok(parse("") == 0);
	ok(!v->enabled && !v->reject_hooks && v->required_plugins.n == 0);
	is_str(v->tolerate_annotation, "");
	ok(parse("nri_validator: {enabled: true, reject_oci_hook_adjustment: true, required_plugins: [a, 10-b],\n"
		 " reject_runtime_default_seccomp_adjustment: true,\n"
		 " tolerate_missing_plugins_annotation: x.y/z}\n") == 0);
	ok(v->enabled && v->reject_hooks && v->reject_seccomp_default && !v->reject_sysctl);
	ok(v->required_plugins.n == 2);
	is_str(v->tolerate_annotation, "x.y/z");
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

/* What differs from the defaults, read again, is the same. */
static void changed_text_is_a_configuration(void)
{
	struct arena *a = arena_new();
	char *all, *changed;

	ok(parse("") == 0);
	is_str(config_text_changed(&c, a), "{}");
	ok(parse("state: /s\nlisten: [unix:///a, 'tcp://127.0.0.1:7']\nstream: {port: 9}\nwatchdog: 0\n"
		 "images: {max_layer_bytes: 10MiB, signature_policy: /p.json}\nlog: {level: debug, format: json}\n"
		 "registry: {deny: ['a\"b: #']}\nnri: {enabled: false}\nselinux: true\n"
		 "runtimes:\n  runc: {path: /r, args: [--a], create_timeout: 30, default_annotations: {a: 'b: c'}}\n"
		 "  g: {inherit: runc, sandbox: container}\n  n: {type: native, fallback: runc}\n") == 0);
	all = config_text(&c, a);
	changed = config_text_changed(&c, a);
	ok(!strstr(changed, "\"cni\"") && strstr(changed, "\"create_timeout\":30"));
	ok(parse(changed) == 0);
	is_str(config_text(&c, a), all);
	is_str(config_text_changed(&c, a), changed);
	arena_free(a);
}

int main(void)
{
	defaults_are_complete();
	every_key_of_the_design_is_taken();
	sockets_follow_the_state_directory();
	no_policy_must_be_said();
	faults_name_file_and_line();
	late_faults_name_the_line_too();
	unknown_keys_have_a_hint();
	paths_are_bounded();
	options_of_a_runtime();
	nri_follows_the_state();
	the_validator_of_nri();
	verbose_text_is_json();
	changed_text_is_a_configuration();
	config_free(&c);
	return tap_end();
}
