/* attach.h - gives a client the standard streams of a running container; any number of clients at once.
 *
 * Output comes from the log pump while it is logged, so earlier output is not seen. A client that takes no output
 * blocks the container (its pipe fills) for at most 10 s; then the client is dropped with RESOURCE_EXHAUSTED. The
 * end of a client's input closes the container's stdin if that is stdin_once without a tty; else it ends the attach.
 * Spec: CRI v1 RuntimeService.Attach, ContainerConfig.stdin_once. */
#ifndef PROCS_ATTACH_H
#define PROCS_ATTACH_H

#include "procs/container.h"
#include "procs/streams.h"

/* want->tty is ignored: the container has a tty or not. `ended`: the container ended (e NULL), or
 * FAILED_PRECONDITION (it does not run), RESOURCE_EXHAUSTED. */
struct stdio *attach_start(struct container *container, const struct stdio_want *want,
			   const struct stdio_events *events, void *arg);

#endif
