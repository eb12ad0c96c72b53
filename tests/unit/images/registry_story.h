/* registry_story.h - for the tests of registries: a result that collects the events, one transfer from start to end,
 * short answers. */
#ifndef TESTS_REGISTRY_STORY_H
#define TESTS_REGISTRY_STORY_H

#include <stdlib.h>

#include "images/registry.h"
#include "images/config.h"
#include "reactor/buf.h"
#include "tests/fakes/clock.h"
#include "tests/fakes/http.h"
#include "tests/tap.h"

static struct arena *arena;
static struct images_config cfg = { .registry_config_path = "" };

struct result {
	int calls;
	enum err_code code;
	char msg[1024], reason[64];
	struct buf body;
	int heads, refuse;
	struct registry_get *get;
};

static void on_head(void *arg, const struct registry_answer *a)
{
	struct result *r = arg;

	(void)a;
	r->heads++;
	buf_free(&r->body);
}

static bool on_data(void *arg, const void *p, size_t n)
{
	struct result *r = arg;

	if (r->refuse > 0 && r->refuse--)
		return false;
	buf_append(&r->body, p, n);
	return true;
}

static void on_done(void *arg, const struct err *e)
{
	struct result *r = arg;

	r->calls++;
	r->code = e ? e->code : ERR_OK;
	snprintf(r->msg, sizeof(r->msg), "%s", e ? e->msg : "");
	snprintf(r->reason, sizeof(r->reason), "%s", e && e->reason ? e->reason : "");
	r->get = NULL;
}

static struct registry *registry(const char *image, const struct registry_auth *auth)
{
	struct lookup *l = lookup_new("test");
	struct registry *r = NULL;
	struct ref ref;
	struct err e;

	if (ref_parse(&ref, image, arena, &e) < 0 || registry_new(&r, &ref, auth, l, &e) < 0)
		printf("# %s\n", e.msg);
	lookup_free(l);
	return r;
}

static inline void begin(
	struct result *out, const char *image, const struct registry_auth *auth, const char *kind, const char *name)
{
	struct registry *r = registry(image, auth);
	struct registry_events ev = { on_head, on_data, on_done, out };

	*out = (struct result){ 0 };
	out->get = registry_start(r, &(struct registry_request){ .method = "GET", .kind = kind, .name = name }, &ev);
	registry_release(r);
}

/* The whole transfer, with all its back-offs. */
static inline struct result get(const char *image, const struct registry_auth *auth, const char *kind, const char *name)
{
	static struct result r;

	buf_free(&r.body);
	begin(&r, image, auth, kind, name);
	clock_advance(600 * 1000);
	return r;
}

#define BLOB "0123456789abcdefghijklmnopqrstuvwxyz"
#define DIGEST "sha256:1111111111111111111111111111111111111111111111111111111111111111"

static inline void text(struct fake_answer *out, int status, const char *type, const char *body)
{
	out->status = status;
	out->headers[0] = type;
	out->body = body;
	out->len = strlen(body);
}

/* Takes the place of images/config.c. */
const struct images_config *images_config(void)
{
	return &cfg;
}

#endif
