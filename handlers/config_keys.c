/* config_keys.c - see config_keys.h. */
#include "handlers/config_keys.h"

#include <stdio.h>
#include <string.h>
#include <sys/un.h>

#include "handlers/config.h"
#include "procs/keeper.h"
#include "procs/sandbox.h"
#include "reactor/near.h"

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
	NRI_SECONDS_MAX = 600,
};
_Static_assert(ROOT_MAX == 175 && STATE_MAX == 88 && NETNS_DIR_MAX == 179 && ADDRESS_MAX == 114,
	       "docs/crisp-config.5 names these bounds");

#define KEY(section, name, kind, max, member) { section, name, kind, max, offsetof(struct config, member) }
const struct config_key config_keys[] = {
	KEY("", "root", PATH, ROOT_MAX, root),
	KEY("", "state", PATH, STATE_MAX, state),
	KEY("", "netns_dir", PATH, NETNS_DIR_MAX, netns_dir),
	KEY("", "listen", LIST, ADDRESS_MAX, listen),
	KEY("", "socket_gid", COUNT, UINT32_MAX - 1, socket_gid),
	KEY("", "http", STRING, ADDRESS_MAX, http),
	KEY("http_tls", "cert", PATH_OR_NONE, OTHER_PATH_MAX, http_tls_cert),
	KEY("http_tls", "key", PATH_OR_NONE, OTHER_PATH_MAX, http_tls_key),
	KEY("http_tls", "client_ca", PATH_OR_NONE, OTHER_PATH_MAX, http_tls_client_ca),
	KEY("stream", "address", STRING, UNBOUNDED, stream_address),
	KEY("stream", "port", PORT, UNBOUNDED, stream_port),
	KEY("stream", "tls_cert", PATH_OR_NONE, OTHER_PATH_MAX, stream_tls_cert),
	KEY("stream", "tls_key", PATH_OR_NONE, OTHER_PATH_MAX, stream_tls_key),
	KEY("cgroup", "driver", STRING, UNBOUNDED, cgroup.driver),
	KEY("cgroup", "root", PATH, CGROUP_ROOT_MAX, cgroup.root),
	KEY("", "network", STRING, UNBOUNDED, network),
	KEY("", "netns_pool", COUNT, NETNS_POOL_MAX, netns_pool),
	KEY("", "watchdog", COUNT, WATCHDOG_MAX_S, watchdog_s),
	KEY("cni", "bin_dirs", LIST, OTHER_PATH_MAX, cni.bin_dirs),
	KEY("cni", "conf_dir", PATH, OTHER_PATH_MAX, cni.conf_dir),
	KEY("cni", "cache_dir", PATH, OTHER_PATH_MAX, cni.cache_dir),
	KEY("cdi", "spec_dirs", LIST, OTHER_PATH_MAX, cdi_spec_dirs),
	KEY("hooks", "dirs", LIST, OTHER_PATH_MAX, hooks_dirs),
	KEY("nri", "enabled", SWITCH, UNBOUNDED, nri.enabled),
	KEY("nri", "socket", PATH_OR_NONE, SUN_PATH - 1, nri.socket),
	KEY("nri", "plugin_path", PATH, OTHER_PATH_MAX, nri.plugin_path),
	KEY("nri", "plugin_config_path", PATH, OTHER_PATH_MAX, nri.config_path),
	KEY("nri", "registration_timeout", COUNT, NRI_SECONDS_MAX, nri_register_s),
	KEY("nri", "request_timeout", COUNT, NRI_SECONDS_MAX, nri_request_s),
	KEY("nri_validator", "enabled", SWITCH, UNBOUNDED, nri.validator.enabled),
	KEY("nri_validator", "reject_oci_hook_adjustment", SWITCH, UNBOUNDED, nri.validator.reject_hooks),
	KEY("nri_validator", "reject_sysctl_adjustment", SWITCH, UNBOUNDED, nri.validator.reject_sysctl),
	KEY("nri_validator", "reject_runtime_default_seccomp_adjustment", SWITCH, UNBOUNDED,
	    nri.validator.reject_seccomp_default),
	KEY("nri_validator", "reject_unconfined_seccomp_adjustment", SWITCH, UNBOUNDED,
	    nri.validator.reject_seccomp_unconfined),
	KEY("nri_validator", "reject_custom_seccomp_adjustment", SWITCH, UNBOUNDED,
	    nri.validator.reject_seccomp_custom),
	KEY("nri_validator", "required_plugins", LIST, OTHER_PATH_MAX, nri.validator.required_plugins),
	KEY("nri_validator", "tolerate_missing_plugins_annotation", STRING, OTHER_PATH_MAX,
	    nri.validator.tolerate_annotation),
	KEY("registry", "config_path", PATH, OTHER_PATH_MAX, registry_config_path),
	KEY("registry", "auth_files", LIST, OTHER_PATH_MAX, registry_auth_files),
	KEY("registry", "allow", LIST, OTHER_PATH_MAX, registry_allow),
	KEY("registry", "deny", LIST, OTHER_PATH_MAX, registry_deny),
	KEY("images", "max_layer_bytes", SIZE, UNBOUNDED, images_max_layer_bytes),
	KEY("images", "min_free", STRING, UNBOUNDED, images_min_free),
	KEY("images", "parallel_downloads", COUNT, 64, images_parallel_downloads),
	KEY("images", "unpackers", COUNT, 64, images_unpackers),
	KEY("images", "progress_timeout", COUNT, 86400, images_progress_timeout_s),
	KEY("images", "split_bytes", SIZE, UNBOUNDED, images_split_bytes),
	KEY("images", "volumes", STRING, UNBOUNDED, images_volumes),
	KEY("images", "pinned", LIST, UNBOUNDED, images_pinned),
	KEY("images", "signature_policy", PATH_OR_NONE, OTHER_PATH_MAX, images_signature_policy),
	KEY("checkpoint", "enabled", SWITCH, UNBOUNDED, checkpoint_enabled),
	KEY("checkpoint", "restore_from_image", SWITCH, UNBOUNDED, checkpoint_restore_from_image),
	KEY("runtime", "default", STRING, UNBOUNDED, runtimes.default_name),
	KEY("", "runtimes", RUNTIMES, UNBOUNDED, runtimes),
	KEY("", "selinux", SWITCH, UNBOUNDED, selinux),
	KEY("log", "level", LEVEL, UNBOUNDED, log_level),
	KEY("log", "format", FORMAT, UNBOUNDED, log_format),
};
#undef KEY

const size_t config_keys_n = sizeof(config_keys) / sizeof(*config_keys);

const struct config_key *config_key_find(const char *section, const char *name)
{
	for (size_t i = 0; i < config_keys_n; i++)
		if (strcmp(config_keys[i].section, section) == 0 && strcmp(config_keys[i].name, name) == 0)
			return &config_keys[i];
	return NULL;
}

bool config_is_section(const char *name)
{
	for (size_t i = 0; i < config_keys_n; i++)
		if (*name && strcmp(config_keys[i].section, name) == 0)
			return true;
	return false;
}

/* The right word in another section comes before a similar one in this section. */
const char *config_key_hint(const char *section, const char *name)
{
	static char text[80];
	struct near_word n = { .word = name };

	for (size_t i = 0; i < config_keys_n; i++) {
		const struct config_key *k = &config_keys[i];

		if (strcmp(k->name, name) == 0) {
			snprintf(text, sizeof(text), " (did you mean %s%s%s%s?)", k->section, *k->section ? "." : "",
				 k->name, *k->section ? "" : " at the top");
			return text;
		}
		if (strcmp(k->section, section) == 0)
			near_try(&n, k->name);
		else if (!*section)
			near_try(&n, k->section);
	}
	if (!n.found)
		return "";
	snprintf(text, sizeof(text), " (did you mean %s?)", n.found);
	return text;
}
