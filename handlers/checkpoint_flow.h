/* checkpoint_flow.h - CheckpointContainer: one archive with the processes (procs/checkpoint.h), the writable layer and
 * the files that describe the container (checkpoint_dump.h).
 *
 * Spec: CRI v1 RuntimeService.CheckpointContainer; the layout is that of Podman, CRI-O and checkpointctl. */
#ifndef HANDLERS_CHECKPOINT_FLOW_H
#define HANDLERS_CHECKPOINT_FLOW_H

#include <stdbool.h>
#include <stdint.h>

#include "procs/container.h"
#include "reactor/err.h"

/* checkpoint.enabled and checkpoint.restore_from_image of the configuration. Called once, at start. */
void checkpoint_flow_open(bool enabled, bool restore_from_image);
int checkpoint_flow_allowed(struct err *e); /* FAILED_PRECONDITION: checkpoint.enabled is false; for restores too */
/* For a restore from an image, which everybody may choose who creates pods. FAILED_PRECONDITION: the second key. */
int checkpoint_flow_image_allowed(struct err *e);

typedef void checkpoint_flow_done(void *arg, const struct err *e);

/* The container runs on, after a failure too. The file at `location` is either whole or as it was before the call.
 * timeout_ms 0: 10 minutes. `done` runs exactly once, never inside the call; there is no cancel.
 *   INVALID_ARGUMENT     location is not absolute, is not a regular file, or its directory does not exist
 *   FAILED_PRECONDITION  checkpoint_flow_allowed(); the container does not run
 *   FAILED_PRECONDITION, ABORTED, DEADLINE_EXCEEDED, INTERNAL   as checkpoint_start()
 *   RESOURCE_EXHAUSTED   the disk is full */
void checkpoint_flow(struct container *container, const char *location, int64_t timeout_ms, checkpoint_flow_done *done,
		     void *arg);

#endif
