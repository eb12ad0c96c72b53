/* record.c - the record of a pulled image: its names, its layers from the bottom up, its size. See job.h. */
#include <string.h>

#include "images/pull/job.h"
#include "images/store.h"

static struct strings one_string(const char *s, struct arena *a)
{
	struct strings out = { arena_zalloc(a, sizeof(*out.at)), s ? 1 : 0 };

	out.at[0] = s;
	return out;
}

struct strings pull_tags(struct pull_job *j)
{
	return one_string(*j->ref.digest ? NULL : ref_tagged(&j->ref, j->arena), j->arena);
}

/* A layer may occur twice in an image, but overlayfs takes each directory only once. The layer's uppermost place is
 * enough: everything that it adds or hides at the lower place it also adds or hides at the upper one.
 * (ARCHITECTURE X21) */
static struct strings record_layers(struct pull_job *j)
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

static int record_names(struct pull_job *j, struct image *img, struct err *e)
{
	const struct strings *names = j->local ? &j->local->names : NULL;
	struct ref ref;

	if (!names) {
		img->tags = pull_tags(j);
		img->digests = one_string(ref_digested(&j->ref, j->top_digest, j->arena), j->arena);
		return 0;
	}
	img->tags.at = arena_zalloc(j->arena, names->n * sizeof(*img->tags.at));
	img->digests.at = arena_zalloc(j->arena, names->n * sizeof(*img->digests.at));
	for (size_t i = 0; i < names->n; i++) {
		if (ref_parse(&ref, names->at[i], j->arena, e) < 0)
			return -1;
		if (*ref.tag)
			img->tags.at[img->tags.n++] = ref_tagged(&ref, j->arena);
		img->digests.at[img->digests.n++] = ref_digested(&ref, j->top_digest, j->arena);
	}
	return 0;
}

/* The record of an id has one meaning, whoever pulls it, and by whatever name: what the config does not say needs the
 * digest of the manifest. (ARCHITECTURE I69, I72) */
const char *pull_record(struct pull_job *j, struct err *e)
{
	const char *config = j->manifest.config.digest;
	bool own = *j->manifest.artifact || *j->config.checkpoint;
	struct image img = { .id = own ? j->manifest_digest : config, .config = j->config, .blobs = j->blobs,
			     .config_digest = *j->config.checkpoint ? config : "", .layers = record_layers(j) };

	if (record_names(j, &img, e) < 0)
		return NULL;
	img.size_bytes = j->manifest_bytes + (*j->manifest.artifact ? 0 : j->manifest.config.size_bytes);
	for (size_t i = 0; i < j->manifest.nlayers; i++)
		img.size_bytes += j->manifest.layers[i].size_bytes;
	return store_add(&img, e) < 0 ? NULL : img.id;
}
