/* shim.h - the kind of runtimes of type shim, for runtime.c: programs that speak containerd's shim v2
 * (containerd, core/runtime/v2/README.md). One daemon, the shim, runs the containers of a pod; it is no child of this
 * daemon or the keeper, and outlives both. */
#ifndef PROCS_SHIM_H
#define PROCS_SHIM_H

#include "reactor/arena.h"

/* What handlers of this type allocate is the arena's, which outlives them: until shims_close(), which forgets them. */
void shims_open(struct arena *arena, const char *state);
void shims_close(void);

#endif
