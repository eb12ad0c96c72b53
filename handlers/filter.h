/* filter.h - the filters of the List RPCs. Every field that is set must match. */
#ifndef HANDLERS_FILTER_H
#define HANDLERS_FILTER_H

#include <stdbool.h>

#include "api.pb-c.h"
#include "procs/container.h"
#include "procs/sandbox.h"

/* An id may be a unique prefix. An absent state matches every state. Every label pair must be there, key and value
 * exactly. A NULL filter matches all. */
bool filter_sandbox(const Runtime__V1__PodSandboxFilter *filter, const struct sandbox *sandbox);
bool filter_container(const Runtime__V1__ContainerFilter *filter, const struct container *container);

#endif
