/* status.h - what CRI says of a container or a sandbox: the messages of ContainerStatus and PodSandboxStatus, and of
 * events.
 *
 * They live in the arena and share strings with the object. */
#ifndef HANDLERS_STATUS_H
#define HANDLERS_STATUS_H

#include "api.pb-c.h"
#include "procs/container.h"
#include "procs/sandbox.h"

Runtime__V1__ContainerStatus *status_container(struct container *c, struct arena *a);
Runtime__V1__PodSandboxStatus *status_sandbox(const struct sandbox *s, struct arena *a);
Runtime__V1__ImageSpec *status_image(const struct container *c, const char *image,
				     struct arena *a); /* `image`: its name */

#endif
