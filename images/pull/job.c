/* job.c - see job.h.
 *
 *   START --name known--> RESOLVE --same digest--> VERIFY --good--> DONE
 *     |                     |
 *     +---------------------+-------> MANIFEST --> CONFIG --> LAYERS --> SYNC --> DONE
 *                                      ^    |                   +--nothing new--> DONE
 *                                      +----+ index: the entry for this machine
 *   MANIFEST --the policy asks for a signature--> VERIFY --> MANIFEST or CONFIG; for an artifact LAYERS is next
 *   VERIFY of what is here --no--> MANIFEST
 *   all -> FAILED
 *
 * Waits on: the registry (RESOLVE, MANIFEST, CONFIG), verify.h (VERIFY), layers.c (LAYERS), a child (SYNC), the next
 * turn, login.h and lookup.h (START; the turn also in MANIFEST and CONFIG, where content.h has the blob).
 * Spec: OCI distribution-spec "Pulling manifests", "Pulling blobs"; image-spec. */
#include "images/pull/job.h"

#include <fcntl.h>
#include <inttypes.h>
#include <string.h>

#include "images/config.h"
#include "images/content.h"
#include "images/digest.h"
#include "images/ref.h"
#include "images/scope.h"
#include "images/store.h"
#include "images/unused.h"
#include "reactor/arena.h"
#include "reactor/log.h"
#include "reactor/own.h"
#include "reactor/small_file.h"

enum pull_state { START, RESOLVE, MANIFEST, VERIFY, CONFIG, LAYERS, SYNC, DONE, FAILED };

static const struct sm_state pull_states[] = {
	[START]    = { "START",    TO(RESOLVE) | TO(MANIFEST) | TO(FAILED) },
	[RESOLVE]  = { "RESOLVE",  TO(MANIFEST) | TO(VERIFY) | TO(DONE) | TO(FAILED) },
	[MANIFEST] = { "MANIFEST", TO(MANIFEST) | TO(VERIFY) | TO(CONFIG) | TO(LAYERS) | TO(FAILED) },
	[VERIFY]   = { "VERIFY",   TO(MANIFEST) | TO(CONFIG) | TO(LAYERS) | TO(DONE) | TO(FAILED) },
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
	if (j->login)
		login_cancel(take_ptr(&j->login));
	if (j->verify)
		verify_cancel(take_ptr(&j->verify));
	if (j->sync)
		unpack_task_cancel(take_ptr(&j->sync));
	if (j->layers)
		pull_layers_stop(j, keep);
	j->layers = NULL;
	buf_free(&j->body);
	lookup_free(take_ptr(&j->lookup));
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
	err_wrap(&copy, "%s %s", j->local ? "import" : "pull", j->shown);
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

/* ---- the end ---- */

static void job_record(struct pull_job *j)
{
	struct err e;
	const char *id = pull_record(j, &e);

	if (!id)
		return pull_job_fail(j, &e);
	job_succeed(j, id);
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

const char *pull_job_blob(const struct pull_job *j, const char *digest)
{
	return arena_printf(j->arena, "%s/%s", j->local->blobs, digest_hex(digest));
}

static void job_get_local(struct pull_job *j)
{
	const char *path = pull_job_blob(j, j->wanted.digest);
	auto_fd int fd = open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	auto_free char *text = NULL;
	size_t len;

	if (fd < 0)
		err_os(&j->trouble, ERR_INVALID_ARGUMENT, "open");
	else
		text = small_file_read_fd(fd, path, MANIFEST_MAX_BYTES, &len, ERR_INVALID_ARGUMENT, &j->trouble);
	if (!text) {
		err_wrap(&j->trouble, "blob %.19s", j->wanted.digest);
		return timer_set(&j->timer, 0, on_job_trouble);
	}
	buf_append(&j->body, text, len);
	timer_set(&j->timer, 0, on_job_here);
}

/* Gets the blob j->wanted, or the manifest that the tag names. A blob that content.h has is not fetched again, except
 * for the first manifest: for it the registry must be asked whether these credentials may read the image. */
static void job_get(struct pull_job *j, const char *kind)
{
	const char *name = *j->wanted.digest ? j->wanted.digest : j->ref.tag, *text = NULL;
	struct registry_request q = { .method = "GET", .kind = kind, .name = name };
	struct registry_events ev = { on_job_head, on_job_data, on_job_got, j };
	size_t len;

	buf_free(&j->body);
	j->content_type = j->wanted.media_type;
	j->served_digest = "";
	if (j->local)
		return job_get_local(j);
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

static void manifest_next(struct pull_job *j);
static void job_check_signature(struct pull_job *j, const char *digest);
static void job_get_manifest(struct pull_job *j);

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
	if (j->verified)
		return manifest_next(j);
	job_check_signature(j, digest);
}

/* ---- the policy ---- */

static void job_again(struct pull_job *j);

/* An index need not be signed when its entry for this machine is. An image that is here and whose digest has no
 * signature is resolved as if it were not here: the manifest of the index's entry may have one. */
static void on_job_verified(void *arg, const struct err *e)
{
	struct pull_job *j = arg;
	bool refused = e && e->reason && strcmp(e->reason, "SignatureValidationFailed") == 0;

	j->verify = NULL;
	j->verified = !e;
	if (e && !refused)
		return pull_job_fail(j, e);
	if (!j->top_digest)
		return refused ? job_get_manifest(j) : job_again(j);
	if (refused && !j->refused.code)
		j->refused = *e;
	if (refused && !j->manifest.is_index)
		return pull_job_fail(j, &j->refused);
	manifest_next(j);
}

/* (ARCHITECTURE I48) */
static void job_check_signature(struct pull_job *j, const char *digest)
{
	sm_move(&j->sm, VERIFY);
	j->verify = verify_start(j->registry, &j->policy, &j->ref, digest, on_job_verified, j);
}

static void build_layers(struct pull_job *j)
{
	const char *chain = NULL;

	j->layers = arena_zalloc(j->arena, (j->manifest.nlayers + 1) * sizeof(*j->layers));
	for (size_t i = 0; i < j->manifest.nlayers; i++) {
		const char *id = *j->manifest.artifact ? j->manifest.layers[i].diff_id : j->diff_ids.at[i];

		chain = chain_id(chain, id, j->arena);
		j->layers[i] = (struct pull_layer){ .job = j, .diff_id = id, .chain_id = chain };
	}
}

/* The config of an artifact is most often {}, and says nothing about its blobs. (ARCHITECTURE I69) */
static void job_take_artifact(struct pull_job *j)
{
	j->config = (struct image_config){ .working_dir = "", .user = "", .stop_signal = "", .checkpoint = "",
					   .artifact = j->manifest.artifact };
	buf_free(&j->body);
	build_layers(j);
	sm_move(&j->sm, LAYERS);
	pull_layers_start(j);
}

static void manifest_next(struct pull_job *j)
{
	struct err e;

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
	j->manifest_bytes = j->body.len;
	j->manifest_digest = j->blobs.at[j->blobs.n - 1];
	if (*j->manifest.artifact)
		return job_take_artifact(j);
	note_checkpoint(j);
	j->wanted = j->manifest.config;
	sm_move(&j->sm, CONFIG);
	job_get(j, "blobs");
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
	j->sm.now == MANIFEST ? on_manifest(j) : on_config(j);
}

/* ---- images that are in the store already ---- */

static void job_get_manifest(struct pull_job *j)
{
	sm_move(&j->sm, MANIFEST);
	job_get(j, "manifests");
}

/* The image of this digest that the store has whole, if it has one. */
static const struct image *job_image(struct pull_job *j)
{
	const char *digest = *j->ref.digest ? j->ref.digest : j->served_digest;
	const struct image *img =
		digest_valid(digest) ? store_find(ref_digested(&j->ref, digest, j->arena)) : NULL;

	return img && store_whole(img) ? img : NULL;
}

/* The image is here, and its tag may be new. It may have been removed while its signature was looked at: then the tag
 * decides anew, and what it names now needs a signature of its own. (ARCHITECTURE I76) */
static void job_again(struct pull_job *j)
{
	const struct image *img = job_image(j);
	struct image again;
	const char *id;
	struct err fault;

	if (!img) {
		j->verified = !policy_wants_signature(&j->policy);
		return job_get_manifest(j);
	}
	id = arena_strdup(j->arena, img->id);
	again = *img;
	again.tags = pull_tags(j);
	if (again.tags.n > 0 && store_find(again.tags.at[0]) != img && store_add(&again, &fault) < 0)
		return pull_job_fail(j, &fault);
	job_succeed(j, id);
}

static void on_job_resolved(void *arg, const struct err *e)
{
	struct pull_job *j = arg;

	j->get = NULL;
	/* HEAD is a hint only. There are registries and proxies that answer it with 403, 404, 405 or 500 and serve the
	 * same manifest by GET, so only GET tells what is wrong. (ARCHITECTURE I41) */
	if (e || !job_image(j))
		return job_get_manifest(j);
	if (!j->verified)
		return job_check_signature(j, *j->ref.digest ? j->ref.digest : j->served_digest);
	job_again(j);
}

/* For a name that the store has, a HEAD request tells whether the image is still the same. HEAD transfers no body, and
 * registries with a limit on pulls do not count it. */
static void job_begin(struct pull_job *j)
{
	struct registry_events ev = { on_job_head, on_job_data, on_job_resolved, j };
	struct registry_request q = { .method = "HEAD", .kind = "manifests", .once = true };
	const char *name;

	j->wanted.digest = j->ref.digest;
	name = *j->ref.digest ? ref_digested(&j->ref, j->ref.digest, j->arena) : ref_tagged(&j->ref, j->arena);
	if (!store_find(name))
		return job_get_manifest(j);
	j->content_type = j->served_digest = "";
	sm_move(&j->sm, RESOLVE);
	q.name = *j->ref.digest ? j->ref.digest : j->ref.tag;
	j->get = registry_start(j->registry, &q, &ev);
}

static void on_job_configured(struct pull_job *j, const struct err *e)
{
	if (e)
		return pull_job_fail(j, e);
	if (!j->local)
		return job_begin(j);
	j->wanted = j->local->top;
	job_get_manifest(j);
}

static void on_job_start(struct timer *t)
{
	struct pull_job *j = container_of(t, struct pull_job, timer);
	struct err e;

	j->lookup = lookup_new("registry");
	if (j->local)
		return pull_configure(j, on_job_configured);
	if (ref_parse(&j->ref, j->text, j->arena, &e) < 0 || scope_allowed(&j->ref, &e) < 0)
		return pull_job_fail(j, &e);
	pull_configure(j, on_job_configured);
}

static struct pull_job *job_new(struct arena *a, const char *shown)
{
	struct pull_job *j = arena_zalloc(a, sizeof(*j));

	j->arena = a;
	j->shown = shown;
	j->sm = (struct sm){ pull_states, "pull", j->shown, START };
	j->wanted.media_type = "";
	j->blobs.at = arena_zalloc(a, BLOBS_MAX * sizeof(*j->blobs.at));
	list_init(&j->waiters);
	timer_set(&j->timer, 0, on_job_start);
	return j;
}

struct pull_job *pull_job_start_local(const struct pull_local *local)
{
	struct arena *a = arena_new();
	struct pull_local *copy = arena_zalloc(a, sizeof(*copy));
	struct pull_job *j = job_new(a, arena_strdup(a, local->names.at[0]));

	copy->blobs = arena_strdup(a, local->blobs);
	copy->top = (struct descriptor){ .media_type = arena_strdup(a, local->top.media_type),
		.digest = arena_strdup(a, local->top.digest), .size_bytes = local->top.size_bytes };
	copy->source = arena_strdup(a, local->source);
	copy->docker = local->docker;
	copy->names.at = arena_zalloc(a, local->names.n * sizeof(*copy->names.at));
	for (size_t i = 0; i < local->names.n; i++)
		copy->names.at[copy->names.n++] = arena_strdup(a, local->names.at[i]);
	j->local = copy;
	j->key = j->text = "";
	return j;
}

struct pull_job *pull_job_start(const char *key, const char *ref, const struct registry_auth *auth)
{
	struct arena *a = arena_new();
	const char *text = arena_strdup(a, ref);
	struct pull_job *j = job_new(a, ref_shown(text, a));

	j->key = arena_strdup(a, key);
	j->text = text;
	j->auth = registry_auth_copy(auth, a);
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
