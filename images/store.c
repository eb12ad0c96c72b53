/* store.c - see store.h.
 *
 * A tag moves in two steps: first the record of its new image is written, then the record of its old image. After a
 * kill between the two writes both records name the tag; at the next start the image that was pulled last keeps it. */
#include "images/store.h"

#include <errno.h>
#include <fnmatch.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>

#include "images/config.h"
#include "images/content.h"
#include "images/digest.h"
#include "images/discard.h"
#include "images/layer.h"
#include "images/manifest.h"
#include "images/ref.h"
#include "images/unused.h"
#include "reactor/arena.h"
#include "reactor/dir.h"
#include "reactor/log.h"
#include "reactor/loop.h"
#include "reactor/map.h"
#include "reactor/own.h"
#include "reactor/record.h"

enum { IMAGE_VERSION = 1, PREFIX_MIN = 3 };

static const struct field image_fields[] = {
	F_STR(struct image, id),
	F_STR(struct image, config_digest),
	F_STRINGS(struct image, tags),
	F_STRINGS(struct image, digests),
	F_U64(struct image, size_bytes),
	F_I64(struct image, pulled_at_ns),
	F_STRUCT(struct image, config, image_config_fields),
	F_STRINGS(struct image, layers),
	F_STRINGS(struct image, blobs),
	F_END,
};

static struct map images; /* id -> struct image, which owns the key */
static char records_dir[PATH_MAX];
static bool is_open, unread; /* unread: an image's record, or that of a layer of it, could not be read */

bool store_is_open(void)
{
	return is_open;
}

bool store_unread(void)
{
	return unread;
}

/* The strings of x, then those of y that x does not have. The strings are borrowed, the array is in the arena. */
static struct strings joined(const struct strings *x, const struct strings *y, struct arena *a)
{
	struct strings out = { arena_zalloc(a, (x->n + y->n) * sizeof(*out.at)), 0 };

	for (size_t i = 0; i < x->n; i++)
		out.at[out.n++] = x->at[i];
	for (size_t i = 0; i < y->n; i++)
		if (!strings_have(&out, y->at[i]))
			out.at[out.n++] = y->at[i];
	return out;
}

static struct strings without(const struct strings *x, const struct strings *y, struct arena *a)
{
	struct strings out = { arena_zalloc(a, x->n * sizeof(*out.at)), 0 };

	for (size_t i = 0; i < x->n; i++)
		if (!strings_have(y, x->at[i]))
			out.at[out.n++] = x->at[i];
	return out;
}

static bool matches_pinned(const struct strings *names)
{
	const struct strings *patterns = &images_config()->pinned;

	for (size_t p = 0; p < patterns->n; p++)
		for (size_t i = 0; i < names->n; i++)
			if (fnmatch(patterns->at[p], names->at[i], 0) == 0)
				return true;
	return false;
}

/* Puts a full copy of *spec, with an arena of its own, into the table; an older entry with this id is freed. */
static struct image *store_replace(const struct image *spec)
{
	struct arena *a = arena_new();
	struct image *img = arena_zalloc(a, sizeof(*img)), *old = map_get(&images, spec->id);

	fields_copy(image_fields, img, spec, a);
	img->arena = a;
	img->pinned = matches_pinned(&img->tags) || matches_pinned(&img->digests);
	map_put(&images, img->id, img);
	if (old)
		arena_free(old->arena);
	return img;
}

static int store_write(const struct image *img, struct err *e)
{
	return record_write_fields(records_dir, digest_hex(img->id), IMAGE_VERSION, image_fields, img, NULL, e);
}

/* Every other image loses the tags that `owner` has. A record that cannot be written is logged and no failure: the next
 * start settles a tag that two records name. */
static void move_tags(const struct image *owner)
{
	struct arena *a = arena_new();

	for (struct map_slot *s = map_next(&images, NULL); s; s = map_next(&images, s)) {
		const struct image *img = s->value;
		struct image changed = *img;
		struct err e;

		changed.tags = without(&img->tags, &owner->tags, a);
		if (img == owner || changed.tags.n == img->tags.n)
			continue;
		s = NULL; /* store_replace() may move the slots: begin again */
		if (store_write(store_replace(&changed), &e) < 0)
			log_error("store_move_tags error=%s", log_quote(e.msg));
	}
	arena_free(a);
}

const char *store_document(const struct image *img)
{
	return *img->config_digest ? img->config_digest : img->id;
}

bool store_whole(const struct image *img)
{
	for (size_t i = 0; i < img->layers.n; i++)
		if (layer_by_dir(img->layers.at[i])->broken)
			return false;
	return true;
}

int store_add(const struct image *img, struct err *e)
{
	const struct image *old = map_get(&images, img->id);
	struct arena *a = arena_new();
	struct image next = *img;
	bool renewed = false; /* containers that run on the old layers keep them: their snapshots name them */
	int rc;

	if (old) {
		next.tags = joined(&old->tags, &img->tags, a);
		next.digests = joined(&old->digests, &img->digests, a);
		next.blobs = joined(&img->blobs, &old->blobs, a);
		renewed = !store_whole(old);
		if (!renewed) {
			next.layers = old->layers;
			next.size_bytes = old->size_bytes; /* a manifest of the same config may say any */
		}
	}
	next.pulled_at_ns = loop_real_ns();
	rc = store_write(&next, e);
	if (rc == 0) {
		img = store_replace(&next);
		for (size_t i = 0; i < img->layers.n; i++)
			layer_named(layer_by_dir(img->layers.at[i]));
		move_tags(img);
	}
	if (rc == 0 && renewed)
		unused_ring();
	arena_free(a);
	return rc < 0 ? err_wrap(e, "record of image") : 0;
}

/* How many images have an id that begins with these digits: 0, 1 or, for two and more, 2. *found is one of them. */
static int find_prefix(const char *digits, struct image **found)
{
	size_t n = strlen(digits);
	int count = 0;

	if (n < PREFIX_MIN || n > DIGEST_HEX || strspn(digits, "0123456789abcdef") != n)
		return 0;
	for (struct map_slot *s = map_next(&images, NULL); s && count < 2; s = map_next(&images, s))
		if (strncmp(digest_hex(s->key), digits, n) == 0) {
			*found = s->value;
			count++;
		}
	return count;
}

/* Where the text has a digest, the digest decides and the tag is ignored. */
static struct image *find_name(const char *text)
{
	struct arena *a = arena_new();
	struct image *found = NULL;
	const char *name;
	struct ref r;
	struct err e;

	if (ref_parse(&r, text, a, &e) == 0) {
		name = *r.digest ? ref_digested(&r, r.digest, a) : ref_tagged(&r, a);
		for (struct map_slot *s = map_next(&images, NULL); s && !found; s = map_next(&images, s)) {
			struct image *img = s->value;

			if (strings_have(*r.digest ? &img->digests : &img->tags, name))
				found = img;
		}
	}
	arena_free(a);
	return found;
}

/* In this order: a full id, a name, the beginning of an id. So an image with the name "cafe" wins over an id that
 * begins with "cafe". */
static int store_lookup(const char *ref, struct image **found)
{
	if (strncmp(ref, "sha256:", 7) == 0)
		return find_prefix(ref + 7, found);
	if (strlen(ref) == DIGEST_HEX)
		return find_prefix(ref, found);
	*found = find_name(ref);
	return *found ? 1 : find_prefix(ref, found);
}

const struct image *store_find(const char *ref)
{
	struct image *img = NULL;

	return store_lookup(ref, &img) == 1 ? img : NULL;
}

void store_each(void (*fn)(void *arg, const struct image *img), void *arg)
{
	for (struct map_slot *s = map_next(&images, NULL); s; s = map_next(&images, s))
		fn(arg, s->value);
}

int store_remove(const char *ref, struct err *e)
{
	struct image *img = NULL;
	int n = store_lookup(ref, &img);

	if (n > 1)
		return err_set(e, ERR_INVALID_ARGUMENT, "several images have ids that begin with %.80s", ref);
	if (n == 0)
		return 0;
	log_info("image_remove image=%.19s", img->id);
	record_remove(records_dir, digest_hex(img->id));
	map_drop(&images, img->id);
	arena_free(img->arena);
	unused_ring();
	return 0;
}

static void count_layer(void *arg, struct layer *l)
{
	struct images_usage *u = arg;

	u->used_bytes += l->bytes;
	u->inodes_used += l->inodes;
}

void store_usage(struct images_usage *out)
{
	*out = (struct images_usage){
		.mountpoint = images_config()->root, .used_bytes = content_bytes(), .inodes_used = content_inodes(),
		.at_ns = loop_real_ns()
	};
	layer_each(count_layer, out);
}

static int on_image_record(void *arg, const char *name, struct record *r, struct err *e)
{
	struct arena *a = arena_new();
	struct image img = { 0 };
	int rc = record_fields(r, image_fields, &img, a, e);
	bool lost = false;

	(void)arg;
	if (rc == 0 && (!digest_valid(img.id) || strcmp(digest_hex(img.id), name) != 0))
		rc = err_set(e, ERR_INTERNAL, "the record of image %s says that it is %.80s", name, img.id);
	for (size_t i = 0; rc == 0 && i < img.layers.n; i++) {
		struct layer *l = layer_by_dir(img.layers.at[i]);

		if (l)
			layer_named(l);
		else if (layer_lost(img.layers.at[i])) {
			lost = true;
			unread = unread || layer_unread(img.layers.at[i]); /* its other layers are needed then */
		} else
			rc = err_set(
				e, ERR_INTERNAL, "image %.12s: its layer %.40s does not exist", name, img.layers.at[i]);
	}
	if (rc == 0 && !lost)
		store_replace(&img);
	else if (rc == 0)
		log_warn("image_left_alone image=%.12s error=\"the record of a layer cannot be read\"", name);
	arena_free(a);
	return rc;
}

/* An image whose record is damaged is pulled again. */
static void on_image_lost(void *arg, const char *name, enum record_loss how)
{
	(void)arg;
	(void)name;
	unread = unread || how == RECORD_UNREAD;
}

static int newest_first(const void *x, const void *y)
{
	const struct image *a = *(struct image *const *)x, *b = *(struct image *const *)y;

	return (a->pulled_at_ns < b->pulled_at_ns) - (a->pulled_at_ns > b->pulled_at_ns);
}

/* Two records may name one tag (see the top of this file). From the newest to the oldest, each image takes its tags
 * away from all others: so a tag stays with the image that was pulled last. */
static void settle_tags(void)
{
	struct arena *a = arena_new();
	const struct image **all = arena_zalloc(a, images.used * sizeof(*all));
	const char **ids = arena_zalloc(a, images.used * sizeof(*ids));
	size_t n = 0;

	for (struct map_slot *s = map_next(&images, NULL); s; s = map_next(&images, s))
		all[n++] = s->value;
	qsort(all, n, sizeof(*all), newest_first);
	for (size_t i = 0; i < n; i++)
		ids[i] = arena_strdup(a, all[i]->id); /* move_tags() puts new objects in place of the old */
	for (size_t i = 0; i < n; i++)
		move_tags(map_get(&images, ids[i]));
	arena_free(a);
}

static void store_forget(void)
{
	for (struct map_slot *s = map_next(&images, NULL); s; s = map_next(&images, s))
		arena_free(((struct image *)s->value)->arena);
	map_free(&images);
}

int store_open(struct err *e)
{
	const char *root = images_config()->root;

	store_forget();
	unread = false;
	if (strlen(root) > PATH_MAX - 200)
		return err_set(e, ERR_INTERNAL, "the path %.100s.. is too long", root);
	if (dir_close(root, DIR_NO_GROUP, e) < 0)
		return -1;
	snprintf(records_dir, sizeof(records_dir), "%s/images", root);
	if (discard_open(root, e) < 0 || content_open(root, e) < 0 || layer_open(root, e) < 0 ||
	    record_each(records_dir, IMAGE_VERSION, on_image_record, on_image_lost, NULL, e) < 0)
		return err_wrap(e, "image store");
	settle_tags();
	is_open = true;
	unused_ring();
	return 0;
}
