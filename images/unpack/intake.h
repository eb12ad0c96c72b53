/* intake.h - the job of crisp-unpack that takes images from the node's own disk: an archive, or an OCI layout. */
#ifndef IMAGES_UNPACK_INTAKE_H
#define IMAGES_UNPACK_INTAKE_H

#include "images/unpack/layer.h"
#include "reactor/err.h"

/* Makes <root>/ingest/<name>/fs from `path`: a tar (plain, gzip or zstd) with files, directories and symbolic links, of
 * which none is followed; or a directory, of which index.json, oci-layout and the files of blobs/sha256 are copied.
 * INVALID_ARGUMENT: the tar is damaged or has anything else in it; RESOURCE_EXHAUSTED: s->max_bytes, s->min_free;
 * FAILED_PRECONDITION: it cannot be read, or is neither; INTERNAL. */
int intake(const struct layer_spec *s, const char *path, struct answer *out, struct err *e);

/* The sha256 of a file. FAILED_PRECONDITION: it cannot be read. */
int intake_digest(const char *path, struct answer *out, struct err *e);

#endif
