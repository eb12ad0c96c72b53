/* unpack_layer.h - the jobs of crisp-unpack that make layer directories.
 *
 * Both leave <root>/ingest/<name>/fs, finished; or, for a layer that waits for its parents, <root>/ingest/<name> with
 * `fs` and `need` (unpack_report.h) in it. After a failure nothing is left. */
#ifndef IMAGES_UNPACK_LAYER_H
#define IMAGES_UNPACK_LAYER_H

#include <stdbool.h>
#include <stdint.h>

#include "reactor/err.h"

struct layer_spec {
	const char *root, *name;
	const char *from;    /* merge: name of the unfinished layer below <root>/layers */
	const char *parents; /* names below <root>/layers, colons between, lowest first; NULL: not known */
	const char *min_free;
	/* untar only */
	const char *digest, *diff_id, *media_type;
	uint64_t size_bytes, max_bytes, blob_bytes;
	int blob_fd; /* -1: none, else its first blob_bytes bytes come before what is on fd 0 */
};

struct layer_result {
	uint64_t bytes, inodes, xattrs_left_out;
	bool self_contained, finished;
};

int layer_untar(const struct layer_spec *s, struct layer_result *out, struct err *e);
int layer_merge(const struct layer_spec *s, struct layer_result *out, struct err *e);

#endif
