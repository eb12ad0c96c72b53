/* filter.h - the filters of the List RPCs: all that is given must match. */
#ifndef HANDLERS_FILTER_H
#define HANDLERS_FILTER_H

#include <stdbool.h>

#include "api.pb-c.h"
#include "procs/container.h"
#include "procs/sandbox.h"

/* Ids may be unique prefixes. A state that is absent matches all. Label pairs are ANDed and exact. f may be NULL. */
bool filter_sandbox(const Runtime__V1__PodSandboxFilter *f, const struct sandbox *s);
bool filter_container(const Runtime__V1__ContainerFilter *f, const struct container *c);

#endif
