/* create_flow.h - CreateContainer: an image, a snapshot and a container joined; nothing waits, so it is one function.
 * Spec: CRI v1 RuntimeService.CreateContainer. */
#ifndef HANDLERS_CREATE_FLOW_H
#define HANDLERS_CREATE_FLOW_H

#include "images/store.h"
#include "procs/container.h"
#include "reactor/err.h"

void create_flow_open(const char *node_name);

/* A new container, listed; or the one that an equal request made before and that has not started. Errors leave
 * nothing behind:
 *   FAILED_PRECONDITION  the sandbox is not READY, the image (or an image volume) is not here
 *   ALREADY_EXISTS       the name and attempt belong to another container of the sandbox
 *   INVALID_ARGUMENT     what spec_make() says of the config */
struct container *create_flow(struct sandbox *s, const struct container_config *config, struct err *e);

/* The steps of it, for a container whose writable part takes time (restore_flow.c). create_flow_earlier(): NULL with
 * e->code OK: there is none of that name yet. What prepare has made is undone when it fails; after finish it is the
 * caller's. */
struct container *create_flow_earlier(struct sandbox *s, const struct container_config *config, struct err *e);
struct container_image create_flow_image(const struct image *img, const struct container_config *config);
int create_flow_prepare(struct container *c, const struct image *img, struct err *e); /* bundle, snapshot */
int create_flow_finish(struct container *c, struct err *e);                           /* mounts, config.json */
void create_flow_undo(struct container *c);

/* Gives back what create_flow() mounted for c: rootfs, image volumes, snapshot, an unpacked checkpoint. Fits
 * remove_unmount. */
void create_flow_unmount(void *arg, struct container *c);

#endif
