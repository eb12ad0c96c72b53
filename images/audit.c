/* audit.c - see audit.h.
 *
 *   VERIFY ---all layers were looked at---> TELL
 *     +-----the same, with repair---> PULL ---all images were tried---> TELL
 *
 * Waits on: the next turn (VERIFY, PULL), a child that reads one layer (VERIFY), a pull (PULL). Layers and images that
 * go meanwhile are passed over. */
#include "images/audit.h"

#include <inttypes.h>
#include <string.h>

#include "images/layer.h"
#include "images/pull.h"
#include "images/snapshot.h"
#include "images/store.h"
#include "images/unpack.h"
#include "images/unused.h"
#include "reactor/arena.h"
#include "reactor/log.h"
#include "reactor/loop.h"
#include "reactor/map.h"
#include "reactor/own.h"
#include "reactor/sm.h"

enum audit_state { VERIFY, PULL, TELL };

static const struct sm_state audit_states[] = {
	[VERIFY] = { "VERIFY", TO(PULL) | TO(TELL) },
	[PULL] = { "PULL", TO(TELL) },
	[TELL] = { "TELL", 0 },
};

struct audit_layer {
	const char *dir;
	const char *why; /* it is broken; NULL: it is not */
	bool imaged;     /* an image had it before the pulls */
	const char *image; /* the name of one that has it, as counted last */
	size_t images, snapshots;
};

struct audit_image {
	const char *id;
	struct strings names; /* with digests, by which it is pulled; those that failed are left out */
	size_t tried;
	const char *error;    /* of the last try */
};

struct audit {
	struct sm sm;
	struct arena *arena;
	bool repair;
	struct audit_layer *layers;
	struct map broken;        /* dir -> its struct audit_layer */
	struct audit_image *images;
	size_t nlayers, at;       /* the layer, then the image at work */
	size_t nimages;
	struct unpack_task *task; /* the layer at work is held meanwhile */
	struct pull *pull;
	struct timer soon;
	struct audit_finding *findings;
	struct audit_result result;
	audit_done *done;
	void *arg;
};

static void audit_free(struct audit *a)
{
	timer_clear(&a->soon);
	map_free(&a->broken);
	arena_free(a->arena);
	free(a);
}

static void audit_release(struct audit *a)
{
	layer_release(layer_by_dir(a->layers[a->at].dir));
	unused_ring(); /* it may have lost its last image meanwhile */
}

void audit_cancel(struct audit *a)
{
	if (a->task) {
		unpack_task_cancel(a->task);
		audit_release(a);
	}
	if (a->pull)
		pull_cancel(a->pull);
	audit_free(a);
}

/* ---- what is told ---- */

static void audit_tell(struct audit *a, bool mended, const char *text)
{
	log_info("audit found=%s mended=%d", log_quote(text), mended);
	a->findings[a->result.n++] = (struct audit_finding){ mended, text };
}

static const char *image_name(const struct image *img)
{
	return img->tags.n ? img->tags.at[0] : img->digests.n ? img->digests.at[0] : img->id;
}

static void count_image(void *arg, const struct image *img)
{
	struct audit *a = arg;

	for (size_t i = 0; i < img->layers.n; i++) {
		struct audit_layer *l = map_get(&a->broken, img->layers.at[i]);

		if (!l)
			continue;
		l->images++;
		l->image = image_name(img);
	}
}

static void count_snapshot(void *arg, const struct strings *layers)
{
	struct audit *a = arg;

	for (size_t i = 0; i < layers->n; i++) {
		struct audit_layer *l = map_get(&a->broken, layers->at[i]);

		if (l)
			l->snapshots++;
	}
}

/* Who uses the broken layers now. Images and snapshots are asked once for all of them. */
static void audit_count_users(struct audit *a)
{
	for (size_t i = 0; i < a->nlayers; i++) {
		a->layers[i].images = a->layers[i].snapshots = 0;
		if (a->layers[i].why)
			map_put(&a->broken, a->layers[i].dir, &a->layers[i]);
	}
	if (!a->broken.used)
		return;
	store_each(count_image, a);
	snapshot_each_layers(count_snapshot, a);
}

static const char *audit_users(struct audit *a, const struct audit_layer *l)
{
	if (l->images == 1)
		return arena_printf(a->arena, "; image %.300s has it", l->image);
	if (l->images > 1)
		return arena_printf(a->arena, "; image %.300s and %zu more have it", l->image, l->images - 1);
	return "";
}

static void audit_tell_layer(struct audit *a, const struct audit_layer *l)
{
	const char *run = "";
	/* What nothing uses is removed by the sweep (gc.h). */
	bool mended = l->images == 0 && (l->imaged || l->snapshots == 0);

	if (l->snapshots)
		run = arena_printf(a->arena, "; %zu containers run on it until they are made anew", l->snapshots);
	audit_tell(a, mended, arena_printf(a->arena, "layer %s %s%s%s", l->dir, l->why, audit_users(a, l), run));
}

static void audit_tell_all(struct audit *a)
{
	sm_move(&a->sm, TELL);
	audit_count_users(a);
	for (size_t i = 0; i < a->nlayers; i++)
		if (a->layers[i].why)
			audit_tell_layer(a, &a->layers[i]);
	for (size_t i = 0; i < a->nimages; i++)
		if (a->images[i].error)
			audit_tell(a, false, arena_printf(a->arena, "image %.300s was not pulled again: %s",
							  a->images[i].id, a->images[i].error));
	unused_ring();
	a->result.findings = a->findings;
	a->done(a->arg, &a->result);
	audit_free(a);
}

/* ---- the images ---- */

static void audit_pull(struct timer *t);

static void on_audit_pulled(void *arg, const struct err *e, const char *id)
{
	struct audit *a = arg;
	struct audit_image *image = &a->images[a->at];

	a->pull = NULL;
	image->error = e ? arena_strdup(a->arena, e->msg) : NULL;
	if (!e && strcmp(id, image->id) != 0)
		image->error = arena_printf(a->arena, "its name gives image %.19s on this machine", id);
	timer_set(&a->soon, 0, audit_pull);
}

static void audit_pull(struct timer *t)
{
	static const struct registry_auth none = { "", "", "", "", "", "", false };
	struct audit *a = container_of(t, struct audit, soon);

	for (; a->at < a->nimages; a->at++) {
		struct audit_image *image = &a->images[a->at];
		const struct image *now = store_find(image->id);

		if (!now || store_whole(now)) {
			image->error = NULL;
			continue;
		}
		if (image->tried < image->names.n) {
			a->pull = pull_start(image->names.at[image->tried++], &none, on_audit_pulled, a);
			return;
		}
		if (!image->error)
			image->error = "it has no name with a digest";
	}
	audit_tell_all(a);
}

static void audit_add_image(void *arg, const struct image *img)
{
	struct audit *a = arg;
	struct audit_image *image = &a->images[a->nimages];

	if (store_whole(img))
		return;
	image->id = arena_strdup(a->arena, img->id);
	image->names.at = arena_zalloc(a->arena, (img->digests.n + 1) * sizeof(*image->names.at));
	for (size_t i = 0; i < img->digests.n; i++)
		image->names.at[image->names.n++] = arena_strdup(a->arena, img->digests.at[i]);
	a->nimages++;
}

static void count_one(void *arg, const struct image *img)
{
	(void)img;
	++*(size_t *)arg;
}

static void audit_verified(struct audit *a)
{
	struct audit_finding *more;
	size_t images = 0;

	store_each(count_one, &images);
	more = arena_zalloc(a->arena, (2 * a->nlayers + images + 1) * sizeof(*more));
	if (a->result.n)
		memcpy(more, a->findings, a->result.n * sizeof(*more));
	a->findings = more;
	audit_count_users(a);
	for (size_t i = 0; i < a->nlayers; i++)
		a->layers[i].imaged = a->layers[i].images > 0;
	if (!a->repair)
		return audit_tell_all(a);
	sm_move(&a->sm, PULL);
	a->images = arena_zalloc(a->arena, (images + 1) * sizeof(*a->images));
	store_each(audit_add_image, a);
	a->at = 0;
	timer_set(&a->soon, 0, audit_pull);
}

/* ---- the layers ---- */

static void audit_verify(struct timer *t);

static void audit_break(struct audit *a, struct layer *l, const char *why)
{
	struct err e;

	log_warn("layer_broken dir=%s diff_id=%.19s error=%s", l->dir, l->diff_id, log_quote(why));
	a->layers[a->at].why = why;
	if (layer_break(l, &e) < 0)
		audit_tell(a, false, arena_printf(a->arena, "layer %s is broken, which cannot be written down: %s",
						  l->dir, e.msg));
}

static void on_audit_sum(void *arg, const struct err *e, const char *sum)
{
	struct audit *a = arg;
	struct layer *l = layer_by_dir(a->layers[a->at].dir);

	a->task = NULL;
	a->result.layers++;
	if (e && e->code != ERR_DATA_LOSS)
		audit_tell(a, false, arena_printf(a->arena, "layer %s could not be verified: %s", l->dir, e->msg));
	else if (e)
		audit_break(a, l, arena_printf(a->arena, "cannot be read: %s", e->msg));
	else if (strcmp(sum, l->sum) != 0)
		audit_break(a, l, "is not as it was unpacked");
	audit_release(a);
	a->at++;
	timer_set(&a->soon, 0, audit_verify);
}

/* false: it is done with at once. */
static bool audit_verify_one(struct audit *a, struct layer *l)
{
	if (l->broken) {
		a->layers[a->at].why = "was broken already";
		return false;
	}
	if (!*l->sum) {
		a->result.unverified++;
		return false;
	}
	layer_hold(l);
	a->task = unpack_sum(l->dir, on_audit_sum, a);
	return true;
}

static void audit_verify(struct timer *t)
{
	struct audit *a = container_of(t, struct audit, soon);

	for (; a->at < a->nlayers; a->at++) {
		struct layer *l = layer_by_dir(a->layers[a->at].dir);

		if (l && audit_verify_one(a, l))
			return;
	}
	audit_verified(a);
}

static void audit_count(void *arg, struct layer *l)
{
	(void)l;
	++*(size_t *)arg;
}

static void audit_note(void *arg, struct layer *l)
{
	struct audit *a = arg;

	if (!l->unfinished)
		a->layers[a->nlayers++].dir = arena_strdup(a->arena, l->dir);
}

struct audit *audit_start(bool repair, audit_done *done, void *arg)
{
	struct audit *a = new_zero(struct audit);
	size_t n = 0;

	a->arena = arena_new();
	a->sm = (struct sm){ audit_states, "audit", "layers", VERIFY };
	a->repair = repair;
	a->done = done;
	a->arg = arg;
	layer_each(audit_count, &n);
	a->layers = arena_zalloc(a->arena, (n + 1) * sizeof(*a->layers));
	a->findings = arena_zalloc(a->arena, (n + 1) * sizeof(*a->findings));
	layer_each(audit_note, a);
	timer_set(&a->soon, 0, audit_verify);
	return a;
}
