/* ns_here.h - the namespaces of a pod that the keeper makes itself, without a child: those that cost nearly nothing. */
#ifndef PROCS_KEEPER_NS_HERE_H
#define PROCS_KEEPER_NS_HERE_H

#include <stdbool.h>

#include "procs/keeper/ns_child.h"

/* netns: a network namespace that is ready, of pool.h; -1: there is none. set: its sysctls are. */
bool ns_here_can(const struct ns_make *r, int netns, bool set);

/* Makes the ipc and uts namespaces, sets the hostname, and pins the network namespace at r->path, whose file is there.
 * fds: one for each of r->bits, in the order of ns_kinds, for the caller; of `net` a copy of netns. After a failure
 * nothing is left but that file. RESOURCE_EXHAUSTED: a limit of the kernel. INVALID_ARGUMENT: the hostname. */
int ns_here(const struct ns_make *r, int netns, int fds[NS_KINDS], struct err *e);

#endif
