/* import_rows.c - see import_rows.h. The sources: containerd docs/cri/config.md, CRI-O docs/crio.conf.5.md. */
#include "handlers/cli/import_rows.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

/* ---- values ---- */

static bool is_word(const json_t *v)
{
	return json_is_string(v) && *json_string_value(v);
}

static json_t *as_it_is(const json_t *v)
{
	return is_word(v) ? json_incref((json_t *)v) : NULL;
}

static json_t *a_path(const json_t *v)
{
	return json_is_string(v) && json_string_value(v)[0] == '/' ? json_incref((json_t *)v) : NULL;
}

static json_t *a_switch(const json_t *v)
{
	return json_is_boolean(v) ? json_incref((json_t *)v) : NULL;
}

static json_t *the_contrary(const json_t *v)
{
	return json_is_boolean(v) ? json_boolean(!json_is_true(v)) : NULL;
}

/* One word or a list of them. */
static json_t *a_list(const json_t *v)
{
	return json_is_array(v) ? json_incref((json_t *)v) : is_word(v) ? json_pack("[O]", v) : NULL;
}

static json_t *a_number(const json_t *v)
{
	const char *text = json_string_value(v);
	char *end;
	long n = text ? strtol(text, &end, 10) : 0;

	if (json_is_integer(v))
		return json_incref((json_t *)v);
	return text && *text && !*end && n >= 0 ? json_integer(n) : NULL;
}

static json_t *at_least_one(const json_t *v)
{
	return json_is_integer(v) && json_integer_value(v) >= 1 ? json_incref((json_t *)v) : NULL;
}

static json_t *a_group(const json_t *v)
{
	return json_is_integer(v) && json_integer_value(v) >= 1 && json_integer_value(v) < UINT32_MAX
		       ? json_incref((json_t *)v)
		       : NULL;
}

/* Go's "1h2m3s", whole seconds, at least one. */
static json_t *seconds(const json_t *v)
{
	const char *s = json_string_value(v);
	long sum = 0;

	while (s && *s >= '0' && *s <= '9') {
		char *unit;
		long n = strtol(s, &unit, 10);

		if (n > 86400 || !*unit || !strchr("hms", *unit) || unit[1] == 's')
			return NULL;
		sum += n * (*unit == 'h' ? 3600 : *unit == 'm' ? 60 : 1);
		s = unit + 1;
	}
	return s && !*s && sum >= 1 ? json_integer(sum) : NULL;
}

static json_t *a_level(const json_t *v)
{
	static const char *const levels[][2] = {
		{ "trace", "debug" }, { "debug", "debug" }, { "info", "info" }, { "warn", "warn" },
		{ "warning", "warn" }, { "error", "error" }, { "fatal", "error" }, { "panic", "error" },
	};

	for (size_t i = 0; json_is_string(v) && i < sizeof(levels) / sizeof(*levels); i++)
		if (strcmp(levels[i][0], json_string_value(v)) == 0)
			return json_string(levels[i][1]);
	return NULL;
}

static json_t *a_format(const json_t *v)
{
	const char *text = json_is_string(v) ? json_string_value(v) : "";

	return strcmp(text, "json") == 0 || strcmp(text, "text") == 0 ? json_incref((json_t *)v) : NULL;
}

static json_t *ignore_volumes(const json_t *v)
{
	return json_string(json_is_true(v) ? "ignore" : "bind");
}

static json_t *systemd_driver(const json_t *v)
{
	return json_string(json_is_true(v) ? "systemd" : "cgroupfs");
}

static json_t *a_driver(const json_t *v)
{
	const char *text = json_is_string(v) ? json_string_value(v) : "";

	return strcmp(text, "systemd") == 0 || strcmp(text, "cgroupfs") == 0 ? json_incref((json_t *)v) : NULL;
}

/* ---- rows ---- */

#define OWN "crisp has a directory or socket of its own"
#define HTTP "the key `http`: a unix socket, a loopback address, or any one with http_tls"
#define HOSTS_TOML "a hosts.toml below registry.config_path"
#define NO_SOCKET "with nri: {socket: \"\"} no plugin can connect"
#define NAMESPACES "it is always so"
#define SHIM_OPTION "an option of containerd's shim"

const struct import_row import_containerd[] = {
	{ "version", NULL, NULL, "" },
	{ "root", NULL, NULL, OWN },
	{ "state", NULL, NULL, OWN },
	{ "temp", NULL, NULL, OWN },
	{ "grpc.address", NULL, NULL, OWN ": point the kubelet at crisp's" },
	{ "grpc.gid", "socket_gid", a_group, NULL },
	{ "imports", NULL, NULL, "name these files behind this one" },
	{ "debug.level", "log.level", a_level, NULL },
	{ "debug.format", "log.format", a_format, NULL },
	{ "metrics.address", NULL, NULL, HTTP },
	{ "cri.cni.bin_dir", "cni.bin_dirs", a_list, NULL },
	{ "cri.cni.bin_dirs", "cni.bin_dirs", a_list, NULL },
	{ "cri.cni.conf_dir", "cni.conf_dir", a_path, NULL },
	{ "cri.enable_selinux", "selinux", a_switch, NULL },
	{ "cri.stream_server_address", "stream.address", as_it_is, NULL },
	{ "cri.stream_server_port", "stream.port", a_number, NULL },
	{ "cri.x509_key_pair_streaming.tls_cert_file", "stream.tls_cert", a_path, NULL },
	{ "cri.x509_key_pair_streaming.tls_key_file", "stream.tls_key", a_path, NULL },
	{ "cri.enable_tls_streaming", NULL, NULL, "TLS is on where tls_cert and tls_key are set" },
	{ "cri.registry.mirrors.*.endpoint", NULL, NULL, HOSTS_TOML },
	{ "cri.registry.configs.*.tls.*", NULL, NULL, HOSTS_TOML },
	{ "cri.registry.configs.*.auth.*", NULL, NULL, "a file of registry.auth_files" },
	{ "cri.systemd_cgroup", "cgroup.driver", systemd_driver, NULL },
	{ "cri.registry.config_path", "registry.config_path", a_path, NULL },
	{ "cri.max_concurrent_downloads", "images.parallel_downloads", at_least_one, NULL },
	{ "cri.image_pull_progress_timeout", "images.progress_timeout", seconds, NULL },
	{ "cri.ignore_image_defined_volumes", "images.volumes", ignore_volumes, NULL },
	{ "cri.cdi_spec_dirs", "cdi.spec_dirs", a_list, NULL },
	{ "cri.enable_cdi", NULL, NULL, "CDI is always on" },
	{ "cri.sandbox_image", NULL, NULL, "pods have no pause image" },
	{ "cri.pinned_images.sandbox", NULL, NULL, "pods have no pause image" },
	{ "cri.containerd.default_runtime_name", "runtime.default", as_it_is, NULL },
	{ "cri.containerd.snapshotter", NULL, NULL, "layers are overlayfs" },
	{ "cri.snapshotter", NULL, NULL, "layers are overlayfs" },
	{ "cri.containerd.runtimes.*", "runtimes.*", NULL, NULL },
	{ "cri.containerd.runtimes.*.runtime_type", "runtimes.*." IMPORT_TYPE, as_it_is, NULL },
	{ "cri.containerd.runtimes.*.runtime_path", "runtimes.*." IMPORT_PATH, a_path, NULL },
	{ "cri.containerd.runtimes.*.options.BinaryName", "runtimes.*." IMPORT_BINARY, as_it_is, NULL },
	{ "cri.containerd.runtimes.*.options.ConfigPath", "runtimes.*.config_path", a_path, NULL },
	{ "cri.containerd.runtimes.*.options.TypeUrl", NULL, NULL, SHIM_OPTION },
	{ "cri.containerd.runtimes.*.options.Root", "runtimes.*.root", a_path, NULL },
	{ "cri.containerd.runtimes.*.options.SystemdCgroup", "cgroup.driver", systemd_driver, NULL },
	{ "cri.containerd.runtimes.*.base_runtime_spec", "runtimes.*.base_spec", a_path, NULL },
	{ "cri.containerd.runtimes.*.cni_conf_dir", "runtimes.*.cni_conf_dir", a_path, NULL },
	{ "cri.containerd.runtimes.*.privileged_without_host_devices", "runtimes.*.privileged_without_host_devices",
	  a_switch, NULL },
	{ "cri.containerd.runtimes.*.cgroup_writable", "runtimes.*.cgroup_writable", a_switch, NULL },
	{ "cri.containerd.runtimes.*.pod_annotations", "runtimes.*.allowed_annotations", a_list, NULL },
	{ "cri.containerd.runtimes.*.container_annotations", "runtimes.*.allowed_annotations", a_list, NULL },
	{ "cri.containerd.runtimes.*.sandboxer", "runtimes.*." IMPORT_SANDBOXER, as_it_is, NULL },
	{ "cri.containerd.runtimes.*.sandbox_mode", "runtimes.*." IMPORT_SANDBOXER, as_it_is, NULL },
	{ "nri.disable", "nri.enabled", the_contrary, NULL },
	{ "nri.socket_path", "nri.socket", a_path, NULL },
	{ "nri.plugin_path", "nri.plugin_path", a_path, NULL },
	{ "nri.plugin_config_path", "nri.plugin_config_path", a_path, NULL },
	{ "nri.plugin_registration_timeout", "nri.registration_timeout", seconds, NULL },
	{ "nri.plugin_request_timeout", "nri.request_timeout", seconds, NULL },
	{ "nri.disable_connections", NULL, NULL, NO_SOCKET },
	{ "nri.default_validator.enable", "nri_validator.enabled", a_switch, NULL },
	{ "nri.default_validator.reject_oci_hook_adjustment",
	  "nri_validator.reject_oci_hook_adjustment", a_switch, NULL },
	{ "nri.default_validator.reject_runtime_default_seccomp_adjustment",
	  "nri_validator.reject_runtime_default_seccomp_adjustment", a_switch, NULL },
	{ "nri.default_validator.reject_unconfined_seccomp_adjustment",
	  "nri_validator.reject_unconfined_seccomp_adjustment", a_switch, NULL },
	{ "nri.default_validator.reject_custom_seccomp_adjustment",
	  "nri_validator.reject_custom_seccomp_adjustment", a_switch, NULL },
	{ "nri.default_validator.reject_sysctl_adjustment", "nri_validator.reject_sysctl_adjustment", a_switch, NULL },
	{ "nri.default_validator.required_plugins", "nri_validator.required_plugins", a_list, NULL },
	{ "nri.default_validator.tolerate_missing_plugins_annotation",
	  "nri_validator.tolerate_missing_plugins_annotation", as_it_is, NULL },
	{ "nri.default_validator.reject_namespace_adjustment", NULL, NULL, NAMESPACES },
	{ 0 },
};

const struct import_row import_crio[] = {
	{ "crio.root", NULL, NULL, OWN },
	{ "crio.runroot", NULL, NULL, OWN },
	{ "crio.imagestore", NULL, NULL, OWN },
	{ "crio.api.listen", NULL, NULL, OWN ": point the kubelet at crisp's" },
	{ "crio.api.stream_address", "stream.address", as_it_is, NULL },
	{ "crio.api.stream_port", "stream.port", a_number, NULL },
	{ "crio.api.stream_tls_cert", "stream.tls_cert", a_path, NULL },
	{ "crio.api.stream_tls_key", "stream.tls_key", a_path, NULL },
	{ "crio.api.stream_enable_tls", NULL, NULL, "TLS is on where tls_cert and tls_key are set" },
	{ "crio.runtime.default_runtime", "runtime.default", as_it_is, NULL },
	{ "crio.runtime.cgroup_manager", "cgroup.driver", a_driver, NULL },
	{ "crio.runtime.selinux", "selinux", a_switch, NULL },
	{ "crio.runtime.log_level", "log.level", a_level, NULL },
	{ "crio.runtime.log_format", "log.format", a_format, NULL },
	{ "crio.runtime.hooks_dir", "hooks.dirs", a_list, NULL },
	{ "crio.runtime.cdi_spec_dirs", "cdi.spec_dirs", a_list, NULL },
	{ "crio.runtime.enable_criu_support", "checkpoint.enabled", a_switch, NULL },
	{ "crio.runtime.conmon", NULL, NULL, "crisp-keeper holds the containers" },
	{ "crio.runtime.runtimes.*", "runtimes.*", NULL, NULL },
	{ "crio.runtime.runtimes.*.runtime_type", "runtimes.*." IMPORT_TYPE, as_it_is, NULL },
	{ "crio.runtime.runtimes.*.runtime_path", "runtimes.*." IMPORT_PATH, a_path, NULL },
	{ "crio.runtime.runtimes.*.runtime_root", "runtimes.*.root", a_path,
	  "it must be another directory than CRI-O's while that has containers" },
	{ "crio.runtime.runtimes.*.runtime_config_path", "runtimes.*.config_path", a_path, NULL },
	{ "crio.runtime.runtimes.*.allowed_annotations", "runtimes.*.allowed_annotations", a_list, NULL },
	{ "crio.runtime.runtimes.*.default_annotations.*", NULL, NULL, "the key default_annotations of the runtime" },
	{ "crio.runtime.runtimes.*.privileged_without_host_devices", "runtimes.*.privileged_without_host_devices",
	  a_switch, NULL },
	{ "crio.runtime.runtimes.*.monitor_path", NULL, NULL, "crisp-keeper holds the containers" },
	{ "crio.image.signature_policy", "images.signature_policy", a_path, NULL },
	{ "crio.image.global_auth_file", "registry.auth_files", a_list, NULL },
	{ "crio.image.pinned_images", "images.pinned", a_list, NULL },
	{ "crio.image.image_volumes", "images.volumes", as_it_is, NULL },
	{ "crio.image.pull_progress_timeout", "images.progress_timeout", seconds, NULL },
	{ "crio.image.pause_image", NULL, NULL, "pods have no pause image" },
	{ "crio.image.insecure_registries", NULL, NULL,
	  "a hosts.toml with an http: server below registry.config_path" },
	{ "crio.network.network_dir", "cni.conf_dir", a_path, NULL },
	{ "crio.network.plugin_dirs", "cni.bin_dirs", a_list, NULL },
	{ "crio.metrics.enable_metrics", NULL, NULL, HTTP },
	{ "crio.metrics.metrics_cert", NULL, NULL, "the key http_tls.cert" },
	{ "crio.metrics.metrics_key", NULL, NULL, "the key http_tls.key" },
	{ "crio.nri.enable_nri", "nri.enabled", a_switch, NULL },
	{ "crio.nri.nri_listen", "nri.socket", a_path, NULL },
	{ "crio.nri.nri_plugin_dir", "nri.plugin_path", a_path, NULL },
	{ "crio.nri.nri_plugin_config_dir", "nri.plugin_config_path", a_path, NULL },
	{ "crio.nri.nri_plugin_registration_timeout", "nri.registration_timeout", seconds, NULL },
	{ "crio.nri.nri_plugin_request_timeout", "nri.request_timeout", seconds, NULL },
	{ "crio.nri.nri_disable_connections", NULL, NULL, NO_SOCKET },
	{ "crio.nri.default_validator.nri_enable_default_validator", "nri_validator.enabled", a_switch, NULL },
	{ "crio.nri.default_validator.nri_validator_reject_oci_hook_adjustment",
	  "nri_validator.reject_oci_hook_adjustment", a_switch, NULL },
	{ "crio.nri.default_validator.nri_validator_reject_runtime_default_seccomp_adjustment",
	  "nri_validator.reject_runtime_default_seccomp_adjustment", a_switch, NULL },
	{ "crio.nri.default_validator.nri_validator_reject_unconfined_seccomp_adjustment",
	  "nri_validator.reject_unconfined_seccomp_adjustment", a_switch, NULL },
	{ "crio.nri.default_validator.nri_validator_reject_custom_seccomp_adjustment",
	  "nri_validator.reject_custom_seccomp_adjustment", a_switch, NULL },
	{ "crio.nri.default_validator.nri_validator_required_plugins", "nri_validator.required_plugins", a_list, NULL },
	{ "crio.nri.default_validator.nri_validator_tolerate_missing_plugins_annotation",
	  "nri_validator.tolerate_missing_plugins_annotation", as_it_is, NULL },
	{ "crio.nri.default_validator.nri_validator_reject_namespace_adjustment", NULL, NULL, NAMESPACES },
	{ 0 },
};
