/* store.h - the table of images: their names and records.
 *
 * The only table of struct image, with one record per image in <root>/images/<hex of id>.json. A layer is a directory
 * <root>/layers/<short name>, shared between images; gc.h removes the layers that no image and no snapshot refers to.
 * An image's id is "sha256:<hex>", the digest of its config, in every interface. The id of an artifact and of an image
 * that is a checkpoint is the digest of the manifest, which makes it one. (ARCHITECTURE I69, I72) */
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
	/* From the manifest. Not "": the image holds the checkpoint of a container of this name. */
	const char *checkpoint;
	/* From the manifest. Not "": the type of an artifact (artifact.h): no config, and no root file system. */
	const char *artifact;
};

struct image {
	const char *id;         /* "sha256:<hex>" */
	const char *config_digest; /* "": the id is the digest of its own document, a config or a manifest */
	struct strings tags;    /* whole names: "docker.io/library/busybox:latest" */
	struct strings digests; /* "docker.io/library/busybox@sha256:<manifest or index as the registry served it>" */
	uint64_t size_bytes;    /* compressed layers + config + manifest, as containerd counts */
	bool pinned;
	int64_t pulled_at_ns;
	struct image_config config;
	struct strings layers;  /* directory names below <root>/layers, lowest first */
	struct strings blobs;   /* digests of its config, first, and its manifests: content.h has them */
	struct arena *arena;    /* owns all of the above */
};

/* Makes the directories below images_config()->root and reads every record; unreadable records are set aside. What was
 * known before is forgotten. INTERNAL when root is unusable. */
int store_open(struct err *e);
bool store_is_open(void);
bool store_unread(void); /* an image's record is there and could not be read: what it uses is not known */

/* Adds the image that a pull made. Where an image with this id exists already, it gets the new names, and the new
 * layers and size if it was not whole. `image` is copied; only its id, config_digest, tags, digests, size_bytes,
 * config, layers and blobs are read. A tag of another image moves to this image. INTERNAL: the record cannot be
 * written. */
int store_add(const struct image *image, struct err *e);

/* By id (with or without "sha256:", or a unique prefix of it of at least 3 digits), tag, name (":latest" implied) or
 * name@digest. NULL: unknown or not unique. Valid until the image is removed or added again: keep the id over a wait,
 * not the pointer. */
const struct image *store_find(const char *ref);
const char *store_document(const struct image *image); /* the digest of its config, or of an artifact's manifest */
bool store_whole(const struct image *image); /* none of its layers is broken (layer.h) */
void store_each(void (*fn)(void *arg, const struct image *image), void *arg);

/* Removes the image that `ref` names, with all its tags and digests. An unknown image is success; an id prefix of
 * several images is INVALID_ARGUMENT. The layers are removed later (gc.h), by a child. */
int store_remove(const char *ref, struct err *e);

/* For the RPC ImageFsInfo: what layers, manifests and configs use. crisp-unpack counted the bytes and inodes of the
 * layers. */
struct images_usage {
	const char *mountpoint; /* <root>, which holds all of it */
	uint64_t used_bytes, inodes_used;
	int64_t at_ns;
};
void store_usage(struct images_usage *out);

#endif
