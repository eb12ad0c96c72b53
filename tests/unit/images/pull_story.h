/* pull_story.h - a registry in memory with images of any layers, for the tests of fetches and pulls. */
#ifndef TESTS_PULL_STORY_H
#define TESTS_PULL_STORY_H

#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "images/config.h"
#include "images/digest.h"
#include "images/gc.h"
#include "images/layer.h"
#include "images/pull.h"
#include "images/snapshot.h"
#include "images/store.h"
#include "images/unpack.h"
#include "images/unused.h"
#include "reactor/arena.h"
#include "reactor/buf.h"
#include "tests/fakes/clock.h"
#include "tests/fakes/http.h"
#include "tests/fakes/unpack.h"
#include "tests/tap.h"

#define OCI "application/vnd.oci.image."
#if defined(__x86_64__)
#define OUR_ARCH "amd64"
#elif defined(__aarch64__)
#define OUR_ARCH "arm64"
#endif

enum { BLOBS = 128 };

static char root[] = "/tmp/test_pull.XXXXXX";
static struct images_config cfg = { .registry_config_path = "", .min_free = "0", .parallel_downloads = 6 };
static struct arena *arena;
static struct err fault;

/* What the registry has. */
static struct blob {
	const char *name; /* "blobs/sha256:..", "manifests/v1" */
	const char *data, *type, *digest;
	size_t len;
} blobs[BLOBS];
static int nblobs;

/* The wrong answer that it gives to requests whose URL has `trouble` in it. */
static const char *trouble = "";
static struct fake_answer wrong;
static int wrong_times = -1; /* -1: always */

/* Snapshots, as gc sees them. */
bool snapshot_is_open(void)
{
	return true;
}

bool snapshot_any_lost(void)
{
	return false;
}

void snapshot_each_layers(void (*fn)(void *arg, const struct strings *layers), void *arg)
{
	(void)fn;
	(void)arg;
}

static inline const char *digest_text(const char *data, size_t len)
{
	char d[DIGEST_SIZE];

	digest_of(data, len, d);
	return arena_strdup(arena, d);
}

static inline struct blob *blob_at(const char *name)
{
	for (int i = 0; i < nblobs; i++)
		if (strcmp(blobs[i].name, name) == 0)
			return &blobs[i];
	return NULL;
}

static inline void put_blob(const char *name, const char *data, const char *type)
{
	struct blob *b = blob_at(name);

	if (!b && nblobs == BLOBS)
		abort();
	b = b ? b : &blobs[nblobs++];
	*b = (struct blob){ name, data, type, digest_text(data, strlen(data)), strlen(data) };
}

/* A manifest under its digest and under a tag. */
static inline const char *put_manifest(const char *tag, const char *text, const char *type)
{
	const char *digest = digest_text(text, strlen(text));

	put_blob(arena_printf(arena, "manifests/%s", digest), text, type);
	if (tag)
		put_blob(arena_printf(arena, "manifests/%s", tag), text, type);
	return digest;
}

/* An image of these layers (NULL-terminated); its manifest's digest. The fake unpacker's diff_id is the blob's digest.
 */
static inline const char *put_image(const char *tag, const char *const *layers)
{
	const char *config = "", *list = "", *text, *d;

	for (int i = 0; layers[i]; i++) {
		d = digest_text(layers[i], strlen(layers[i]));
		put_blob(arena_printf(arena, "blobs/%s", d), layers[i], "application/octet-stream");
		config = arena_printf(arena, "%s%s\"%s\"", config, i ? "," : "", d);
		list = arena_printf(arena, "%s%s{\"mediaType\":\"" OCI "layer.v1.tar\",\"digest\":\"%s\",\"size\":%zu}",
			list, i ? "," : "", d, strlen(layers[i]));
	}
	text = arena_printf(arena, "{\"os\":\"linux\",\"config\":{\"Cmd\":[\"%s\"]},\"rootfs\":{\"diff_ids\":[%s]}}",
		tag ? tag : "-", config);
	d = digest_text(text, strlen(text));
	put_blob(arena_printf(arena, "blobs/%s", d), text, "application/octet-stream");
	text = arena_printf(arena,
		"{\"schemaVersion\":2,\"config\":{\"mediaType\":\"" OCI
		"config.v1+json\",\"digest\":\"%s\",\"size\":%zu},"
		"\"layers\":[%s]}",
		d, strlen(text), list);
	return put_manifest(tag, text, OCI "manifest.v1+json");
}

#define IMAGE(tag, ...) put_image(tag, (const char *const[]){ __VA_ARGS__, NULL })

static inline void serve(const struct http_request *q, struct fake_answer *out)
{
	struct blob *b = NULL;

	if (*trouble && strstr(q->url, trouble) && wrong_times != 0) {
		wrong_times -= wrong_times > 0;
		*out = wrong;
		return;
	}
	for (int i = 0; i < nblobs && !b; i++) {
		const char *at = strstr(q->url, blobs[i].name);

		if (at && at[-1] == '/' && at[strlen(blobs[i].name)] == '\0')
			b = &blobs[i];
	}
	if (!b) {
		*out = (struct fake_answer){
			.status = 404, .body = "{\"errors\":[{\"code\":\"MANIFEST_UNKNOWN\"}]}", .len = 41
		};
		return;
	}
	fake_http_blob(q, out, b->data, b->len);
	out->headers[out->headers[0] ? 1 : 0] = arena_printf(arena, "Content-Type: %s", b->type);
	out->headers[out->headers[1] ? 2 : 1] = arena_printf(arena, "Docker-Content-Digest: %s", b->digest);
	if (strcmp(q->method, "HEAD") == 0)
		out->len = 0;
}

/* A registry that works, without any request so far. */
static inline void fresh_registry(void)
{
	trouble = "";
	wrong = (struct fake_answer){ 0 };
	wrong_times = -1;
	fake_http_piece = 0;
	fake_http_serve(serve);
}

/* Images on an empty root, as handlers/main.c opens them. */
static inline void opened(void)
{
	images_configure(&cfg);
	unpack_open();
	gc_open();
	ok(store_open(&fault) == 0 && pull_open(&fault) == 0);
}

static inline int files_in(const char *dir)
{
	FILE *f = popen(arena_printf(arena, "ls -A %s/%s | wc -l", root, dir), "r");
	int n = -1;

	if (fscanf(f, "%d", &n) != 1)
		n = -1;
	pclose(f);
	return n;
}

#endif
