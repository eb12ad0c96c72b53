/* native.h - the kind "native" of runtime.h: containers begin without another program. The door of native/. */
#ifndef PROCS_NATIVE_H
#define PROCS_NATIVE_H

#include "reactor/arena.h"

/* zygote: the path of crisp-zygote, NULL: there is none. The keeper is asked to start it when the first handler of this
 * kind is made. What handlers allocate is the arena's, which outlives them. */
void native_open(struct arena *arena, const char *zygote);

#endif
