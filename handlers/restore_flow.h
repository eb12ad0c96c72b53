/* restore_flow.h - CreateContainer from a checkpoint: image.image is the absolute path of an archive, or an image that
 * was made of an archive (its annotation says so, images/manifest.h).
 *
 * Name, labels, annotations, mounts, limits and security come from the request, as for every container. The root file
 * system is the image of the checkpointed container, pulled without credentials if the store does not have it, with the
 * changes that the archive holds. StartContainer then restores the processes instead of starting a process, and
 * compares their credentials with the request before they run (procs/restored.h). Archives of CRI-O and containerd work
 * too (checkpoint_dump.h). Spec: none; as containerd (container_checkpoint_linux.go) and CRI-O
 * (container_restore.go) do it. (ARCHITECTURE C6, C7, C20) */
#ifndef HANDLERS_RESTORE_FLOW_H
#define HANDLERS_RESTORE_FLOW_H

#include <stdbool.h>

#include "handlers/rpc.h"
#include "procs/container.h"

bool restore_wanted(const struct container_config *config);
/* A container of that name is being restored: restore_flow() joins it, or answers that its config is another. */
bool restore_under_way(const struct sandbox *sandbox, const struct container_config *config);

/* Answers the rpc with the container's id. Equal requests join. Errors leave nothing behind:
 *   FAILED_PRECONDITION  checkpoints, or those of images, are switched off; the file does not exist; the image of the
 *                        checkpointed container is not in its registry, or the registry wants credentials; the sandbox
 *                        is not READY or has a user namespace
 *   UNAVAILABLE, DATA_LOSS, INTERNAL  the pull of that image failed (pull.h)
 *   INVALID_ARGUMENT     not a checkpoint, or the checkpoint of an image without a name; other mounts or another
 *                        terminal setting than the checkpointed container had; as create_flow()
 *   ALREADY_EXISTS       as create_flow()
 *   RESOURCE_EXHAUSTED   images.max_layer_bytes, min_free */
void restore_flow(struct rpc *rpc, struct sandbox *sandbox, const struct container_config *config);

#endif
