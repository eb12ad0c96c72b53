/* config.h - the configuration: YAML, one file and those of the directory beside it. Every key has a default; an
 * unknown key is an error with its line.
 *
 * main.c reads it once, at start, and hands each room a small struct of its own. docs/crisp-config.5 describes the
 * keys. */
#ifndef HANDLERS_CONFIG_H
#define HANDLERS_CONFIG_H

#include <stdint.h>

#include "handlers/nri.h"
#include "images/store.h"
#include "procs/cgroup.h"
#include "procs/network.h"
#include "procs/runtime.h"
#include "reactor/err.h"
#include "reactor/log.h"

struct config {
	const char *root, *state, *netns_dir;
	struct strings listen; /* addresses at which CRI is served */
	uint32_t socket_gid;   /* group of the socket files of listen and http */
	const char *http;      /* address of /metrics and /healthz */
	const char *http_tls_cert, *http_tls_key, *http_tls_client_ca;
	const char *stream_address;
	int32_t stream_port;
	const char *stream_tls_cert, *stream_tls_key;
	struct cgroup_config cgroup;
	const char *network; /* of network_choice() */
	uint32_t netns_pool; /* network namespaces that are made ready */
	uint32_t watchdog_s; /* a crispd whose loop has not turned for so long is replaced; 0: never */
	struct network_config cni; /* its first members: main.c fills the others */
	struct strings cdi_spec_dirs;
	struct strings hooks_dirs;
	struct nri_config nri;
	uint32_t nri_register_s, nri_request_s; /* of nri, in seconds */
	const char *registry_config_path;
	struct strings registry_auth_files, registry_allow, registry_deny;
	uint64_t images_max_layer_bytes;
	const char *images_min_free;
	uint32_t images_parallel_downloads, images_unpackers, images_progress_timeout_s;
	uint64_t images_split_bytes;
	const char *images_volumes; /* "bind", "mkdir" or "ignore": what an image's VOLUMEs become */
	struct strings images_pinned;
	const char *images_signature_policy; /* "": none */
	bool checkpoint_enabled, checkpoint_restore_from_image;
	struct runtimes_config runtimes;
	bool selinux;
	enum log_level log_level;
	enum log_format log_format;
	struct strings files; /* that were read, in their order */
	struct arena *arena;  /* owns all strings and lists */
};

/* Defaults, then the file over them; path NULL: defaults alone. Behind FILE.yaml come the files FILE.d/NAME.yaml, by
 * name: each replaces the values that it names, and in the map `runtimes` the runtimes' options.
 * INVALID_ARGUMENT with path, line and reason. The earlier content of *config is not freed. config_free() is due after
 * a failure too. config_read() reads one text in place of the files. */
int config_load(struct config *config, const char *path, struct err *e);
int config_read(struct config *config, const char *text, size_t len, const char *path, struct err *e);
void config_free(struct config *config);

/* All keys as JSON, for the verbose info of Status. In the arena. */
char *config_text(const struct config *config, struct arena *arena);

/* The keys that are not as by default, as JSON, in the arena. This text read gives the same configuration. */
char *config_text_changed(const struct config *config, struct arena *arena);

#endif
