/* join.h - the namespaces that a container joins: chosen at create, looked up again at start.
 *
 * config.json names them by paths in /proc, of the anchor, the keeper or another container's first process, and weeks
 * may pass until the container is started. Specs: CRI v1 NamespaceOption; OCI runtime-spec, config-linux.md
 * "Namespaces". (ARCHITECTURE P10) */
#ifndef PROCS_JOIN_H
#define PROCS_JOIN_H

#include "procs/container.h"
#include "procs/spec.h"
#include "reactor/err.h"

/* The sandbox's namespaces, with the PID namespace that the container asks for; their paths are noted in
 * container->joined. In the container's arena.
 *   INVALID_ARGUMENT     the target is no container of this sandbox, or there is no such mode
 *   FAILED_PRECONDITION  the target does not run
 *   INTERNAL             a namespace of the sandbox is gone */
int join_namespaces(struct container *container, struct spec_namespaces *out, struct err *e);

/* Just before the OCI runtime reads config.json: writes it again if a path has changed (another process holds the fds).
 * The namespace of a target is opened while the target lives, and the path given is that of an fd of this daemon, so
 * that it cannot be a later process with the same pid. *fd stays open until the runtime is done, -1: none is needed;
 * owned by the caller.
 *   UNAVAILABLE          there is no keeper, so nothing could be started
 *   FAILED_PRECONDITION  the target does not run any more
 *   INTERNAL             as above; the file (ARCHITECTURE P11) */
int join_again(struct container *container, int *fd, struct err *e);

/* An fd of the anchor or the keeper by which config.json names a namespace is gone, since that process has died: a
 * runtime that fails then says nothing about the container. (ARCHITECTURE K51) */
bool join_is_gone(const struct container *container);

#endif
