/* job.c - see job.h.
 *
 *   START --we may have it--> RESOLVE --same digest--> DONE
 *     |                          |
 *     +--------------------------+--> MANIFEST --> CONFIG --> LAYERS --> SYNC --> DONE
 *                                      ^    |                   +--nothing new--> DONE
 *                                      +----+ index: the entry for this machine
 *   all -> FAILED
 *
 * Waits on: the registry (RESOLVE, MANIFEST, CONFIG), layers.c (LAYERS), a child (SYNC), the next turn (START, and
 * MANIFEST and CONFIG where the blob is here already).
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

static const char *or_empty(const char *s)
{
	return s ? s : "";
}

static const struct registry_auth *auth_copy(const struct registry_auth *auth, struct arena *a)
{
	struct registry_auth *copy = arena_zalloc(a, sizeof(*copy));

	if (!auth)
		return NULL;
	*copy = (struct registry_auth){ arena_strdup(a, or_empty(auth->username)),
		arena_strdup(a, or_empty(auth->password)), arena_strdup(a, or_empty(auth->auth)),
		arena_strdup(a, or_empty(auth->server_address)), arena_strdup(a, or_empty(auth->identity_token)),
		arena_strdup(a, or_empty(auth->registry_token)) };
	return copy;
}

static void release(struct pull_job *j, bool keep)
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
	release(j, true);
	if (list_linked(&j->link))
		list_drop(&j->link);
	arena_free(j->arena);
}

/* What is kept waits for a next try that can succeed: not for one of a damaged image. */
void pull_job_fail(struct pull_job *j, const struct err *e)
{
	struct err copy = *e;

	sm_move(&j->sm, FAILED);
	release(j, copy.code == ERR_UNAVAILABLE);
	unused_ring();
	err_wrap(&copy, "pull %s", j->text);
	pull_job_ended(j, &copy, NULL);
}

static void succeed(struct pull_job *j, const char *id)
{
	const char *own = arena_strdup(j->arena, id);

	log_info("image_pulled image=%.19s ref=%s", own, log_quote(j->text));
	sm_move(&j->sm, DONE);
	release(j, true);
	pull_job_ended(j, NULL, own);
}

static void on_trouble(struct timer *t)
{
	struct pull_job *j = container_of(t, struct pull_job, timer);

	pull_job_fail(j, &j->trouble);
}

/* ---- the record ---- */

static struct strings one(const char *s, struct arena *a)
{
	struct strings out = { arena_zalloc(a, sizeof(*out.at)), s ? 1 : 0 };

	out.at[0] = s;
	return out;
}

/* A layer may stand in an image twice; overlayfs takes each directory once. Only its uppermost place can be seen:
 * whatever it adds or hides there, it had added or hidden below. */
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

static void record(struct pull_job *j)
{
	struct image img = {
		.id = j->manifest.config.digest, .config = j->config, .layers = layer_dirs(j), .blobs = j->blobs
	};
	struct err e;

	img.tags = one(*j->ref.digest ? NULL : ref_tagged(&j->ref, j->arena), j->arena);
	img.digests = one(ref_digested(&j->ref, j->top_digest, j->arena), j->arena);
	img.size_bytes = j->manifest_bytes + j->manifest.config.size_bytes;
	for (size_t i = 0; i < j->manifest.nlayers; i++)
		img.size_bytes += j->manifest.layers[i].size_bytes;
	if (store_add(&img, &e) < 0)
		return pull_job_fail(j, &e);
	succeed(j, img.id);
}

static void on_synced(void *arg, const struct err *e)
{
	struct pull_job *j = arg;

	j->sync = NULL;
	if (e)
		return pull_job_fail(j, e);
	record(j);
}

void pull_layers_ready(struct pull_job *j)
{
	if (!j->fresh)
		return record(j);
	sm_move(&j->sm, SYNC);
	j->sync = unpack_sync(on_synced, j);
}

/* ---- manifest and config: small blobs, in memory ---- */

static void on_whole(struct pull_job *j);

static void on_head(void *arg, const struct registry_answer *answer)
{
	struct pull_job *j = arg;

	buf_free(&j->body);
	j->content_type = arena_strdup(j->arena, answer->content_type);
	j->served_digest = arena_strdup(j->arena, answer->digest);
}

static bool on_data(void *arg, const void *p, size_t n)
{
	struct pull_job *j = arg;
	size_t max = j->wanted.size_bytes ? (size_t)j->wanted.size_bytes : MANIFEST_MAX_BYTES;

	if (timer_is_set(&j->timer))
		return true;
	if (j->body.len + n > max) {
		err_set(&j->trouble, j->wanted.size_bytes ? ERR_DATA_LOSS : ERR_INVALID_ARGUMENT,
			"the %s has more than %zu bytes", j->sm.now == CONFIG ? "image config" : "manifest", max);
		timer_set(&j->timer, 0, on_trouble);
		return true;
	}
	buf_append(&j->body, p, n);
	return true;
}

static void on_got(void *arg, const struct err *e)
{
	struct pull_job *j = arg;

	j->get = NULL;
	if (timer_is_set(&j->timer))
		return;
	if (e)
		return pull_job_fail(j, e);
	on_whole(j);
}

static void on_here(struct timer *t)
{
	on_whole(container_of(t, struct pull_job, timer));
}

/* j->wanted, or what the tag names; from our own blobs where it is there (never the first: the registry must be asked
 * whether these credentials may have it). */
static void get(struct pull_job *j, const char *kind)
{
	const char *name = *j->wanted.digest ? j->wanted.digest : j->ref.tag, *text = NULL;
	struct registry_request q = { "GET", kind, name, 0, NULL };
	struct registry_events ev = { on_head, on_data, on_got, j };
	size_t len;

	buf_free(&j->body);
	j->content_type = or_empty(j->wanted.media_type);
	j->served_digest = "";
	if (j->top_digest)
		text = content_get(j->wanted.digest, j->arena, &len);
	if (text) {
		buf_append(&j->body, text, len);
		timer_set(&j->timer, 0, on_here);
		return;
	}
	j->get = registry_start(j->registry, &q, &ev);
}

/* The bytes must be what was asked for, and what the registry says they are. */
static int verify(struct pull_job *j, const char *what, char digest[DIGEST_SIZE], struct err *e)
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

static int keep_blob(struct pull_job *j, const char *digest, struct err *e)
{
	if (j->blobs.n < BLOBS_MAX)
		j->blobs.at[j->blobs.n++] = arena_strdup(j->arena, digest);
	return content_put(digest, j->body.at, j->body.len, e);
}

/* An index or a manifest may say it. */
static void note_checkpoint(struct pull_job *j)
{
	if (*j->manifest.checkpoint)
		j->checkpoint = j->manifest.checkpoint;
}

static void on_manifest(struct pull_job *j)
{
	char digest[DIGEST_SIZE];
	struct err e;

	if (verify(j, "manifest", digest, &e) < 0 ||
	    manifest_parse(&j->manifest, buf_str(&j->body), j->body.len, j->content_type, j->arena, &e) < 0 ||
	    keep_blob(j, digest, &e) < 0)
		return pull_job_fail(j, &e);
	if (!j->top_digest)
		j->top_digest = arena_strdup(j->arena, digest);
	if (j->manifest.is_index) {
		note_checkpoint(j);
		if (++j->depth > DEPTH_MAX - 1) {
			err_set(&e, ERR_INVALID_ARGUMENT, "index in index, more than %d deep", DEPTH_MAX);
			return pull_job_fail(j, &e);
		}
		j->wanted = j->manifest.chosen;
		sm_move(&j->sm, MANIFEST);
		return get(j, "manifests");
	}
	note_checkpoint(j);
	j->manifest_bytes = j->body.len;
	j->wanted = j->manifest.config;
	sm_move(&j->sm, CONFIG);
	get(j, "blobs");
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

	if (verify(j, "image config", digest, &e) < 0 ||
		config_parse(&j->config, &j->diff_ids, buf_str(&j->body), j->body.len, j->arena, &e) < 0 ||
		keep_blob(j, digest, &e) < 0)
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

static void on_whole(struct pull_job *j)
{
	if (j->sm.now == MANIFEST)
		return on_manifest(j);
	on_config(j);
}

/* ---- what we have already ---- */

static void get_manifest(struct pull_job *j)
{
	sm_move(&j->sm, MANIFEST);
	get(j, "manifests");
}

static void on_resolved(void *arg, const struct err *e)
{
	struct pull_job *j = arg;
	const char *digest = *j->ref.digest ? j->ref.digest : j->served_digest, *id;
	const struct image *img = digest_valid(digest) ? store_find(ref_digested(&j->ref, digest, j->arena)) : NULL;
	struct image again;
	struct err fault;

	j->get = NULL;
	/* A registry that does not know HEAD says so in many ways; what it says of the image counts. */
	if (e && e->code != ERR_INTERNAL)
		return pull_job_fail(j, e);
	if (e || !img)
		return get_manifest(j);
	id = arena_strdup(j->arena, img->id);
	again = *img;
	again.tags = one(*j->ref.digest ? NULL : ref_tagged(&j->ref, j->arena), j->arena);
	if (again.tags.n > 0 && store_find(again.tags.at[0]) != img && store_add(&again, &fault) < 0)
		return pull_job_fail(j, &fault);
	succeed(j, id);
}

/* Where we have an image of this name, HEAD tells whether it is still the same: it moves no bytes, and registries that
 * count pulls do not count it. */
static void on_start(struct timer *t)
{
	struct pull_job *j = container_of(t, struct pull_job, timer);
	struct registry_events ev = { on_head, on_data, on_resolved, j };
	const char *name;
	struct err e;

	if (ref_parse(&j->ref, j->text, j->arena, &e) < 0 || registry_new(&j->registry, &j->ref, j->auth, &e) < 0)
		return pull_job_fail(j, &e);
	j->wanted.digest = j->ref.digest;
	name = *j->ref.digest ? ref_digested(&j->ref, j->ref.digest, j->arena) : ref_tagged(&j->ref, j->arena);
	if (!store_find(name))
		return get_manifest(j);
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
		.arena = a, .key = arena_strdup(a, key), .text = arena_strdup(a, ref), .auth = auth_copy(auth, a)
	};
	j->sm = (struct sm){ pull_states, "pull", j->text, START };
	j->blobs.at = arena_zalloc(a, BLOBS_MAX * sizeof(*j->blobs.at));
	list_init(&j->waiters);
	timer_set(&j->timer, 0, on_start);
	return j;
}

void pull_job_progress(const struct pull_job *j, struct pull_progress *out)
{
	*out = (struct pull_progress){ .ref = j->text, .state = pull_states[j->sm.now].name };
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
