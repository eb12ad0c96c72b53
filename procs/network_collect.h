/* network_collect.h - plugins' own garbage collection (CNI 1.1, the verb GC): what they have for sandboxes that are
 * gone.
 *
 * A part of network.c. A plugin removes all that is not in the list that it is given, also what it made for another
 * runtime on the same network. So it is asked only where no id stands that is of no record of ours: not in host-local's
 * directories of the network, not in libcni's cache, and no namespace is pinned by another crisp. (ARCHITECTURE S72)
 * Source: SPEC.md of CNI 1.1.0, "GC" and "Lifecycle & Ordering". */
#ifndef PROCS_NETWORK_COLLECT_H
#define PROCS_NETWORK_COLLECT_H

/* For today's conflist. What is left undone is logged, with its reason. Nothing is done while one is under way. */
void network_collect(void);

#endif
