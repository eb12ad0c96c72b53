/* status.h - the messages that describe a container or a sandbox in ContainerStatus, PodSandboxStatus and events.
 *
 * A message lives in the arena and shares strings with the object. */
#ifndef HANDLERS_STATUS_H
#define HANDLERS_STATUS_H

#include "api.pb-c.h"
#include "procs/container.h"
#include "procs/sandbox.h"

Runtime__V1__ContainerStatus *status_container(struct container *container, struct arena *arena);
Runtime__V1__PodSandboxStatus *status_sandbox(const struct sandbox *sandbox, struct arena *arena);
/* image: the value of its field `image`; the other fields are those of the container. */
Runtime__V1__ImageSpec *status_image(const struct container *container, const char *image, struct arena *arena);

#endif
