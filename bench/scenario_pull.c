/* scenario_pull.c - pulls images of which no layer is on the node: one after the other, then all at once. When images
 * of the list share layers, the second mode shows whether a shared layer is fetched only once. */
#include <string.h>

#include "api.pb-c.h"
#include "bench/census.h"
#include "bench/cri_call.h"
#include "bench/scenarios.h"
#include "reactor/loop.h"

enum { IMAGES_MAX = 64, SETTLE_MS = 500 };

struct pulls {
	struct bench *bench;
	struct endpoint *ep;
	struct arena *arena;
	const char *mode;
	size_t open;
};

static size_t split(struct bench *b, char **image)
{
	char *save = NULL, *text = arena_strdup(b->arena, b->images);
	size_t n = 0;

	for (char *w = strtok_r(text, ",", &save); w && n < IMAGES_MAX; w = strtok_r(NULL, ",", &save))
		image[n++] = w;
	return n;
}

static void remove_all(struct bench *b, struct endpoint *ep, char **image, size_t n, struct arena *a)
{
	static const struct cri_method method = { "/runtime.v1.ImageService/RemoveImage",
						  &runtime__v1__remove_image_response__descriptor };
	struct err e;

	for (size_t i = 0; i < n && !bench_stopping(); i++) {
		Runtime__V1__ImageSpec spec = RUNTIME__V1__IMAGE_SPEC__INIT;
		Runtime__V1__RemoveImageRequest r = RUNTIME__V1__REMOVE_IMAGE_REQUEST__INIT;

		spec.image = image[i];
		r.image = &spec;
		if (!cri_ask(ep->client, &method, &r, a, NULL, &e))
			bench_fail(b, ep, "remove", &e);
	}
	bench_sleep(SETTLE_MS); /* a server may free things after its answer */
}

static void on_pulls_pulled(void *arg, const struct err *e, const void *response, int64_t took_ns)
{
	struct pulls *p = arg;

	(void)response;
	(void)took_ns;
	if (e)
		bench_fail(p->bench, p->ep, p->mode, e);
	if (--p->open == 0)
		bench_wake();
}

static void pulls_start(struct pulls *p, char *image)
{
	static const struct cri_method method = { "/runtime.v1.ImageService/PullImage",
						  &runtime__v1__pull_image_response__descriptor };
	Runtime__V1__ImageSpec spec = RUNTIME__V1__IMAGE_SPEC__INIT;
	Runtime__V1__PullImageRequest r = RUNTIME__V1__PULL_IMAGE_REQUEST__INIT;

	spec.image = image;
	r.image = &spec;
	p->open++;
	cri_call(p->ep->client, &method, &r, p->arena, on_pulls_pulled, p);
}

/* n images at once, timed together. */
static void pull_timed(struct pulls *p, char **image, size_t n, long round, const struct census *daemons)
{
	int64_t begin_ns = loop_mono_ns(), cpu_us = census_cpu_us(daemons);
	json_t *line;

	if (bench_stopping())
		return;
	for (size_t i = 0; i < n; i++)
		pulls_start(p, image[i]);
	bench_wait();
	if (bench_stopping())
		return;
	line = bench_sample(p->bench, p->ep, p->mode, round);
	bench_put_ns(line, "wall", loop_mono_ns() - begin_ns);
	bench_put_ns(line, "cpu", (census_cpu_us(daemons) - cpu_us) * 1000);
	bench_write(p->bench, line);
}

static void pull_round(struct bench *b, struct endpoint *ep, char **image, size_t n, long round)
{
	static struct census baseline, daemons;
	struct pulls p = { .bench = b, .ep = ep, .arena = arena_new(), .mode = "cold" };
	pid_t server;
	struct err e;

	if (census_server(ep->address, &server, &e) < 0)
		return bench_fail(b, ep, p.mode, &e);
	census_take(&baseline);
	census_daemons(&baseline, server, "", "", &daemons);
	remove_all(b, ep, image, n, p.arena);
	for (size_t i = 0; i < n && !bench_stopping(); i++)
		pull_timed(&p, &image[i], 1, round, &daemons);
	remove_all(b, ep, image, n, p.arena);
	p.mode = "cold, all at once";
	pull_timed(&p, image, n, round, &daemons);
	remove_all(b, ep, image, n, p.arena);
	arena_free(p.arena);
}

void scenario_pull(struct bench *b)
{
	char *image[IMAGES_MAX];
	size_t n = split(b, image);

	for (long round = 1; round <= b->rounds; round++) {
		for (size_t i = 0; i < b->endpoints && !bench_stopping(); i++) {
			struct endpoint *ep = &b->endpoint[(i + (size_t)round) % b->endpoints];

			bench_progress(b, (size_t)(round - 1) * b->endpoints + i, (size_t)b->rounds * b->endpoints,
				       ep->name);
			pull_round(b, ep, image, n, round);
		}
	}
}
