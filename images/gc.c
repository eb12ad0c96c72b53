/* gc.c - see gc.h. Marks what images and snapshots use, then sweeps layers, blobs and partial downloads. */
#include "images/gc.h"

#include <string.h>

#include "images/content.h"
#include "images/pull/fetch.h"
#include "images/layer.h"
#include "images/pull.h"
#include "images/snapshot.h"
#include "images/store.h"
#include "reactor/loop.h"
#include "reactor/map.h"

enum { SWEEP_MS = 600 * 1000 }; /* how often kept things are looked at when nothing else calls */

static struct timer timer;

static void sweep(struct timer *t);

void gc_soon(void)
{
	timer_set(&timer, 0, sweep);
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

/* A kept layer waits for the next try of its pull: an hour, in this boot. */
static void sweep_layer(void *arg, struct layer *l)
{
	bool young = l->kept && layer_of_this_boot(l) && loop_mono_ns() - l->made_ns < (int64_t)GC_KEEP_S * 1000000000;

	if (l->holds == 0 && !young && !map_get(arg, l->dir))
		layer_remove(l);
}

static void sweep_blob(void *arg, const char *digest)
{
	if (!map_get(arg, digest))
		content_remove(digest);
}

static void sweep(struct timer *t)
{
	struct map used = { 0 };

	if (!store_is_open() || !snapshot_is_open()) /* the one that opens last calls gc_soon() */
		return;
	store_each(mark_image, &used);
	snapshot_each_layers(mark_snapshot, &used);
	layer_each(sweep_layer, &used);
	if (!pull_busy())
		content_each(sweep_blob, &used);
	fetch_sweep_partials(GC_KEEP_S);
	map_free(&used);
	timer_set(t, SWEEP_MS, sweep);
}
