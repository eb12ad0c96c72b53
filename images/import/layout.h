/* layout.h - what an archive or a layout holds: the images with their names and the files of their blobs. All of it is
 * untrusted input; the files are in a directory of crispd's own (intake.h of crisp-unpack), which nobody changes.
 *
 * Specs: OCI image-spec image-layout.md; docker save (moby image/spec, "Combined Image JSON + Filesystem Changeset
 * Format"). */
#ifndef IMAGES_IMPORT_LAYOUT_H
#define IMAGES_IMPORT_LAYOUT_H

#include <stdbool.h>
#include <stddef.h>

#include "images/import.h"
#include "images/manifest.h"
#include "reactor/arena.h"
#include "reactor/err.h"

struct layout_image {
	struct descriptor top;
	struct strings names;
};

/* A layer of docker's format: its file has no digest in its name. */
struct layout_layer {
	const char *path;    /* absolute, below the directory; "": not looked at yet */
	const char *name;    /* as manifest.json has it */
	const char *digest;  /* "": compressed, so that only reading it tells; set before layout_finish() */
	const char *media_type;
	uint64_t size_bytes;
};

struct layout {
	const char *blobs; /* the directory of the blobs: OCI's own, or <dir>/docker, which layout_finish() makes */
	struct layout_image *images;
	size_t nimages;
	struct layout_layer *layers; /* of docker's format, each file once */
	size_t nlayers;
	void *docker; /* of docker.c; NULL: OCI's format */
};

/* Reads the list of images in dir/fs. name: "", or the name of an image that has none; the name whose tag is replaced
 * by a tag that the layout gives. dir and name are borrowed until layout_close(), which is due also after an error.
 * INVALID_ARGUMENT: neither index.json nor manifest.json, or what is wrong with it; an image without a name. */
int layout_read(struct layout *out, const char *dir, const char *name, struct arena *arena, struct err *e);

/* Each call is a turn of the loop; 1: another one is due, 0: all is done. layout_step() reads configs and finds the
 * layers of docker's format. layout_finish(), when all layers have their digests, links the blobs below `blobs` and
 * writes the manifests. INTERNAL, INVALID_ARGUMENT. */
int layout_step(struct layout *layout, struct arena *arena, struct err *e);
int layout_finish(struct layout *layout, struct arena *arena, struct err *e);

void layout_close(struct layout *layout);

#endif
