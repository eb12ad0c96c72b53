/* export.c - see export.h.
 *
 *   START --> TAR --> WRITE --> PACK --> DONE
 *    |  ^     |  ^    |  ^                       all --> FAILED
 *    +--+     +--+    +--+
 *   the next image, the next layer, the next image
 *
 * Waits on: the next turn (START, WRITE), a child (TAR, PACK). The files are made below ingest/, which every start
 * empties.
 * The layers are held, so that no removal of an image takes them away meanwhile. */
#include "images/export.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "images/archive.h"
#include "images/config.h"
#include "images/content.h"
#include "images/digest.h"
#include "images/document.h"
#include "images/import.h"
#include "images/layer.h"
#include "images/ref.h"
#include "images/store.h"
#include "images/unpack.h"
#include "images/worker.h"
#include "images/unused.h"
#include "reactor/arena.h"
#include "reactor/child.h"
#include "reactor/fault.h"
#include "reactor/list.h"
#include "reactor/log.h"
#include "reactor/loop.h"
#include "reactor/map.h"
#include "reactor/own.h"
#include "reactor/sm.h"

#define OCI "application/vnd.oci.image."

enum { CONFIGS_MAX = 64 << 20 };

enum export_state { START, TAR, WRITE, PACK, DONE, FAILED };

static const struct sm_state export_states[] = {
	[START]  = { "START",  TO(TAR) | TO(FAILED) },
	[TAR]    = { "TAR",    TO(WRITE) | TO(FAILED) },
	[WRITE]  = { "WRITE",  TO(PACK) | TO(FAILED) },
	[PACK]   = { "PACK",   TO(DONE) | TO(FAILED) },
	[DONE]   = { "DONE",   0 },
	[FAILED] = { "FAILED", 0 },
};

struct export_image {
	const char *id, *config; /* config: its text */
	struct strings tags, layers;
};

struct export_layer {
	struct layer *layer; /* held */
	const char *digest;
	uint64_t size_bytes;
};

struct export {
	struct sm sm;
	struct arena *arena;
	struct strings refs, ids;
	const char *path, *dir; /* dir: below ingest; NULL: not made */
	struct export_image *images;
	struct export_layer *layers; /* each directory once */
	size_t nlayers, at;          /* at: the image, then the layer, then the image at work */
	size_t config_bytes;         /* of all images */
	struct map by_dir;           /* name of a directory -> struct export_layer */
	json_t *index, *docker;      /* the lists of index.json and manifest.json */
	struct child *child;
	struct archive *archive;
	struct timer timer;
	export_done *done;
	void *arg;
};

static struct export *running;

static void export_free(struct export *x)
{
	if (running == x)
		running = NULL;
	timer_clear(&x->timer);
	if (x->child)
		child_cancel(x->child);
	if (x->archive)
		archive_cancel(x->archive);
	for (size_t i = 0; i < x->nlayers; i++)
		layer_release(x->layers[i].layer);
	if (x->nlayers)
		unused_ring();
	if (x->dir)
		unpack_remove_tree(x->dir);
	json_decref(x->index);
	json_decref(x->docker);
	map_free(&x->by_dir);
	arena_free(x->arena);
}

static void export_end(struct export *x, const struct err *e)
{
	struct err copy;

	if (e) {
		copy = *e;
		err_wrap(&copy, "export");
	}
	sm_move(&x->sm, e ? FAILED : DONE);
	x->done(x->arg, e ? &copy : NULL, &x->ids);
	export_free(x);
}

/* ---- the documents ---- */

static int export_write(struct export *x, const char *name, const char *text, struct err *e)
{
	const char *path = arena_printf(x->arena, "%s/fs/%s", x->dir, name);
	auto_fd int fd = EFFECT(open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600));
	size_t len = strlen(text);

	for (size_t at = 0; fd >= 0 && at < len;) {
		ssize_t n = EFFECT(write(fd, text + at, len - at));

		if (n < 0)
			return err_os(e, ERR_INTERNAL, "write %s", path);
		at += (size_t)n;
	}
	return fd < 0 ? err_os(e, ERR_INTERNAL, "write %s", path) : 0;
}

/* Writes a blob; its digest, in the arena. NULL: e says why. */
static const char *export_blob(struct export *x, const char *text, struct err *e)
{
	char digest[DIGEST_SIZE];

	digest_of(text, strlen(text), digest);
	if (export_write(x, arena_printf(x->arena, "blobs/sha256/%s", digest_hex(digest)), text, e) < 0)
		return NULL;
	return arena_strdup(x->arena, digest);
}

static json_t *export_descriptor(const char *type, const char *digest, uint64_t size)
{
	return own_must(json_pack("{s:s, s:s, s:I}", "mediaType", type, "digest", digest, "size", (json_int_t)size));
}

/* The config with the digests of the new tars. A history that has another number of layers is left out: image-spec says
 * that both go together. */
static const char *export_config(struct export *x, const struct export_image *img, struct err *e)
{
	auto_json json_t *j = document_parse(img->config, strlen(img->config), "image config", e);
	json_t *ids = json_array(), *fs = j ? json_object_get(j, "rootfs") : NULL;

	for (size_t i = 0; i < img->layers.n; i++) {
		const struct export_layer *l = map_get(&x->by_dir, img->layers.at[i]);

		json_array_append_new(ids, json_string(l->digest));
	}
	if (!fs) {
		json_decref(ids);
		if (j)
			err_set(e, ERR_INTERNAL, "the config of image %.19s has no rootfs", img->id);
		return NULL;
	}
	if (json_array_size(json_object_get(fs, "diff_ids")) != img->layers.n)
		json_object_del(j, "history");
	json_object_set_new(fs, "diff_ids", ids);
	return json_text(x->arena, j);
}

static void export_name(struct export *x, const struct export_image *img, const char *manifest, size_t size)
{
	struct ref ref;
	struct err ignored;

	for (size_t i = 0; i < img->tags.n || (i == 0 && img->tags.n == 0); i++) {
		json_t *d = export_descriptor(OCI "manifest.v1+json", manifest, size);

		if (img->tags.n && ref_parse(&ref, img->tags.at[i], x->arena, &ignored) == 0)
			json_object_set_new(d, "annotations", json_pack("{s:s, s:s}", "io.containerd.image.name",
					    img->tags.at[i], "org.opencontainers.image.ref.name", ref.tag));
		json_array_append_new(x->index, d);
	}
}

static int export_image(struct export *x, const struct export_image *img, struct err *e)
{
	auto_json json_t *layers = json_array();
	auto_json json_t *files = json_array();
	auto_json json_t *tags = json_array();
	auto_json json_t *j = NULL;
	const char *config = export_config(x, img, e), *config_digest, *text, *manifest;

	config_digest = config ? export_blob(x, config, e) : NULL;
	if (!config_digest)
		return -1;
	for (size_t i = 0; i < img->layers.n; i++) {
		const struct export_layer *l = map_get(&x->by_dir, img->layers.at[i]);

		json_array_append_new(layers, export_descriptor(OCI "layer.v1.tar", l->digest, l->size_bytes));
		json_array_append_new(files, json_sprintf("blobs/sha256/%s", digest_hex(l->digest)));
	}
	for (size_t i = 0; i < img->tags.n; i++)
		json_array_append_new(tags, json_string(img->tags.at[i]));
	j = json_pack("{s:i, s:s, s:o, s:O}", "schemaVersion", 2, "mediaType", OCI "manifest.v1+json", "config",
		      export_descriptor(OCI "config.v1+json", config_digest, strlen(config)), "layers", layers);
	text = json_text(x->arena, own_must(j));
	manifest = export_blob(x, text, e);
	if (!manifest)
		return -1;
	export_name(x, img, manifest, strlen(text));
	json_array_append_new(x->docker, json_pack("{s:o, s:O, s:O}", "Config",
			      json_sprintf("blobs/sha256/%s", digest_hex(config_digest)), "RepoTags", tags, "Layers",
			      files));
	x->ids.at[x->ids.n++] = config_digest;
	return 0;
}

static int export_documents(struct export *x, struct err *e)
{
	auto_json json_t *j = NULL;

	j = json_pack("{s:i, s:s, s:O}", "schemaVersion", 2, "mediaType", OCI "index.v1+json", "manifests", x->index);
	return export_write(x, "index.json", json_text(x->arena, own_must(j)), e) < 0 ||
	       export_write(x, "manifest.json", json_text(x->arena, x->docker), e) < 0
		       ? -1 : export_write(x, "oci-layout", "{\"imageLayoutVersion\":\"1.0.0\"}", e);
}

/* ---- the children ---- */

static void on_export_packed(void *arg, const struct err *e)
{
	struct export *x = arg;

	x->archive = NULL;
	if (!e)
		log_info("images_exported path=%s images=%zu layers=%zu", log_quote(x->path), x->refs.n, x->nlayers);
	export_end(x, e);
}

/* One image a turn: its config may have 4 MiB. (ARCHITECTURE I79) */
static void on_export_write(struct timer *t)
{
	struct export *x = container_of(t, struct export, timer);
	struct err e;

	if (x->at < x->refs.n) {
		if (export_image(x, &x->images[x->at++], &e) < 0)
			return export_end(x, &e);
		return timer_set(t, 0, on_export_write);
	}
	if (export_documents(x, &e) < 0)
		return export_end(x, &e);
	sm_move(&x->sm, PACK);
	x->archive = archive_pack(arena_printf(x->arena, "%s/fs", x->dir), x->path, NULL, on_export_packed, x);
}

static void export_documents_begin(struct export *x)
{
	sm_move(&x->sm, WRITE);
	x->at = 0;
	x->index = json_array();
	x->docker = json_array();
	x->ids.at = arena_zalloc(x->arena, (x->refs.n + 1) * sizeof(*x->ids.at));
	timer_set(&x->timer, 0, on_export_write);
}

static void export_tar(struct export *x);

static const char *export_tmp(struct export *x)
{
	return arena_printf(x->arena, "%s/fs/blobs/sha256/tmp", x->dir);
}

static void on_export_tar(void *arg, const struct err *failed, struct child_result *r)
{
	struct export *x = arg;
	struct export_layer *l = &x->layers[x->at++];
	struct answer answer;
	const char *to;
	struct err e;

	x->child = NULL;
	if (worker_answer(failed, r, &answer, &e) < 0)
		return export_end(x, &e);
	l->digest = arena_strdup(x->arena, answer.digest);
	l->size_bytes = answer.bytes;
	to = arena_printf(x->arena, "%s/fs/blobs/sha256/%s", x->dir, digest_hex(l->digest));
	if (EFFECT(rename(export_tmp(x), to)) < 0) {
		err_os(&e, ERR_INTERNAL, "rename to %s", to);
		return export_end(x, &e);
	}
	export_tar(x);
}

static void export_tar(struct export *x)
{
	struct worker c;

	if (x->at == x->nlayers)
		return export_documents_begin(x);
	worker_open(&c, x->arena, "tar");
	worker_add(&c, images_config()->root);
	worker_add(&c, x->layers[x->at].layer->dir);
	worker_add(&c, export_tmp(x));
	worker_add_option(&c, "min-free", images_config()->min_free);
	x->child = child_start(&c.spec, on_export_tar, x);
}

/* ---- what is exported ---- */

static struct strings strings_copy(const struct strings *s, struct arena *a)
{
	struct strings out = { arena_zalloc(a, (s->n + 1) * sizeof(*out.at)), s->n };

	for (size_t i = 0; i < s->n; i++)
		out.at[i] = arena_strdup(a, s->at[i]);
	return out;
}

static int export_hold(struct export *x, const struct strings *dirs, struct err *e)
{
	struct export_layer *more = arena_zalloc(x->arena, (x->nlayers + dirs->n + 1) * sizeof(*more));

	for (size_t i = 0; i < x->nlayers; i++) {
		more[i] = x->layers[i];
		map_put(&x->by_dir, more[i].layer->dir, &more[i]);
	}
	x->layers = more;
	for (size_t i = 0; i < dirs->n; i++) {
		struct layer *l = layer_by_dir(dirs->at[i]);

		if (!l)
			return err_set(e, ERR_FAILED_PRECONDITION, "layer %.100s is not here any more: pull the image "
				       "again", dirs->at[i]);
		if (l->broken) /* its new digest would say that the damage is right */
			return err_set(e, ERR_FAILED_PRECONDITION, "layer %.100s is broken: pull the image again, or "
				       "run crisp check --layers --repair", dirs->at[i]);
		if (map_get(&x->by_dir, l->dir))
			continue;
		layer_hold(l);
		more[x->nlayers].layer = l;
		map_put(&x->by_dir, l->dir, &more[x->nlayers++]);
	}
	return 0;
}

static int export_look(struct export *x, size_t i, struct err *e)
{
	const struct image *img = store_find(x->refs.at[i]);
	struct export_image *out = &x->images[i];
	size_t len;

	if (!img)
		return err_set(e, ERR_NOT_FOUND, "there is no image %.200s", ref_shown(x->refs.at[i], x->arena));
	if (*img->config.artifact)
		return err_set(e, ERR_FAILED_PRECONDITION, "%.200s is an artifact (%.100s): only images of layers can "
			       "be exported", ref_shown(x->refs.at[i], x->arena), img->config.artifact);
	*out = (struct export_image){ .id = arena_strdup(x->arena, img->id), .tags = strings_copy(&img->tags, x->arena),
				      .layers = strings_copy(&img->layers, x->arena),
				      .config = content_get(store_document(img), x->arena, &len) };
	if (!out->config)
		return err_set(e, ERR_FAILED_PRECONDITION, "the config of image %.19s is not here any more: pull it "
			       "again", img->id);
	x->config_bytes += len;
	if (x->config_bytes > CONFIGS_MAX)
		return err_set(e, ERR_RESOURCE_EXHAUSTED, "the configs of these images have more than 64 MiB: export "
			       "fewer at once");
	return export_hold(x, &out->layers, e);
}

static int export_dirs(struct export *x, struct err *e)
{
	static const char *const below[] = { "", "/fs", "/fs/blobs", "/fs/blobs/sha256" };
	const char *ingest = arena_printf(x->arena, "%s/ingest", images_config()->root);
	char name[UNPACK_NAME_SIZE];

	unpack_new_name("sha256:export", name);
	if (EFFECT(mkdir(ingest, 0700)) < 0 && errno != EEXIST)
		return err_os(e, ERR_INTERNAL, "make %s", ingest);
	x->dir = worker_ingest(x->arena, name);
	for (size_t i = 0; i < sizeof(below) / sizeof(*below); i++)
		if (EFFECT(mkdir(arena_printf(x->arena, "%s%s", x->dir, below[i]), 0700)) < 0)
			return err_os(e, ERR_INTERNAL, "make %s%s", x->dir, below[i]);
	return 0;
}

static void on_export_refused(struct timer *t)
{
	struct err e;

	err_set(&e, ERR_UNAVAILABLE, "another export is under way");
	export_end(container_of(t, struct export, timer), &e);
}

static void on_export_start(struct timer *t)
{
	struct export *x = container_of(t, struct export, timer);
	struct err e;

	if (x->refs.n > ARCHIVE_IMAGES_MAX) {
		err_set(&e, ERR_INVALID_ARGUMENT, "%zu images, up to %d are possible", x->refs.n, ARCHIVE_IMAGES_MAX);
		return export_end(x, &e);
	}
	if (x->at < x->refs.n) {
		if (export_look(x, x->at++, &e) < 0)
			return export_end(x, &e);
		return timer_set(t, 0, on_export_start);
	}
	if (export_dirs(x, &e) < 0)
		return export_end(x, &e);
	x->at = 0;
	sm_move(&x->sm, TAR);
	export_tar(x);
}

struct export *export_start(const struct strings *refs, const char *path, export_done *done, void *arg)
{
	struct arena *a = arena_new();
	struct export *x = arena_zalloc(a, sizeof(*x));

	*x = (struct export){ .arena = a, .refs = strings_copy(refs, a), .path = arena_strdup(a, path), .done = done,
			      .arg = arg };
	x->sm = (struct sm){ export_states, "export", x->path, START };
	x->images = arena_zalloc(a, (refs->n + 1) * sizeof(*x->images));
	timer_set(&x->timer, 0, running ? on_export_refused : on_export_start);
	running = running ? running : x;
	return x;
}

void export_cancel(struct export *x)
{
	export_free(x);
}
