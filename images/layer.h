/* layer.h - the table of layer directories: <root>/layers/<dir>, each with a record <root>/layer-records/<dir>.json.
 *
 * Every directory in the table is complete, for it was renamed into place. Its bytes are on the disk for certain only
 * once an image's record names it: there is one sync per image, just before the record. So a layer of another boot that
 * no image names may be damaged, and is not used. (ARCHITECTURE I4) */
#ifndef IMAGES_LAYER_H
#define IMAGES_LAYER_H

#include <stdbool.h>
#include <stdint.h>

#include "reactor/err.h"
#include "reactor/list.h"

struct layer {
	const char *dir;      /* at most 20 bytes */
	const char *diff_id;
	const char *chain_id; /* "": self-contained, usable above any parents. Else: usable in this chain only */
	uint64_t bytes, inodes;
	bool unfinished;      /* the input of unpack_merge_start(); never part of an image */
	const char *sum;      /* of its content (unpack.h); "": made by a version that took none */
	bool broken;          /* its content is another now: no pull takes it. What uses it goes on to use it */
	const char *boot_id;  /* of the boot that made it */
	bool kept;            /* a pull made it and no image names it yet: it stays for the pull's next try */
	bool on_disk;         /* an image's record names it: a sync came before that record */
	int64_t made_ns;      /* monotonic; of kept ones */
	int holds;            /* how many pulls are about to use it */
	struct link link;     /* of the table */
	struct arena *arena;
};

/* Makes the directories and reads the records. Directories without a record, and records without a directory, are
 * removed. The table's earlier content is forgotten. INTERNAL. */
int layer_open(const char *root, struct err *e);

/* A finished layer for one place of an image: self-contained with this diff_id, or made for this chain. NULL: none
 * that is not broken. */
struct layer *layer_find(const char *diff_id, const char *chain_id);
struct layer *layer_find_unfinished(const char *diff_id);
struct layer *layer_by_dir(const char *dir);

/* A new entry, with kept set, for the directory layers/<spec->dir>; all of spec is copied. NULL, INTERNAL: the record
 * cannot be written; the directory is removed then. */
struct layer *layer_add(const struct layer *spec, struct err *e);

/* Its content is not what was unpacked: no pull takes it any more, nor what shares its files, also after a restart.
 * INTERNAL: that cannot be written down; then it holds until the restart only. (ARCHITECTURE I64) */
int layer_break(struct layer *layer, struct err *e);

void layer_named(struct layer *layer); /* by an image's record that was written or read: it is no longer kept */

void layer_hold(struct layer *layer);
void layer_release(struct layer *layer);

/* Removes the entry, and in a child the directory. The layer must not be held. */
void layer_remove(struct layer *layer);

void layer_each(void (*fn)(void *arg, struct layer *layer), void *arg); /* fn may remove the layer */

bool layer_of_this_boot(const struct layer *layer);
bool layer_lost(const char *dir); /* a directory whose record could not be read: it is neither used nor removed */
bool layer_unread(const char *dir); /* the same, but the record is not known to be damaged: a later start may read it */

#endif
