/* create_flow.h - CreateContainer: joins an image, a snapshot and a container. No step waits, so it is one function:
 * what could wait, the look-up of the paths of the config (reactor/lookup.h), comes before it.
 *
 * Spec: CRI v1 RuntimeService.CreateContainer. */
#ifndef HANDLERS_CREATE_FLOW_H
#define HANDLERS_CREATE_FLOW_H

#include "images/store.h"
#include "procs/adjust.h"
#include "procs/container.h"
#include "reactor/arena.h"
#include "reactor/lookup.h"
#include "reactor/err.h"

void create_flow_open(const char *node_name);

/* volumes: the paths that image_volumes() gave, and the directory that unpack_volumes() filled for them, which becomes
 * a part of the container. lookup has what spec_look() added; adjustment (NULL: none) is what plugins change. The
 * result is a new container, listed; or the container that an equal
 * request made before, when it has not been started. Errors leave nothing behind:
 *   FAILED_PRECONDITION  the sandbox is not READY, or the image (or an image volume) is not in the store
 *   ALREADY_EXISTS       the name and attempt belong to another container of the sandbox
 *   INVALID_ARGUMENT     spec_make() refuses the config */
struct create_volumes_made {
	struct strings paths;
	const char *filled; /* NULL: there are none */
};
struct container *create_flow(struct sandbox *sandbox, const struct container_config *config, struct lookup *lookup,
			      const struct create_volumes_made *volumes, const struct adjustment *adjustment,
			      struct err *e);

/* The steps of create_flow(), for a container whose writable layer takes time to fill (restore_flow.c).
 * create_flow_earlier() returns the container that an equal request made before. It returns NULL with e->code OK when
 * the name is free, and NULL with ALREADY_EXISTS when it is not. create_flow_prepare() undoes itself when it fails.
 * When create_flow_finish() fails the caller removes the container (remove_flow.h). */
struct container *create_flow_earlier(struct sandbox *sandbox, const struct container_config *config, struct err *e);
/* INVALID_ARGUMENT: the image is an artifact, which has no root file system. */
int create_flow_rootfs(const struct image *img, struct err *e);
struct container_image create_flow_image(const struct image *img, const struct container_config *config);
int create_flow_prepare(struct container *container, const struct image *img, struct err *e); /* bundle, snapshot */
int create_flow_finish(struct container *container, struct err *e);                           /* mounts, config.json */

/* Mounts the root file system of a container that was made, where it was unmounted. Has the type start_mount. INTERNAL,
 * RESOURCE_EXHAUSTED. */
int create_flow_mount(struct container *container, struct err *e);

/* Unmounts the root file system and the volumes of the container, and removes its snapshot and an unpacked checkpoint.
 * Has the type remove_unmount. INTERNAL: something is left. */
int create_flow_unmount(void *arg, struct container *container, struct err *e);

#endif
