/* gc.c - see gc.h. Marks what images and snapshots use, then removes all other layers, blobs and partial downloads. */
#include "images/gc.h"

#include <string.h>

#include "images/content.h"
#include "images/layer.h"
#include "images/pull.h"
#include "images/snapshot.h"
#include "images/store.h"
#include "images/unused.h"
#include "reactor/log.h"
#include "reactor/loop.h"
#include "reactor/map.h"

enum {
	SWEEP_MS = 600 * 1000, /* how often the age of kept things is looked at when the bell is silent */
	KEEP_S = 3600,         /* how long the leftovers of a failed or cancelled pull wait for its next try */
};

static struct timer timer;

static void gc_sweep(struct timer *t);

static void gc_soon(void)
{
	timer_set(&timer, 0, gc_sweep);
}

void gc_open(void)
{
	unused_on_ring(gc_soon);
}

static void mark_strings(struct map *used, const struct strings *s)
{
	for (size_t i = 0; i < s->n; i++)
		map_put(used, s->at[i], used);
}

static void mark_image(void *arg, const struct image *img)
{
	struct map *used = arg;

	mark_strings(used, &img->layers);
	mark_strings(used, &img->blobs);
}

static void mark_snapshot(void *arg, const struct strings *layer_dirs)
{
	mark_strings(arg, layer_dirs);
}

/* A kept layer (layer.h) waits an hour for the next try of its pull. A kept layer of another boot does not wait: no
 * sync has made sure that its bytes are on the disk. */
static void sweep_layer(void *arg, struct layer *l)
{
	bool young = l->kept && layer_of_this_boot(l) && loop_mono_ns() - l->made_ns < (int64_t)KEEP_S * 1000000000;

	if (l->holds == 0 && !young && !map_get(arg, l->dir))
		layer_remove(l);
}

static void sweep_blob(void *arg, const char *digest)
{
	if (!map_get(arg, digest))
		content_remove(digest);
}

static void gc_sweep(struct timer *t)
{
	struct map used = { 0 };

	if (!store_is_open() || !snapshot_is_open()) /* the open that comes last rings again */
		return;
	if (store_unread() || snapshot_any_lost()) {
		/* Layers and blobs that only that record names look unused: remove nothing. (ARCHITECTURE H9) */
		log_warn("gc_left_out error=\"a record of an image or a snapshot cannot be read\"");
		return;
	}
	store_each(mark_image, &used);
	snapshot_each_layers(mark_snapshot, &used);
	layer_each(sweep_layer, &used);
	if (!pull_busy()) /* a running pull has blobs that no image names yet */
		content_each(sweep_blob, &used);
	pull_sweep_partials(KEEP_S);
	map_free(&used);
	timer_set(t, SWEEP_MS, gc_sweep);
}
