/* export.h - images of the store as one archive: an OCI layout that has docker's manifest.json too.
 *
 * The compressed layers of a pull are not kept, so each layer is packed anew from its directory: a plain tar with
 * sorted names. Content, owners, modes and times are the same, but digests and so the image's id are others than those
 * of the registry. The same layer gives the same tar on every node. (ARCHITECTURE I61)
 * Specs: OCI image-spec image-layout.md, annotations.md "org.opencontainers.image.ref.name". */
#ifndef IMAGES_EXPORT_H
#define IMAGES_EXPORT_H

#include "reactor/err.h"
#include "reactor/fields.h"

struct export; /* gone once `done` ran or export_cancel() returned */

/* ids: of the images in the archive, in the order of refs.
 *   NOT_FOUND            there is no such image
 *   INVALID_ARGUMENT     more images than an archive may have to be imported
 *   FAILED_PRECONDITION  the image's config or a layer is not here any more, or a layer is broken (audit.h)
 *   RESOURCE_EXHAUSTED   the disk is full, or has less than images.min_free
 *   UNAVAILABLE          another export runs; the keeper is away
 *   INTERNAL */
typedef void export_done(void *arg, const struct err *e, const struct strings *ids);

/* refs as for store_find(); path: of the new file, absolute. An older file is replaced when the new one is whole. All
 * is copied. */
struct export *export_start(const struct strings *refs, const char *path, export_done *done, void *arg);
void export_cancel(struct export *export);

#endif
