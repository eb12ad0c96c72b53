/* config.h - what images/ needs from the daemon's configuration. */
#ifndef IMAGES_CONFIG_H
#define IMAGES_CONFIG_H

#include <stdint.h>

#include "reactor/fields.h"

struct images_config {
	const char *root;                 /* "/var/lib/crisp" */
	const char *unpack_path;          /* the program crisp-unpack */
	const char *tree_path;            /* the program crisp-tree */
	const char *registry_config_path; /* the directory with a hosts.toml for each registry; "": none */
	/* Of one plain tar, and of one file in it: a sparse file counts with its full size. */
	uint64_t max_layer_bytes;
	const char *min_free;  /* "5%", or bytes with a unit ("10GiB"): space and inodes that unpacking leaves free */
	uint32_t parallel_downloads; /* of one pull; and of all pulls while a blob is fetched in parts */
	uint32_t unpackers;          /* layers that are unpacked at once; 0: as many as CPUs */
	uint32_t progress_timeout_s; /* a transfer that brings nothing for so long is given up; 0: 30 s */
	uint64_t split_bytes;        /* longer blobs are fetched in parts, several at once; 0: none */
	struct strings allow, deny;   /* scopes (scope.h) of images that may be pulled, or not */
	struct strings auth_files;    /* of docker's config.json form: the node's own credentials */
	const char *signature_policy; /* path of a policy.json; NULL or "": none */
	struct strings pinned; /* glob patterns: images with such a name are reported as pinned to the kubelet */
};

/* Called by handlers/main.c before everything else of images/. config and its strings are borrowed for ever. */
void images_configure(const struct images_config *config);
const struct images_config *images_config(void);

#endif
