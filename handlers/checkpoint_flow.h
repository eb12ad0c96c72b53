/* checkpoint_flow.h - CheckpointContainer: processes (procs/checkpoint.h), the writable layer and the dumps into one
 * archive. Spec: CRI v1 RuntimeService.CheckpointContainer; layout as Podman, CRI-O and checkpointctl have it
 * (checkpoint_dump.h). */
#ifndef HANDLERS_CHECKPOINT_FLOW_H
#define HANDLERS_CHECKPOINT_FLOW_H

#include <stdbool.h>
#include <stdint.h>

#include "procs/container.h"
#include "reactor/err.h"

/* checkpoint.enabled of the configuration, said once at start. */
void checkpoint_flow_open(bool enabled);
int checkpoint_flow_allowed(struct err *e); /* FAILED_PRECONDITION: it is false, here and for restores */

typedef void checkpoint_flow_done(void *arg, const struct err *e);

/* The container runs on, whatever comes of it; `location` is there whole, or as it was before. timeout_ms 0: ours.
 * `done` exactly once, never inside the call; there is no cancel.
 *   INVALID_ARGUMENT     location is not absolute, is a directory, or has no directory to be in
 *   FAILED_PRECONDITION  checkpoint_flow_allowed(); it does not run
 *   FAILED_PRECONDITION, ABORTED, DEADLINE_EXCEEDED, INTERNAL   as checkpoint_start() has them
 *   RESOURCE_EXHAUSTED   the disk is full */
void checkpoint_flow(struct container *c, const char *location, int64_t timeout_ms, checkpoint_flow_done *done,
		     void *arg);

#endif
