/* test_import.c - configurations of containerd and CRI-O become one of crisp. */
#include <stdio.h>
#include <string.h>

#include "handlers/cli/import.h"
#include "handlers/cli/yaml.h"
#include "tests/tap.h"

static char told[2048];
static struct err e;

static void note(void *arg, const char *what, const char *words)
{
	size_t n = strlen(told);

	(void)arg;
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
	is_str(told, "cri.sandbox_image: pods have no pause image\ncri.unknown: no counterpart\n");
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

static void values_without_counterpart(void)
{
	imported("[debug]\nlevel = 'loud'\n" CRI2 "]\nstream_server_port = 'x'\nimage_pull_progress_timeout = '50ms'\n",
		 NULL);
	is_str(told, "debug.level: this value has no counterpart\n"
		     "cri.stream_server_port: this value has no counterpart\n"
		     "cri.image_pull_progress_timeout: this value has no counterpart\n");
}

static void refused(const char *first, const char *second, const char *why)
{
	is_str(imported(first, second), "");
	ok(e.code == ERR_INVALID_ARGUMENT);
	ok(strstr(e.msg, why) != NULL);
}

int main(void)
{
	version_2_of_containerd();
	version_3_of_containerd();
	later_files_replace_earlier_ones();
	a_file_of_comments_is_for_both();
	runtimes_of_crio();
	values_without_counterpart();
	refused("a: b\n", NULL, "first:1: ");
	refused("version = 1\n", NULL, "version 1 of containerd");
	refused("[crio]\n", "version = 2\n", "second: it is not CRI-O's");
	return tap_end();
}
