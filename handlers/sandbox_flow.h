/* sandbox_flow.h - RunPodSandbox, StopPodSandbox and RemovePodSandbox as operations that several calls may wait for.
 * They run on when their callers leave. */
#ifndef HANDLERS_SANDBOX_FLOW_H
#define HANDLERS_SANDBOX_FLOW_H

#include "handlers/rpc.h"
#include "procs/sandbox.h"

/* Answers r with the id. A call with the metadata of a sandbox that is being made, or is READY, joins it when the
 * configs are equal; another config is ALREADY_EXISTS, and so is a NOTREADY one of that name. */
void sandbox_flow_run(struct rpc *r, const struct sandbox_config *config);

/* Containers are stopped at once, then network and namespaces go. Joins a stop or a removal that runs. */
void sandbox_flow_stop(struct rpc *r, struct sandbox *s);

/* Stop, then the containers and the sandbox are removed. A stop that runs becomes a removal. */
void sandbox_flow_remove(struct rpc *r, struct sandbox *s);

/* Recovery: the same without a caller; `done` runs once when it ended, whatever came of it (an error is logged). */
void sandbox_flow_discard(struct sandbox *s, void (*done)(void *arg), void *arg);

#endif
