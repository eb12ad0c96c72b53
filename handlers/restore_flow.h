/* restore_flow.h - CreateContainer from a checkpoint: image.image is the absolute path of an archive, or an image
 * made of one (by its annotation, images/manifest.h).
 *
 * Name, labels, annotations, mounts, limits and security are the request's, as everywhere; the root file system is
 * that of the checkpoint's image, pulled without credentials if it is not here, with the changes that the archive has;
 * StartContainer then takes up the processes instead of starting one. Archives of CRI-O and containerd do as well
 * (checkpoint_dump.h). What CRIU restores is what stands in the archive, credentials too: whoever may name one here
 * must be trusted like root. Spec: none; the manner of containerd (container_checkpoint_linux.go) and CRI-O
 * (container_restore.go). */
#ifndef HANDLERS_RESTORE_FLOW_H
#define HANDLERS_RESTORE_FLOW_H

#include <stdbool.h>

#include "handlers/rpc.h"
#include "procs/container.h"

bool restore_wanted(const struct container_config *config);
/* One of that name is being made from a checkpoint: restore_flow() joins it, or says that it is another. */
bool restore_under_way(const struct sandbox *s, const struct container_config *config);

/* Answers r with the container's id. Equal requests join. Errors leave nothing behind:
 *   FAILED_PRECONDITION  checkpoints are switched off, no such file, its image is not in its registry or not for
 *                        everybody, the sandbox is not READY or has a user namespace
 *   UNAVAILABLE, DATA_LOSS, INTERNAL  its image is pulled (pull.h)
 *   INVALID_ARGUMENT     not a checkpoint, or of an image without a name; other mounts or another terminal than it
 *                        was made with; as create_flow()
 *   ALREADY_EXISTS       as create_flow()
 *   RESOURCE_EXHAUSTED   images.max_layer_bytes, min_free */
void restore_flow(struct rpc *r, struct sandbox *s, const struct container_config *config);

#endif
