/* layer.h - the jobs of crisp-unpack that make layer directories.
 *
 * Each job makes the finished <root>/ingest/<name>/fs. Of a layer whose parents are not known yet it makes
 * <root>/ingest/<name> with `fs` and `need` (report.h) in it. After a failure nothing is left. */
#ifndef IMAGES_UNPACK_LAYER_H
#define IMAGES_UNPACK_LAYER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "images/answer.h"
#include "reactor/err.h"

struct layer_spec {
	const char *root, *name;
	const char *from;    /* merge: name of the unfinished layer below <root>/layers */
	const char *parents; /* names below <root>/layers, colons between, lowest first; NULL: not known */
	const char *min_free;
	/* untar only; all three are NULL for a tar whose digests and type are not known */
	const char *digest, *diff_id;
	const char *file; /* NULL, or: the blob is no tar, but this file of the layer */
	uint64_t size_bytes, max_bytes, blob_bytes;
	int blob_fd; /* -1: none, else its first blob_bytes bytes come before those of fd 0 */
	bool grows;  /* struct input_spec.grows */
	int hidden_fd; /* -1, or a file of paths to delete, each followed by a NUL (struct extract_spec.hidden) */
	bool links;      /* struct extract_spec.links */
	bool files_only; /* struct extract_spec.files_only; the result is finished, whatever the report says */
};

int layer_untar(const struct layer_spec *s, struct answer *out, struct err *e);
int layer_merge(const struct layer_spec *s, struct answer *out, struct err *e);

/* The sum of <root>/layers/<name> as it is on the disk: out->digest. Errors of sum_tree(). */
int layer_sum(const struct layer_spec *s, struct answer *out, struct err *e);

/* For an image that was made from an archive of a checkpoint: hard links of the checkpoint's files (config.dump ..,
 * checkpoint/) as the layers `parents` show them together. INVALID_ARGUMENT: one of them is not a file. */
int layer_take(const struct layer_spec *s, struct answer *out, struct err *e);

/* Copies of the directories `paths` of an image whose layers are `parents`, for its VOLUMEs (volumes.h): path i becomes
 * <root>/ingest/NAME/fs/<i>. uids, gids: of shift.h, NULL for none. */
struct layer_volumes_spec {
	const char *uids, *gids;
	char *const *paths;
	int n;
};
int layer_volumes(const struct layer_spec *s, const struct layer_volumes_spec *volumes, struct answer *out,
		  struct err *e);

enum { LAYER_PARENTS_MAX = 512 };

/* Opens <root>/layers/NAME for each name of `list`, which has colons between the names. The caller closes fds[0..*n).
 * INTERNAL. */
int layer_open_parents(int root, const char *list, int fds[LAYER_PARENTS_MAX], size_t *n, struct err *e);

#endif
