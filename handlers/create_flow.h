/* create_flow.h - CreateContainer: an image, a snapshot and a container joined; nothing waits, so it is one function.
 * Spec: CRI v1 RuntimeService.CreateContainer. */
#ifndef HANDLERS_CREATE_FLOW_H
#define HANDLERS_CREATE_FLOW_H

#include "procs/container.h"
#include "reactor/err.h"

void create_flow_open(const char *node_name);

/* A new container, listed; or the one that an equal request made before and that has not started. Errors leave nothing
 * behind:
 *   FAILED_PRECONDITION  the sandbox is not READY, the image (or an image volume) is not here
 *   ALREADY_EXISTS       the name and attempt belong to another container of the sandbox
 *   INVALID_ARGUMENT     what spec_make() says of the config */
struct container *create_flow(struct sandbox *s, const struct container_config *config, struct err *e);

/* Gives back what create_flow() mounted for c: rootfs, image volumes, snapshot. Fits remove_unmount. */
void create_flow_unmount(void *arg, struct container *c);

#endif
