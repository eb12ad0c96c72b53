/* job.c - see job.h.
 *
 *   START --name known--> RESOLVE --same digest--> DONE
 *     |                     |
 *     +---------------------+-------> MANIFEST --> CONFIG --> LAYERS --> SYNC --> DONE
 *                                      ^    |                   +--nothing new--> DONE
 *                                      +----+ index: the entry for this machine
 *   all -> FAILED
 *
 * Waits on: the registry (RESOLVE, MANIFEST, CONFIG), layers.c (LAYERS), a child (SYNC), the next turn (START; also
 * MANIFEST and CONFIG, where content.h has the blob).
 * Spec: OCI distribution-spec "Pulling manifests", "Pulling blobs"; image-spec. */
#include "images/pull/job.h"

#include <inttypes.h>
#include <string.h>

#include "images/content.h"
#include "images/digest.h"
#include "images/ref.h"
#include "images/store.h"
#include "images/unused.h"
#include "reactor/arena.h"
#include "reactor/log.h"
#include "reactor/own.h"

enum pull_state { START, RESOLVE, MANIFEST, CONFIG, LAYERS, SYNC, DONE, FAILED };

static const struct sm_state pull_states[] = {
	[START]    = { "START",    TO(RESOLVE) | TO(MANIFEST) | TO(FAILED) },
	[RESOLVE]  = { "RESOLVE",  TO(MANIFEST) | TO(DONE) | TO(FAILED) },
	[MANIFEST] = { "MANIFEST", TO(MANIFEST) | TO(CONFIG) | TO(FAILED) },
	[CONFIG]   = { "CONFIG",   TO(LAYERS) | TO(FAILED) },
	[LAYERS]   = { "LAYERS",   TO(SYNC) | TO(DONE) | TO(FAILED) },
	[SYNC]     = { "SYNC",     TO(DONE) | TO(FAILED) },
	[DONE]     = { "DONE",     0 },
	[FAILED]   = { "FAILED",   0 },
};

enum { DEPTH_MAX = 3, BLOBS_MAX = DEPTH_MAX + 2 };

static void job_release(struct pull_job *j, bool keep)
{
	timer_clear(&j->timer);
	if (j->get)
		registry_cancel(take_ptr(&j->get));
	if (j->sync)
		unpack_task_cancel(take_ptr(&j->sync));
	if (j->layers)
		pull_layers_stop(j, keep);
	j->layers = NULL;
	buf_free(&j->body);
	if (j->registry)
		registry_release(take_ptr(&j->registry));
}

void pull_job_free(struct pull_job *j)
{
	job_release(j, true);
	if (list_linked(&j->link))
		list_drop(&j->link);
	arena_free(j->arena);
}

/* Layers and partial downloads are kept only after UNAVAILABLE: the next try of such a pull can succeed. After other
 * errors, such as a damaged layer, it would fail again. */
void pull_job_fail(struct pull_job *j, const struct err *e)
{
	struct err copy = *e;

	sm_move(&j->sm, FAILED);
	job_release(j, copy.code == ERR_UNAVAILABLE);
	unused_ring();
	err_wrap(&copy, "pull %s", j->shown);
	pull_job_ended(j, &copy, NULL);
}

static void job_succeed(struct pull_job *j, const char *id)
{
	const char *own = arena_strdup(j->arena, id);

	log_info("image_pulled image=%.19s ref=%s", own, log_quote(j->shown));
	sm_move(&j->sm, DONE);
	job_release(j, true);
	pull_job_ended(j, NULL, own);
}

static void on_job_trouble(struct timer *t)
{
	struct pull_job *j = container_of(t, struct pull_job, timer);

	pull_job_fail(j, &j->trouble);
}

/* ---- the record ---- */

static struct strings one_string(const char *s, struct arena *a)
{
	struct strings out = { arena_zalloc(a, sizeof(*out.at)), s ? 1 : 0 };

	out.at[0] = s;
	return out;
}

/* A layer may occur twice in an image, but overlayfs takes each directory only once. The layer's uppermost place is
 * enough: everything that it adds or hides at the lower place it also adds or hides at the upper one.
 * (ARCHITECTURE X21) */
static struct strings layer_dirs(struct pull_job *j)
{
	struct strings out = { arena_zalloc(j->arena, (j->manifest.nlayers + 1) * sizeof(*out.at)), 0 };

	for (size_t i = 0; i < j->manifest.nlayers; i++) {
		bool again = false;

		for (size_t above = i + 1; above < j->manifest.nlayers; above++)
			again |= j->layers[above].have == j->layers[i].have;
		if (!again)
			out.at[out.n++] = j->layers[i].have->dir;
	}
	return out;
}

static void job_record(struct pull_job *j)
{
	struct image img = {
		.id = j->manifest.config.digest, .config = j->config, .layers = layer_dirs(j), .blobs = j->blobs
	};
	struct err e;

	img.tags = one_string(*j->ref.digest ? NULL : ref_tagged(&j->ref, j->arena), j->arena);
	img.digests = one_string(ref_digested(&j->ref, j->top_digest, j->arena), j->arena);
	img.size_bytes = j->manifest_bytes + j->manifest.config.size_bytes;
	for (size_t i = 0; i < j->manifest.nlayers; i++)
		img.size_bytes += j->manifest.layers[i].size_bytes;
	if (store_add(&img, &e) < 0)
		return pull_job_fail(j, &e);
	job_succeed(j, img.id);
}

static void on_job_synced(void *arg, const struct err *e)
{
	struct pull_job *j = arg;

	j->sync = NULL;
	if (e)
		return pull_job_fail(j, e);
	job_record(j);
}

void pull_layers_ready(struct pull_job *j)
{
	if (!j->fresh)
		return job_record(j);
	sm_move(&j->sm, SYNC);
	j->sync = unpack_sync(on_job_synced, j);
}

/* ---- manifest and config: small blobs, in memory ---- */

static void on_job_whole(struct pull_job *j);

static void on_job_head(void *arg, const struct registry_answer *answer)
{
	struct pull_job *j = arg;

	buf_free(&j->body);
	j->content_type = arena_strdup(j->arena, answer->content_type);
	j->served_digest = arena_strdup(j->arena, answer->digest);
}

static bool on_job_data(void *arg, const void *p, size_t n)
{
	struct pull_job *j = arg;
	size_t max = j->wanted.size_bytes ? (size_t)j->wanted.size_bytes : MANIFEST_MAX_BYTES;

	if (timer_is_set(&j->timer))
		return true;
	if (j->body.len + n > max) {
		err_set(&j->trouble, j->wanted.size_bytes ? ERR_DATA_LOSS : ERR_INVALID_ARGUMENT,
			"the %s has more than %zu bytes", j->sm.now == CONFIG ? "image config" : "manifest", max);
		timer_set(&j->timer, 0, on_job_trouble);
		return true;
	}
	buf_append(&j->body, p, n);
	return true;
}

static void on_job_got(void *arg, const struct err *e)
{
	struct pull_job *j = arg;

	j->get = NULL;
	if (timer_is_set(&j->timer))
		return;
	if (e)
		return pull_job_fail(j, e);
	on_job_whole(j);
}

static void on_job_here(struct timer *t)
{
	on_job_whole(container_of(t, struct pull_job, timer));
}

/* Gets the blob j->wanted, or the manifest that the tag names. A blob that content.h has is not fetched again, except
 * for the first manifest: for it the registry must be asked whether these credentials may read the image. */
static void job_get(struct pull_job *j, const char *kind)
{
	const char *name = *j->wanted.digest ? j->wanted.digest : j->ref.tag, *text = NULL;
	struct registry_request q = { "GET", kind, name, 0, NULL };
	struct registry_events ev = { on_job_head, on_job_data, on_job_got, j };
	size_t len;

	buf_free(&j->body);
	j->content_type = j->wanted.media_type;
	j->served_digest = "";
	if (j->top_digest)
		text = content_get(j->wanted.digest, j->arena, &len);
	if (text) {
		buf_append(&j->body, text, len);
		timer_set(&j->timer, 0, on_job_here);
		return;
	}
	j->get = registry_start(j->registry, &q, &ev);
}

/* The bytes must have the size and digest that were asked for, and the digest that the registry's header gives. */
static int job_verify(struct pull_job *j, const char *what, char digest[DIGEST_SIZE], struct err *e)
{
	digest_of(j->body.at, j->body.len, digest);
	if (j->wanted.size_bytes && j->wanted.size_bytes != j->body.len)
		return err_set(e, ERR_DATA_LOSS, "the %s has %zu bytes instead of %" PRIu64, what, j->body.len,
			j->wanted.size_bytes);
	if (*j->wanted.digest && strcmp(j->wanted.digest, digest) != 0)
		return err_set(e, ERR_DATA_LOSS, "the %s has the digest %.19s instead of %.19s", what, digest,
			j->wanted.digest);
	if (digest_valid(j->served_digest) && strcmp(j->served_digest, digest) != 0)
		return err_set(e, ERR_DATA_LOSS, "the %s has the digest %.19s, the registry says %.19s", what, digest,
			j->served_digest);
	return 0;
}

static int job_keep_blob(struct pull_job *j, const char *digest, struct err *e)
{
	if (j->blobs.n < BLOBS_MAX)
		j->blobs.at[j->blobs.n++] = arena_strdup(j->arena, digest);
	return content_put(digest, j->body.at, j->body.len, e);
}

/* The annotation may stand in an index or in a manifest. */
static void note_checkpoint(struct pull_job *j)
{
	if (*j->manifest.checkpoint)
		j->checkpoint = j->manifest.checkpoint;
}

static void on_manifest(struct pull_job *j)
{
	char digest[DIGEST_SIZE];
	struct err e;

	if (job_verify(j, "manifest", digest, &e) < 0 ||
	    manifest_parse(&j->manifest, buf_str(&j->body), j->body.len, j->content_type, j->arena, &e) < 0 ||
	    job_keep_blob(j, digest, &e) < 0)
		return pull_job_fail(j, &e);
	if (!j->top_digest)
		j->top_digest = arena_strdup(j->arena, digest);
	if (j->manifest.is_index) {
		note_checkpoint(j);
		if (++j->depth > DEPTH_MAX - 1) {
			err_set(&e, ERR_INVALID_ARGUMENT, "indexes are nested more than %d deep", DEPTH_MAX);
			return pull_job_fail(j, &e);
		}
		j->wanted = j->manifest.chosen;
		sm_move(&j->sm, MANIFEST);
		return job_get(j, "manifests");
	}
	note_checkpoint(j);
	j->manifest_bytes = j->body.len;
	j->wanted = j->manifest.config;
	sm_move(&j->sm, CONFIG);
	job_get(j, "blobs");
}

static void build_layers(struct pull_job *j)
{
	const char *chain = NULL;

	j->layers = arena_zalloc(j->arena, (j->manifest.nlayers + 1) * sizeof(*j->layers));
	for (size_t i = 0; i < j->manifest.nlayers; i++) {
		chain = chain_id(chain, j->diff_ids.at[i], j->arena);
		j->layers[i] = (struct pull_layer){ .job = j, .diff_id = j->diff_ids.at[i], .chain_id = chain };
	}
}

static void on_config(struct pull_job *j)
{
	char digest[DIGEST_SIZE];
	struct err e;

	if (job_verify(j, "image config", digest, &e) < 0 ||
		config_parse(&j->config, &j->diff_ids, buf_str(&j->body), j->body.len, j->arena, &e) < 0 ||
		job_keep_blob(j, digest, &e) < 0)
		return pull_job_fail(j, &e);
	if (j->diff_ids.n != j->manifest.nlayers) {
		err_set(&e, ERR_INVALID_ARGUMENT, "the manifest has %zu layers, the image config has %zu diff_ids",
			j->manifest.nlayers, j->diff_ids.n);
		return pull_job_fail(j, &e);
	}
	if (j->checkpoint)
		j->config.checkpoint = j->checkpoint;
	buf_free(&j->body);
	build_layers(j);
	sm_move(&j->sm, LAYERS);
	pull_layers_start(j);
}

static void on_job_whole(struct pull_job *j)
{
	if (j->sm.now == MANIFEST)
		return on_manifest(j);
	on_config(j);
}

/* ---- images that are in the store already ---- */

static void job_get_manifest(struct pull_job *j)
{
	sm_move(&j->sm, MANIFEST);
	job_get(j, "manifests");
}

static void on_job_resolved(void *arg, const struct err *e)
{
	struct pull_job *j = arg;
	const char *digest = *j->ref.digest ? j->ref.digest : j->served_digest, *id;
	const struct image *img = digest_valid(digest) ? store_find(ref_digested(&j->ref, digest, j->arena)) : NULL;
	struct image again;
	struct err fault;

	j->get = NULL;
	/* INTERNAL is any answer that says nothing about the image. Registries that do not support HEAD have many such
	 * answers, so the manifest is asked for by GET. */
	if (e && e->code != ERR_INTERNAL)
		return pull_job_fail(j, e);
	if (e || !img)
		return job_get_manifest(j);
	id = arena_strdup(j->arena, img->id);
	again = *img;
	again.tags = one_string(*j->ref.digest ? NULL : ref_tagged(&j->ref, j->arena), j->arena);
	if (again.tags.n > 0 && store_find(again.tags.at[0]) != img && store_add(&again, &fault) < 0)
		return pull_job_fail(j, &fault);
	job_succeed(j, id);
}

/* For a name that the store has, a HEAD request tells whether the image is still the same. HEAD transfers no body, and
 * registries with a limit on pulls do not count it. */
static void on_job_start(struct timer *t)
{
	struct pull_job *j = container_of(t, struct pull_job, timer);
	struct registry_events ev = { on_job_head, on_job_data, on_job_resolved, j };
	const char *name;
	struct err e;

	if (ref_parse(&j->ref, j->text, j->arena, &e) < 0 || registry_new(&j->registry, &j->ref, j->auth, &e) < 0)
		return pull_job_fail(j, &e);
	j->wanted.digest = j->ref.digest;
	name = *j->ref.digest ? ref_digested(&j->ref, j->ref.digest, j->arena) : ref_tagged(&j->ref, j->arena);
	if (!store_find(name))
		return job_get_manifest(j);
	j->content_type = j->served_digest = "";
	sm_move(&j->sm, RESOLVE);
	j->get = registry_start(j->registry,
		&(struct registry_request){ "HEAD", "manifests", *j->ref.digest ? j->ref.digest : j->ref.tag, 0, NULL },
		&ev);
}

struct pull_job *pull_job_start(const char *key, const char *ref, const struct registry_auth *auth)
{
	struct arena *a = arena_new();
	struct pull_job *j = arena_zalloc(a, sizeof(*j));

	*j = (struct pull_job){
		.arena = a, .key = arena_strdup(a, key), .text = arena_strdup(a, ref),
		.auth = registry_auth_copy(auth, a),
	};
	j->shown = ref_shown(j->text, a);
	j->sm = (struct sm){ pull_states, "pull", j->shown, START };
	j->wanted.media_type = "";
	j->blobs.at = arena_zalloc(a, BLOBS_MAX * sizeof(*j->blobs.at));
	list_init(&j->waiters);
	timer_set(&j->timer, 0, on_job_start);
	return j;
}

void pull_job_progress(const struct pull_job *j, struct pull_progress *out)
{
	*out = (struct pull_progress){ .ref = j->shown, .state = pull_states[j->sm.now].name };
	if (!j->layers)
		return;
	out->layers = (int)j->manifest.nlayers;
	for (size_t i = 0; i < j->manifest.nlayers; i++) {
		const struct pull_layer *l = &j->layers[i];

		out->bytes_total += j->manifest.layers[i].size_bytes;
		out->layers_done += l->have != NULL;
		out->bytes_done += l->fetch            ? fetch_bytes(l->fetch)
				   : l->have || l->raw ? j->manifest.layers[i].size_bytes
						       : 0;
	}
}
