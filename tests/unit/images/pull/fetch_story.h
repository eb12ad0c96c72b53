/* fetch_story.h - what the tests of single layers share: a session with a registry in memory, a fetch, and its end. */
#ifndef TESTS_UNIT_IMAGES_PULL_FETCH_STORY_H
#define TESTS_UNIT_IMAGES_PULL_FETCH_STORY_H

#include "images/pull/fetch.h"
#include "tests/unit/images/pull_story.h"

struct result {
	int calls;
	enum err_code code;
	char msg[1024];
	struct layer *layer;
};

static inline void on_fetched(void *arg, const struct err *e, struct layer *l)
{
	struct result *r = arg;

	r->calls++;
	r->code = e ? e->code : ERR_OK;
	r->layer = l;
	snprintf(r->msg, sizeof(r->msg), "%s", e ? e->msg : "");
}

static inline struct registry *session(const char *image)
{
	struct lookup *l = lookup_new("test");
	struct registry *r = NULL;
	struct ref ref;

	ok(ref_parse(&ref, image, arena, &fault) == 0 && registry_new(&r, &ref, NULL, l, &fault) == 0);
	lookup_free(l);
	return r;
}

static inline struct fetch_spec spec_of(struct registry *from, const char *layer)
{
	struct descriptor *d = arena_zalloc(arena, sizeof(*d));

	*d = (struct descriptor){ .media_type = OCI "layer.v1.tar", .digest = digest_text(layer, strlen(layer)),
				  .size_bytes = strlen(layer) };
	return (struct fetch_spec){ .from = from, .blob = d, .diff_id = d->digest };
}

static inline struct fetch *begin(struct registry *from, const char *layer, struct result *r)
{
	struct fetch_spec spec = spec_of(from, layer);

	put_blob(arena_printf(arena, "blobs/%s", spec.diff_id), layer, "application/octet-stream");
	*r = (struct result){ 0 };
	return fetch_start(&spec, on_fetched, r);
}

/* Of a fetch from r.example. */
static inline const char *partial_of(const char *layer)
{
	struct registry *from = session("r.example/a:v1");
	struct fetch_spec spec = spec_of(from, layer);
	char key[DIGEST_SIZE];

	fetch_key(&spec, key);
	registry_release(from);
	return arena_printf(arena, "%s/partial/%s", root, digest_hex(key));
}

static inline void put_partial(const char *layer, const char *bytes)
{
	FILE *f = fopen(partial_of(layer), "w");

	fputs(bytes, f);
	fclose(f);
}

/* The directory has the layer's bytes. */
static inline bool in_place(const struct result *r, const char *layer)
{
	char got[256] = "";
	FILE *f;

	if (r->calls != 1 || r->code != ERR_OK) {
		printf("# %d calls, %s\n", r->calls, r->msg);
		return false;
	}
	f = fopen(arena_printf(arena, "%s/layers/%s/content", root, r->layer->dir), "r");
	if (!f || !fgets(got, sizeof(got), f))
		return false;
	fclose(f);
	return strcmp(got, layer) == 0 && access(partial_of(layer), F_OK) < 0;
}

#endif
