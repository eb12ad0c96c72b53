/* config.h - the configuration file: YAML. Every key has a default; an unknown key is an error with its line.
 *
 * main.c reads it once, at start, and hands each room a small struct of its own. docs/crisp-config.5 describes the
 * keys. */
#ifndef HANDLERS_CONFIG_H
#define HANDLERS_CONFIG_H

#include <stdint.h>

#include "images/store.h"
#include "procs/cgroup.h"
#include "procs/network.h"
#include "procs/runtime.h"
#include "reactor/err.h"
#include "reactor/log.h"

struct config {
	const char *root, *state, *netns_dir;
	struct strings listen; /* addresses at which CRI is served */
	const char *http;      /* address of /metrics and /healthz */
	const char *stream_address;
	int32_t stream_port;
	const char *stream_tls_cert, *stream_tls_key;
	struct cgroup_config cgroup;
	struct network_config cni;
	struct strings cdi_spec_dirs;
	const char *registry_config_path;
	uint64_t images_max_layer_bytes;
	const char *images_min_free;
	struct strings images_pinned;
	bool checkpoint_enabled, checkpoint_restore_from_image;
	struct runtimes_config runtimes;
	bool selinux;
	enum log_level log_level;
	struct arena *arena; /* owns all strings and lists */
};

/* Defaults, then the file over them; path NULL: defaults alone. INVALID_ARGUMENT with path, line and reason.
 * The earlier content of *config is not freed. config_free() is due after a failure too. */
int config_load(struct config *config, const char *path, struct err *e);
int config_read(struct config *config, const char *text, size_t len, const char *path, struct err *e);
void config_free(struct config *config);

/* All keys as JSON, for the verbose info of Status. In the arena. */
char *config_text(const struct config *config, struct arena *arena);

#endif
