/* artifact.h - OCI artifacts: manifests whose blobs are files, for image volumes. All of it is untrusted input.
 *
 * Each blob becomes a layer of its own with one file: the blob, at the path that its annotation
 * org.opencontainers.image.title has, with the directories above it. A directory that oras packed
 * (io.deis.oras.content.unpack) is a layer like those of images. A blob without a name is not fetched.
 * (ARCHITECTURE I66, I67, I68)
 * Specs: OCI image-spec manifest.md "Guidelines for Artifact Usage", annotations.md. */
#ifndef IMAGES_ARTIFACT_H
#define IMAGES_ARTIFACT_H

#include <stdbool.h>

#include "images/manifest.h"
#include "reactor/arena.h"
#include "reactor/err.h"
#include "reactor/json.h"

enum { ARTIFACT_PATH_MAX = 1024, ARTIFACT_DEPTH_MAX = 32 };

/* Whether a layer's file may have this path: relative, in its shortest form, with no ".." and no control characters;
 * each component has at most NAME_MAX bytes. */
bool artifact_path_valid(const char *path);

/* The type of a manifest that is no image's: its artifactType, or the type of its config. "": it is an image's, or
 * neither. image_config, image_layers: the types of its config and of all its layers are those of images. */
const char *artifact_type(const json_t *manifest, bool image_config, bool image_layers, struct arena *a);

/* Gives `d`, a blob of an artifact, its name and diff_id; diff_id NULL: the blob has no name. INVALID_ARGUMENT. */
int artifact_blob(struct descriptor *d, const json_t *entry, struct arena *a, struct err *e);

/* Leaves out of m->layers what has no name, and what is there twice. INVALID_ARGUMENT: two blobs of one name; a file
 * that is the directory of another one; no blob has a name. */
int artifact_settle(struct manifest *m, struct err *e);

#endif
