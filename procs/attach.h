/* attach.h - the standard streams that a running container has, at a client; any number of clients at once.
 *
 * Output comes from the log pump as it goes by, so nothing from before is seen. A client that takes nothing holds the
 * container up (its pipe fills) for at most 10 s, then it is dropped with RESOURCE_EXHAUSTED.
 * The end of a client's input ends the container's when that is stdin_once without a tty; else it ends the attach.
 * Spec: CRI v1 RuntimeService.Attach, ContainerConfig.stdin_once. */
#ifndef PROCS_ATTACH_H
#define PROCS_ATTACH_H

#include "procs/container.h"
#include "procs/streams.h"

/* want->tty is the container's own and not looked at. `ended`: the container ended (e NULL), or FAILED_PRECONDITION (it
 * does not run), RESOURCE_EXHAUSTED. */
struct stdio *attach_start(struct container *c, const struct stdio_want *want, const struct stdio_events *events,
			   void *arg);

#endif
