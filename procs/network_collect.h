/* network_collect.h - plugins' own garbage collection (CNI 1.1, the verb GC): what they have for sandboxes that are
 * gone.
 *
 * A part of network.c. A plugin removes all that is not in the list that it is given, also what it made for another
 * runtime on the same network. So it is asked only where no id stands that is of no record of ours: not in host-local's
 * directories of the network, not in libcni's cache, and no namespace is pinned by another crisp. (ARCHITECTURE S72)
 * Source: SPEC.md of CNI 1.1.0, "GC" and "Lifecycle & Ordering". */
#ifndef PROCS_NETWORK_COLLECT_H
#define PROCS_NETWORK_COLLECT_H

#include <stddef.h>

/* For each of these conflists (their texts), one after the other. Takes the array and the texts, which free(3) frees.
 * What is left undone is logged, with its reason. Once in a life of the daemon. */
void network_collect(char **confs, size_t n);

#endif
