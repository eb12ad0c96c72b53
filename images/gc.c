/* gc.c - see gc.h. Marks what images and snapshots use, then removes all other layers, blobs and partial downloads.
 *
 * A turn of the loop removes AT_ONCE of them at most and marks anew: a pull may have taken one meanwhile. For a layer
 * it removes the record and renames the directory; a child with the lowest priority removes the files.
 * What cannot be removed, on a file system that turned read-only for example, is left for a later sweep: the turns go
 * on only as long as each of them removes something. (ARCHITECTURE I62, I90)
 */
#include "images/gc.h"

#include <fcntl.h>
#include <string.h>

#include "images/config.h"
#include "images/content.h"
#include "images/layer.h"
#include "images/pull.h"
#include "images/snapshot.h"
#include "images/space.h"
#include "images/store.h"
#include "images/unused.h"
#include "reactor/list.h"
#include "reactor/log.h"
#include "reactor/loop.h"
#include "reactor/map.h"
#include "reactor/own.h"

enum {
	SWEEP_MS = 600 * 1000, /* how often the age of kept things is looked at when the bell is silent */
	KEEP_S = 3600,         /* how long the leftovers of a failed or cancelled pull wait for its next try */
	NEAR_PERCENT = 12,     /* with less than images.min_free and so much free they wait SHORT_S only */
	SHORT_S = 60,
	AT_ONCE = 16,          /* layers and blobs a turn: about a millisecond */
};

static struct timer timer;

struct sweep {
	struct map used;
	int removed, failed; /* in this turn */
	int64_t keep_s;
	bool dry_run; /* nothing is removed, so all is counted in one turn */
	bool more;    /* some are left for the next turn */
	struct gc_freed freed;
};

struct gc {
	struct timer timer;
	bool dry_run;
	struct gc_freed freed;
	gc_done *done;
	void *arg;
};

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
	struct sweep *s = arg;

	mark_strings(&s->used, &img->layers);
	mark_strings(&s->used, &img->blobs);
}

static void mark_snapshot(void *arg, const struct strings *layer_dirs)
{
	struct sweep *s = arg;

	mark_strings(&s->used, layer_dirs);
}

/* Is an unused object to be removed in this turn, or counted? */
static bool sweep_goes_on(struct sweep *s)
{
	s->more |= !s->dry_run && s->removed == AT_ONCE;
	return !s->more && s->failed < AT_ONCE;
}

static void sweep_count(struct sweep *s, bool gone, uint32_t *count, uint64_t bytes)
{
	if (!gone) {
		s->failed++;
		return;
	}
	s->removed++;
	s->freed.bytes += bytes;
	++*count;
}

/* Pulls that fail on purpose must not bring the node to where the kubelet removes images and evicts pods, at 15 % with
 * its defaults: it does not see their leftovers. (ARCHITECTURE I75) */
static bool disk_is_short(void)
{
	auto_fd int fd = open(images_config()->root, O_PATH | O_DIRECTORY | O_CLOEXEC);
	struct space keep;
	struct err e;

	return fd >= 0 && space_parse(images_config()->min_free, &keep, &e) == 0 &&
	       space_is_near(&keep, NEAR_PERCENT, fd);
}

/* A kept layer (layer.h) waits for the next try of its pull. A kept layer of another boot does not wait: no
 * sync has made sure that its bytes are on the disk. */
static void sweep_layer(void *arg, struct layer *l)
{
	struct sweep *s = arg;
	bool young = l->kept && layer_of_this_boot(l) && loop_mono_ns() - l->made_ns < s->keep_s * 1000000000;

	if (l->holds > 0 || young || map_get(&s->used, l->dir) || !sweep_goes_on(s))
		return;
	sweep_count(s, true, &s->freed.layers, l->bytes);
	if (!s->dry_run)
		layer_remove(l);
}

static void sweep_blob(void *arg, const char *digest)
{
	struct sweep *s = arg;
	uint64_t bytes;

	if (map_get(&s->used, digest) || !sweep_goes_on(s))
		return;
	bytes = content_space(digest);
	sweep_count(s, s->dry_run || content_remove(digest), &s->freed.blobs, bytes);
}

static void sweep_partial(void *arg, const char *digest, uint64_t bytes)
{
	struct sweep *s = arg;

	if (sweep_goes_on(s))
		sweep_count(s, s->dry_run || pull_drop_partial(digest), &s->freed.partials, bytes);
}

static void sweep_turn(struct sweep *s)
{
	store_each(mark_image, s);
	snapshot_each_layers(mark_snapshot, s);
	layer_each(sweep_layer, s);
	s->freed.pulling = pull_busy(); /* a running pull has blobs that no image names yet */
	if (!s->more && !s->freed.pulling)
		content_each(sweep_blob, s);
	if (!s->more)
		pull_each_partial(s->keep_s, sweep_partial, s);
	map_free(&s->used);
}

/* Layers and blobs that only that record names look unused: remove nothing. (ARCHITECTURE H9) */
static bool gc_is_blind(void)
{
	return store_unread() || snapshot_any_lost();
}

static void gc_sweep(struct timer *t)
{
	struct sweep s = { 0 };

	if (!store_is_open() || !snapshot_is_open()) /* the open that comes last rings again */
		return;
	if (gc_is_blind()) {
		log_warn("gc_left_out error=\"a record of an image or a snapshot cannot be read\"");
		return;
	}
	s.keep_s = disk_is_short() ? SHORT_S : KEEP_S;
	sweep_turn(&s);
	timer_set(t, s.more ? 0 : s.keep_s == SHORT_S ? SHORT_S * 1000 : SWEEP_MS, gc_sweep);
}

/* ---- on request ---- */

static void gc_end(struct gc *g, const struct err *e)
{
	g->done(g->arg, e, &g->freed);
	gc_cancel(g);
}

static void on_gc_turn(struct timer *t)
{
	struct gc *g = container_of(t, struct gc, timer);
	struct sweep s = { .dry_run = g->dry_run, .freed = g->freed };
	struct err e;

	if (!store_is_open() || !snapshot_is_open()) {
		err_set(&e, ERR_UNAVAILABLE, "the images are not read yet");
		return gc_end(g, &e);
	}
	if (gc_is_blind()) {
		err_set(&e, ERR_FAILED_PRECONDITION, "a record of an image or a snapshot cannot be read");
		return gc_end(g, &e);
	}
	sweep_turn(&s);
	g->freed = s.freed;
	if (s.more) {
		timer_set(&g->timer, 0, on_gc_turn);
	} else if (s.failed) {
		err_set(&e, ERR_INTERNAL, "what cannot be removed was left: see blob_left and partial_left in the log");
		gc_end(g, &e);
	} else {
		gc_end(g, NULL);
	}
}

struct gc *gc_start(bool dry_run, gc_done *done, void *arg)
{
	struct gc *g = new_zero(struct gc);

	g->dry_run = dry_run;
	g->done = done;
	g->arg = arg;
	timer_set(&g->timer, 0, on_gc_turn);
	return g;
}

void gc_cancel(struct gc *g)
{
	timer_clear(&g->timer);
	free(g);
}
