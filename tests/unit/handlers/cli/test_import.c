/* test_import.c - configurations of containerd and CRI-O become one of crisp. */
#include <stdio.h>
#include <string.h>

#include "handlers/cli/import.h"
#include "handlers/cli/yaml.h"
#include "tests/tap.h"

static char told[2048];
static struct err e;

static void note(void *arg, int line, const char *what, const char *words)
{
	size_t n = strlen(told);

	(void)arg;
	if (line)
		n += (size_t)snprintf(told + n, sizeof(told) - n, "%d: ", line);
	snprintf(told + n, sizeof(told) - n, "%s: %s\n", what, words);
}

static const char *find(struct arena *a, const char *name)
{
	return strcmp(name, "gone") == 0 ? NULL : arena_printf(a, "/bin/%s", name);
}

/* The configuration as YAML; "" and e: it was refused. second: NULL, or the text of another file. */
static const char *imported(const char *first, const char *second)
{
	static char text[4096];
	struct import im = { .arena = arena_new(), .tell = note };
	struct buf out = { 0 };

	told[0] = text[0] = '\0';
	import_open(&im);
	if (import_add(&im, first, strlen(first), "first", &e) == 0 &&
	    (!second || import_add(&im, second, strlen(second), "second", &e) == 0)) {
		import_end(&im, find);
		cli_yaml_members(&out, im.config, 0);
		snprintf(text, sizeof(text), "%s", buf_str(&out));
	}
	import_close(&im);
	buf_free(&out);
	arena_free(im.arena);
	return text;
}

#define CRI2 "[plugins.\"io.containerd.grpc.v1.cri\""
#define RUNTIME2 CRI2 ".containerd.runtimes."

static void version_2_of_containerd(void)
{
	is_str(imported("version = 2\n"
			CRI2 "]\nenable_selinux = true\nstream_server_port = \"10010\"\nmax_concurrent_downloads = 5\n"
			"image_pull_progress_timeout = \"1m30s\"\nsandbox_image = \"pause\"\n"
			"unknown = \"x\"\nempty = \"\"\n"
			CRI2 ".cni]\nbin_dir = \"/b\"\nconf_dir = \"/c\"\n"
			CRI2 ".containerd]\ndefault_runtime_name = \"kata\"\n"
			RUNTIME2 "runc]\nruntime_type = \"io.containerd.runc.v2\"\npod_annotations = [\"a.*\"]\n"
			"container_annotations = [\"b\"]\n"
			RUNTIME2 "runc.options]\nBinaryName = \"/x/runc\"\nSystemdCgroup = true\n"
			RUNTIME2 "kata]\nruntime_type = \"io.containerd.kata.v2\"\n"
			"privileged_without_host_devices = true\n"
			RUNTIME2 "kata.options]\nConfigPath = \"/k.toml\"\n"
			"[plugins.\"io.containerd.gc.v1.scheduler\"]\ndeletion_threshold = 9\n"
			"[plugins.\"io.containerd.nri.v1.nri\"]\ndisable = true\n", NULL),
	       "selinux: true\nstream:\n  port: 10010\nimages:\n  parallel_downloads: 5\n  progress_timeout: 90\n"
	       "cni:\n  bin_dirs: [/b]\n  conf_dir: /c\nruntime:\n  default: kata\n"
	       "runtimes:\n  runc:\n    allowed_annotations: [\"a.*\", b]\n    type: oci\n    path: /x/runc\n"
	       "  kata:\n    privileged_without_host_devices: true\n    config_path: /k.toml\n    type: shim\n"
	       "    path: io.containerd.kata.v2\n    sandbox: container\n"
	       "cgroup:\n  driver: systemd\nnri:\n  enabled: false\n");
	is_str(told, "7: cri.sandbox_image: pods have no pause image\n8: cri.unknown: no counterpart\n");
}

/* As containerd 1.2 had it; a file without a version is one of version 1. */
static void version_1_of_containerd(void)
{
	is_str(imported("root = '/var/lib/containerd'\noom_score = 0\n[grpc]\n  address = '/run/x.sock'\n  uid = 0\n"
			"  gid = 999\n[plugins]\n  [plugins.cri]\n    systemd_cgroup = true\n    [plugins.cri.cni]\n"
			"      bin_dir = '/opt/cni/bin'\n    [plugins.cri.registry.mirrors.'docker.io']\n"
			"      endpoint = ['https://m']\n    [plugins.cri.containerd.runtimes.runc]\n"
			"      runtime_type = 'io.containerd.runc.v2'\n  [plugins.linux]\n    shim = 's'\n", NULL),
	       "socket_gid: 999\ncgroup:\n  driver: systemd\ncni:\n  bin_dirs: [/opt/cni/bin]\n"
	       "runtimes:\n  runc:\n    type: oci\n    path: /bin/runc\nruntime:\n  default: runc\n");
	is_str(told, "1: root: crisp has a directory or socket of its own\n"
		     "4: grpc.address: crisp has a directory or socket of its own: point the kubelet at crisp's\n"
		     "13: cri.registry.mirrors.docker.io.endpoint: a hosts.toml below registry.config_path\n");
	is_str(imported("version = 1\n[plugins.cri]\nenable_selinux = true\n", NULL),
	       "selinux: true\ncgroup:\n  driver: cgroupfs\n");
}

static void version_3_of_containerd(void)
{
	is_str(imported("version = 3\n[plugins.'io.containerd.cri.v1.runtime'.cni]\nbin_dirs = ['/a', '/b']\n"
			"[plugins.'io.containerd.cri.v1.images'.registry]\nconfig_path = '/certs'\n"
			"[plugins.'io.containerd.grpc.v1.cri']\nstream_server_address = '::1'\n", NULL),
	       "cni:\n  bin_dirs: [/a, /b]\nregistry:\n  config_path: /certs\nstream:\n  address: \"::1\"\n"
	       "cgroup:\n  driver: cgroupfs\n");
	is_str(told, "");
}

/* sandboxer is of containerd 2, sandbox_mode of 1.7. */
static void who_makes_the_sandbox(void)
{
	is_str(imported("version = 2\n" RUNTIME2 "a]\nruntime_type = \"io.containerd.a.v2\"\nsandboxer = \"shim\"\n"
			RUNTIME2 "b]\nruntime_type = \"io.containerd.runc.v2\"\nsandbox_mode = \"shim\"\n"
			RUNTIME2 "c]\nruntime_type = \"io.containerd.c.v2\"\nsandboxer = \"podsandbox\"\n"
			RUNTIME2 "d]\nruntime_type = \"io.containerd.d.v2\"\nsandboxer = \"vmm\"\n", NULL),
	       "runtimes:\n  a:\n    type: shim\n    path: io.containerd.a.v2\n    sandbox: api\n"
	       "  b:\n    type: shim\n    path: io.containerd.runc.v2\n    sandbox: api\n"
	       "  c:\n    type: shim\n    path: io.containerd.c.v2\n    sandbox: container\n"
	       "  d:\n    type: shim\n    path: io.containerd.d.v2\n    sandbox: container\n"
	       "runtime:\n  default: a\ncgroup:\n  driver: cgroupfs\n");
	is_str(told, "runtime d: a sandboxer vmm, beside containerd, is not spoken to\n"
		     "the default runtime: runc is not among the runtimes; a is taken\n");
}

static void later_files_replace_earlier_ones(void)
{
	is_str(imported("[crio.network]\nnetwork_dir = '/a'\nplugin_dirs = ['/p']\n",
			"[crio.network]\nnetwork_dir = '/b'\n[crio.runtime]\ncgroup_manager = 'cgroupfs'\n"),
	       "cni:\n  conf_dir: /b\n  bin_dirs: [/p]\ncgroup:\n  driver: cgroupfs\n");
}

static void a_file_of_comments_is_for_both(void)
{
	is_str(imported("# nothing\n", "[crio.network]\nnetwork_dir = '/a'\n"),
	       "cni:\n  conf_dir: /a\ncgroup:\n  driver: systemd\n");
}

static void runtimes_of_crio(void)
{
	is_str(imported("[crio.runtime.runtimes.gone]\nruntime_type = 'oci'\n[crio.runtime.runtimes.vm]\n"
			"runtime_type = 'vm'\nruntime_path = '/s'\nruntime_config_path = '/c'\n"
			"[crio.nri]\nenable_nri = false\n", NULL),
	       "runtimes:\n  gone:\n    type: oci\n    path: /usr/bin/gone\n  vm:\n    config_path: /c\n"
	       "    type: shim\n    path: /s\n    sandbox: container\nnri:\n  enabled: false\n"
	       "runtime:\n  default: gone\ncgroup:\n  driver: systemd\n");
	is_str(told, "runtime gone: gone is not on this machine\n"
		     "the default runtime: crun is not among the runtimes; gone is taken\n");
}

static void the_validator_of_nri(void)
{
	is_str(imported("version = 3\n[plugins.'io.containerd.nri.v1.nri'.default_validator]\nenable = true\n"
			"reject_oci_hook_adjustment = true\nreject_namespace_adjustment = true\n"
			"required_plugins = ['a', 'b']\n", NULL),
	       "nri_validator:\n  enabled: true\n  reject_oci_hook_adjustment: true\n  required_plugins: [a, b]\n"
	       "cgroup:\n  driver: cgroupfs\n");
	ok(strstr(told, "reject_namespace_adjustment: it is always so") != NULL);
	is_str(imported("[crio.nri.default_validator]\nnri_enable_default_validator = true\n"
			"nri_validator_required_plugins = ['a']\n", NULL),
	       "nri_validator:\n  enabled: true\n  required_plugins: [a]\ncgroup:\n  driver: systemd\n");
}

static void values_without_counterpart(void)
{
	imported("[debug]\nlevel = 'loud'\n" CRI2 "]\nstream_server_port = 'x'\nimage_pull_progress_timeout = '50ms'\n",
		 NULL);
	is_str(told, "2: debug.level: this value has no counterpart\n"
		     "4: cri.stream_server_port: this value has no counterpart\n"
		     "5: cri.image_pull_progress_timeout: this value has no counterpart\n");
	imported("version = 2\n\nplugins.cri = {\"unknown\" = [\n1,\n2], other = 3}\r\nmore.x = 1\n", "again.x = 1\n");
	is_str(told, "3: cri.unknown: no counterpart\n5: cri.other: no counterpart\n6: more.x: no counterpart\n"
		     "1: again.x: no counterpart\n");
}

static void refused(const char *first, const char *second, const char *why)
{
	is_str(imported(first, second), "");
	ok(e.code == ERR_INVALID_ARGUMENT);
	ok(strstr(e.msg, why) != NULL);
}

int main(void)
{
	version_1_of_containerd();
	version_2_of_containerd();
	version_3_of_containerd();
	who_makes_the_sandbox();
	later_files_replace_earlier_ones();
	a_file_of_comments_is_for_both();
	runtimes_of_crio();
	the_validator_of_nri();
	values_without_counterpart();
	refused("a: b\n", NULL, "first:1: ");
	refused("[crio]\n", "version = 2\n", "second: it is not CRI-O's");
	return tap_end();
}
