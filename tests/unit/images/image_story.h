/* image_story.h - what the tests of whole pulls share: one pull, and an empty store again. */
#ifndef TESTS_UNIT_IMAGES_IMAGE_STORY_H
#define TESTS_UNIT_IMAGES_IMAGE_STORY_H

#include "images/content.h"
#include "images/pull.h"
#include "tests/unit/images/pull_story.h"

struct result {
	int calls;
	enum err_code code;
	char msg[1024], id[80];
};

static inline void on_pulled(void *arg, const struct err *e, const char *id)
{
	struct result *r = arg;

	r->calls++;
	r->code = e ? e->code : ERR_OK;
	snprintf(r->msg, sizeof(r->msg), "%s", e ? e->msg : "");
	snprintf(r->id, sizeof(r->id), "%s", id ? id : "");
}

static inline struct result pull(const char *ref)
{
	struct result r = { 0 };

	pull_start(ref, NULL, on_pulled, &r);
	ok(r.calls == 0); /* never inside the start */
	clock_advance(120 * 1000);
	ok(r.calls == 1 && clock_waiting() <= 1); /* gc's timer */
	return r;
}

/* Removes all images, layers and blobs. */
static inline void clean(void)
{
	for (const char *names[] = { "r.example/a:v1", "r.example/a:v2", "r.example/b:v1", NULL }, **n = names; *n; n++)
		store_remove(*n, &fault);
	unused_ring();
	clock_run();
}

#endif
