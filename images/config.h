/* config.h - what images/ needs from the daemon's configuration. */
#ifndef IMAGES_CONFIG_H
#define IMAGES_CONFIG_H

#include <stdint.h>

#include "reactor/fields.h"

struct images_config {
	const char *root;                 /* "/var/lib/crisp" */
	const char *unpack_path;          /* the program crisp-unpack */
	const char *registry_config_path; /* the directory with a hosts.toml for each registry; "": none */
	/* Of one plain tar, and of one file in it: a sparse file counts with its full size. */
	uint64_t max_layer_bytes;
	const char *min_free;  /* "5%", or bytes with a unit ("10GiB"): space and inodes that unpacking leaves free */
	struct strings pinned; /* glob patterns: images with such a name are reported as pinned to the kubelet */
};

/* Called by handlers/main.c before everything else of images/. config and its strings are borrowed for ever. */
void images_configure(const struct images_config *config);
const struct images_config *images_config(void);

#endif
