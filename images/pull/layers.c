/* layers.c - see job.h. Each layer of the image gets its directory:
 *
 *   missing --fetch--> have                        (a self-contained layer, or the lowest)
 *   missing --fetch--> raw --all layers below are in place, merge--> have
 *
 * Up to images_config()->parallel_downloads fetches run at once. Other pulls may share these fetches (fetch.h) or bring
 * the same layer meanwhile, so each step looks into the table of layers first. */
#include "images/pull/job.h"

#include <string.h>

#include "images/config.h"
#include "images/layer.h"
#include "images/store.h"
#include "images/unused.h"
#include "reactor/arena.h"
#include "reactor/own.h"

/* TRIES: how often one layer is fetched before the pull fails. More than once is needed only when a shared fetch
 * brought the layer for another place (layers_fetch()). */
enum { TRIES = 4 };

static void layers_step(struct pull_job *j);

static void on_layers_step(struct timer *t)
{
	layers_step(container_of(t, struct pull_job, timer));
}

static void layers_settle(struct pull_layer *l, struct layer *have)
{
	l->have = have;
	layer_hold(have);
	l->job->fresh |= !have->on_disk;
	if (!l->raw)
		return;
	/* The merged layer takes its place; images do not use the raw one. */
	l->raw->kept = false;
	layer_release(take_ptr(&l->raw));
	unused_ring();
}

static void on_layer_fetched(void *arg, const struct err *e, struct layer *made)
{
	struct pull_layer *l = arg;

	(void)made; /* layers_step() looks for a layer that fits this place */
	l->fetch = NULL;
	if (e)
		return pull_job_fail(l->job, e);
	timer_set(&l->job->timer, 0, on_layers_step);
}

/* Fetches layer i, false: the pull has failed. The lowest layer has no parents, so the unpacker finishes it at once;
 * any other comes unfinished unless it is self-contained. But the fetch is shared: the image that began it may have the
 * layer at another place. Then a lowest layer comes unfinished, and layers_step() merges it with no parents; or a
 * higher layer comes finished for the lowest place, does not fit, and layers_step() fetches it again. */
static bool layers_fetch(struct pull_job *j, size_t i)
{
	struct pull_layer *l = &j->layers[i];
	const struct descriptor *blob = &j->manifest.layers[i];
	struct fetch_spec spec = { j->registry, j->local ? pull_job_blob(j, blob->digest) : NULL, blob, l->diff_id,
		i == 0 };
	struct err e;

	if (l->tries++ == TRIES) {
		err_set(&e, ERR_INTERNAL, "layer %.19s was unpacked %d times and never for its place in this image",
			spec.blob->digest, TRIES);
		pull_job_fail(j, &e);
		return false;
	}
	l->fetch = fetch_start(&spec, on_layer_fetched, l);
	return true;
}

static void on_layer_merged(void *arg, const struct err *e, const struct unpack_result *r)
{
	struct pull_layer *l = arg;
	struct pull_job *j = l->job;
	struct layer spec, *made;
	struct err why;

	l->merge = NULL;
	if (e)
		return pull_job_fail(j, e);
	spec = (struct layer){ .dir = r->dir,
		.diff_id = l->diff_id,
		.chain_id = l->chain_id,
		.bytes = r->bytes,
		.inodes = r->inodes,
		.sum = r->sum,
		.boot_id = "" };
	made = layer_add(&spec, &why);
	if (!made)
		return pull_job_fail(j, &why);
	layers_settle(l, made);
	timer_set(&j->timer, 0, on_layers_step);
}

static void layers_merge(struct pull_job *j, size_t i)
{
	struct pull_layer *l = &j->layers[i];
	const char **parents = arena_zalloc(j->arena, (i + 1) * sizeof(*parents));
	char name[UNPACK_NAME_SIZE];

	for (size_t below = 0; below < i; below++)
		parents[below] = j->layers[below].have->dir;
	unpack_new_name(l->chain_id, name);
	l->merge = unpack_merge_start(l->raw->dir, (const char *const *)parents, name, on_layer_merged, l);
}

/* Looks at every layer, lowest first, and starts what can be started. `done` counts the layers at the bottom that are
 * all in place. */
static void layers_step(struct pull_job *j)
{
	size_t running = 0, done = 0;

	for (size_t i = 0; i < j->manifest.nlayers; i++)
		running += j->layers[i].fetch != NULL;
	for (size_t i = 0; i < j->manifest.nlayers; i++) {
		struct pull_layer *l = &j->layers[i];
		struct layer *found = l->have || l->fetch || l->merge ? NULL : layer_find(l->diff_id, l->chain_id);

		if (found)
			layers_settle(l, found);
		else if (!l->have && !l->fetch && !l->merge && !l->raw && (found = layer_find_unfinished(l->diff_id))) {
			l->raw = found;
			layer_hold(found);
		}
		if (l->raw && !l->merge && done == i)
			layers_merge(j, i);
		if (!l->have && !l->raw && !l->fetch && running < images_config()->parallel_downloads) {
			if (!layers_fetch(j, i))
				return;
			running++;
		}
		done += l->have && done == i;
	}
	if (done == j->manifest.nlayers)
		pull_layers_ready(j);
}

void pull_layers_start(struct pull_job *j)
{
	timer_set(&j->timer, 0, on_layers_step);
}

/* A layer that is no longer kept is removed by the next sweep (gc.h), unless an image or another pull uses it. */
static void layers_disown(struct layer *l)
{
	if (l && l->holds == 0)
		l->kept = false;
}

void pull_layers_stop(struct pull_job *j, bool keep)
{
	for (size_t i = 0; i < j->manifest.nlayers; i++) {
		struct pull_layer *l = &j->layers[i];

		if (l->fetch)
			(keep ? fetch_cancel : fetch_discard)(take_ptr(&l->fetch));
		if (l->merge)
			unpack_task_cancel(take_ptr(&l->merge));
		if (l->have)
			layer_release(take_ptr(&l->have));
		if (l->raw)
			layer_release(take_ptr(&l->raw));
	}
	for (size_t i = 0; !keep && i < j->manifest.nlayers; i++) {
		layers_disown(layer_find(j->layers[i].diff_id, j->layers[i].chain_id));
		layers_disown(layer_find_unfinished(j->layers[i].diff_id));
	}
}
