/* join.h - the namespaces that a container does not have for itself: chosen at create, found again at start.
 *
 * config.json names them by paths in /proc, of the keeper or of another container's first process, and weeks may pass
 * until the container is started. Specs: CRI v1 NamespaceOption; OCI runtime-spec, config-linux.md "Namespaces". */
#ifndef PROCS_JOIN_H
#define PROCS_JOIN_H

#include "procs/container.h"
#include "procs/spec.h"
#include "reactor/err.h"

/* Those of the sandbox, but pid where the container asks for another; notes in c where they are. In c's arena.
 *   INVALID_ARGUMENT     the target is no container of this sandbox, or the mode is none
 *   FAILED_PRECONDITION  the target does not run
 *   INTERNAL             one of the sandbox's is gone */
int join_namespaces(struct container *c, struct spec_namespaces *out, struct err *e);

/* Just before the OCI runtime reads config.json: writes it again where one has moved since (another keeper has the
 * fds). A target's is opened while its process lives and told as an fd of ours, so that no other process with that pid
 * can be meant: *fd stays open until the runtime is done, -1 where none is needed; owned by the caller.
 *   UNAVAILABLE          there is no keeper, so nothing could be started
 *   FAILED_PRECONDITION  the target does not run any more
 *   INTERNAL             as above; the file */
int join_again(struct container *c, int *fd, struct err *e);

#endif
