/* sandbox_flow.h - RunPodSandbox, StopPodSandbox and RemovePodSandbox as operations that several calls may wait for.
 *
 * An operation runs to its end even when every client that waits for it has left. (ARCHITECTURE H1, H2) */
#ifndef HANDLERS_SANDBOX_FLOW_H
#define HANDLERS_SANDBOX_FLOW_H

#include "api.pb-c.h"
#include "handlers/rpc.h"
#include "procs/sandbox.h"

/* Answers the rpc with the sandbox's id. Where a sandbox with the same metadata exists: a call with an equal config
 * joins it while it is being made, and gets its id once it is READY. Another config, or a sandbox that is NOTREADY, is
 * ALREADY_EXISTS. sent: the config as it came, for a runtime that is to make the sandbox (RUNTIME_SANDBOX_API). */
void sandbox_flow_run(struct rpc *rpc, const struct sandbox_config *config, const Runtime__V1__PodSandboxConfig *sent);

/* Kills the containers without a grace time, then gives network and namespaces back. Joins a stop or a removal that
 * runs already. Where the sandbox is still being made, its network is given up, and the calls that wait for it get
 * ABORTED. */
void sandbox_flow_stop(struct rpc *rpc, struct sandbox *sandbox);

/* As a stop, but the containers and the sandbox are removed too. A stop that runs already becomes a removal. */
void sandbox_flow_remove(struct rpc *rpc, struct sandbox *sandbox);

/* The removal of a sandbox that no client asked for (recover.c). `done` runs once, when the removal succeeded or
 * failed; an error is logged. */
void sandbox_flow_discard(struct sandbox *sandbox, void (*done)(void *arg), void *arg);

#endif
