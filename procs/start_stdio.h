/* start_stdio.h - whose the stdio of a container is that is about to start. */
#ifndef PROCS_START_STDIO_H
#define PROCS_START_STDIO_H

#include "procs/container.h"
#include "procs/runtime.h"
#include "reactor/err.h"

/* A pipe for stdin, whose write end the keeper holds; `named`: it is the FIFO <bundle>/stdin. *read_end is the
 * caller's. INTERNAL, RESOURCE_EXHAUSTED, UNAVAILABLE */
int start_stdio_pipe(const struct container *container, bool named, int *read_end, struct err *e);

/* In a user namespace the stdio becomes the container's user's; what is missing of it is made. INTERNAL */
int start_stdio_own(const struct container *container, struct runtime_stdio *stdio, struct err *e);

/* With the container's SELinux label. INTERNAL */
int start_stdio_label(const struct container *container, const struct runtime_stdio *stdio, struct err *e);

void start_stdio_close(const struct runtime_stdio *stdio);

#endif
