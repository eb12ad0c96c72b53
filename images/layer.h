/* layer.h - the layer directories we have: <root>/layers/<dir>, each with a record in <root>/layer-records/<dir>.json.
 *
 * A directory that is there is complete: it was renamed into place. Its bytes are on the disk for sure only once an
 * image's record names it (one sync per image); so a layer of another boot that no image names is not trusted. */
#ifndef IMAGES_LAYER_H
#define IMAGES_LAYER_H

#include <stdbool.h>
#include <stdint.h>

#include "reactor/err.h"
#include "reactor/list.h"

struct layer {
	const char *dir;      /* at most 20 bytes */
	const char *diff_id;
	const char *chain_id; /* "": self-contained, fits above any parents. Else: right for this chain only */
	uint64_t bytes, inodes;
	bool unfinished;      /* raw material for unpack_merge_start(), in no image */
	const char *boot_id;  /* when it was made */
	bool kept;            /* a pull made it and no image names it yet: stays for the next try */
	int64_t made_ns;      /* monotonic; of kept ones */
	int holds;            /* pulls that are about to use it */
	struct link link;     /* of the table */
	struct arena *arena;
};

/* Makes the directories, reads the records; directories without a record, and records without a directory, go. What was
 * known before is forgotten. INTERNAL. */
int layer_open(const char *root, struct err *e);

/* For a layer in this place of an image: self-contained with this diff_id, or made for this chain. NULL: we have none.
 */
struct layer *layer_find(const char *diff_id, const char *chain_id);
struct layer *layer_find_unfinished(const char *diff_id);
struct layer *layer_by_dir(const char *dir);

/* A new entry for what stands at layers/<spec->dir>; all of it is copied. The entry is kept. INTERNAL: the record. */
struct layer *layer_add(const struct layer *spec, struct err *e);

void layer_hold(struct layer *l);
void layer_release(struct layer *l);

/* Forgets it and removes the directory in a child. Nobody may hold it. */
void layer_remove(struct layer *l);

void layer_each(void (*fn)(void *arg, struct layer *l), void *arg); /* fn may remove it */

/* A layer that is not on any image's list and was made in another boot may be damaged. */
bool layer_of_this_boot(const struct layer *l);

#endif
