/* store.h - the images we have: names, records, and who still needs them.
 *
 * The one table of struct image; a record per image in <root>/images/<hex of id>.json. Layers are directories
 * <root>/layers/<short name>, shared between images; `gc` removes the ones no image and no snapshot refers to.
 * One id everywhere: "sha256:<hex>", the digest of the image's config. */
#ifndef IMAGES_STORE_H
#define IMAGES_STORE_H

#include <stdbool.h>
#include <stdint.h>

#include "reactor/err.h"
#include "reactor/fields.h"

/* The part of the OCI image config that a container needs. Spec: OCI image-spec, config.md. */
struct image_config {
	struct strings env, entrypoint, cmd; /* env: "NAME=value" */
	const char *working_dir, *user, *stop_signal;
	struct pairs labels;
	struct strings volumes;
	const char *checkpoint; /* of the manifest: it holds the checkpoint of a container of this name; "": an image */
};

struct image {
	const char *id;         /* "sha256:<hex>" */
	struct strings tags;    /* whole names: "docker.io/library/busybox:latest" */
	struct strings digests; /* "docker.io/library/busybox@sha256:<manifest or index as the registry served it>" */
	uint64_t size_bytes;    /* compressed layers + config + manifest, as containerd counts */
	bool pinned;
	int64_t pulled_at_ns;
	struct image_config config;
	struct strings layers;  /* directory names below <root>/layers, lowest first */
	struct strings blobs;   /* digests of what content.h keeps of it; the first is the config */
	struct arena *arena;    /* owns all of the above */
};

/* Makes the directories below images_config()->root and reads every record; unreadable records are set aside. What was
 * known before is forgotten. INTERNAL when root is unusable. */
int store_open(struct err *e);
bool store_is_open(void);

/* Adds what a pull made, or its names to the image that has this id already; borrows nothing. Of `img` only id, tags,
 * digests, size_bytes, config, layers and blobs are read. A tag that another image had moves here. INTERNAL: the
 * record. */
int store_add(const struct image *img, struct err *e);

/* By id (with or without "sha256:", or a unique prefix of it of at least 3 digits), tag, name (":latest" implied) or
 * name@digest. NULL: unknown or not unique. Valid until the image is removed: do not keep it over a wait. */
const struct image *store_find(const char *ref);
void store_each(void (*fn)(void *arg, const struct image *img), void *arg);

/* Removes the image that `ref` names with all its tags and digests; unknown is success, an id prefix that fits
 * several is INVALID_ARGUMENT. Layers go later, in a child. */
int store_remove(const char *ref, struct err *e);

/* ImageFsInfo: the directory all is in, and what layers, manifests and configs use: as the unpacker counted them. */
struct images_usage {
	const char *mountpoint; /* <root> */
	uint64_t used_bytes, inodes_used;
	int64_t at_ns;
};
void store_usage(struct images_usage *out);

#endif
