/* manifest.h - the documents that describe an image: index, manifest, config. All of them are untrusted input.
 *
 * Specs: OCI image-spec, image-index.md, manifest.md, config.md; Docker "Image Manifest V 2, Schema 2" and its manifest
 * list. */
#ifndef IMAGES_MANIFEST_H
#define IMAGES_MANIFEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "images/store.h"
#include "reactor/arena.h"
#include "reactor/err.h"
#include "reactor/json.h"

enum {
	MANIFEST_MAX_BYTES = JSON_BYTES_MAX, /* registries take manifests of 4 MiB; real ones have some KiB */
	CONFIG_MAX_BYTES = JSON_BYTES_MAX,
	LAYERS_MAX = 500, /* the kernel's OVL_MAX_STACK: overlayfs takes no more */
};

/* The value of the Accept header for manifests. */
extern const char manifest_accept[];

struct descriptor {
	const char *media_type;
	const char *digest;  /* digest_valid() */
	uint64_t size_bytes;
	struct strings urls; /* of foreign layers */
	/* Of an artifact's blobs (artifact.h); NULL elsewhere. */
	const char *title, *diff_id;
	const char *file; /* the blob is this file; NULL: it is a tar */
};

struct manifest {
	bool is_index;
	struct descriptor chosen;  /* index: the entry for this machine */
	struct descriptor config;  /* manifest */
	struct descriptor *layers; /* manifest; lowest first */
	size_t nlayers;
	const char *checkpoint;    /* the annotation that marks an image of a checkpoint (CRI-O, containerd); or "" */
	const char *artifact;      /* manifest: the type of an artifact, whose config is none; or "" */
};

/* content_type is the header's value or "". Errors, with the cause:
 *   NOT_FOUND         an index without an entry for this machine; the message lists the platforms it has
 *   INVALID_ARGUMENT  not JSON, schema 1, neither an image nor an artifact of files, an unknown layer type, a bad
 *                     digest, size or name of a file */
int manifest_parse(
	struct manifest *m, const char *text, size_t len, const char *content_type, struct arena *a, struct err *e);

/* The config blob: the layers' diff_ids, lowest first, and what a container needs. INVALID_ARGUMENT, with the cause;
 * NOT_FOUND: the image is for another operating system. */
int config_parse(
	struct image_config *c, struct strings *diff_ids, const char *text, size_t len, struct arena *a, struct err *e);

/* OCI image-spec, config.md "Layer ChainID": sha256 of the parent's chain id, a space and the diff_id. parent NULL: the
 * lowest layer, whose chain id is its diff_id. */
const char *chain_id(const char *parent, const char *diff_id, struct arena *a);

/* The members of struct image_config, for records. */
extern const struct field image_config_fields[];

#endif
