/* gc.h - what this instance of crisp made for sandboxes that it does not know any more is taken down.
 *
 * Only a cache file of libcni that names this instance's `root` is believed (procs/net/result.h): leases and devices of
 * other runtimes and of other instances on the same network are nobody's to us. (ARCHITECTURE S56) */
#ifndef PROCS_NET_GC_H
#define PROCS_NET_GC_H

#include <stddef.h>

/* Starts a DEL, with tag 0, for each cache file of `owner` whose sandbox is not among the n ids of `known`, sorted. */
void gc_start(const char *cache_dir, const char *owner, const char *const *known, size_t n);

#endif
