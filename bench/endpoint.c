/* endpoint.c - see endpoint.h. */
#include "bench/endpoint.h"

#include <string.h>

#include "api.pb-c.h"
#include "bench/cri_call.h"
#include "reactor/list.h"
#include "reactor/loop.h"

enum { AGAIN_MS = 50 };

int endpoint_open(struct endpoint *ep, struct arena *arena, const char *text, struct err *e)
{
	const char *equals = strchr(text, '='), *at = equals ? strchr(equals, '@') : NULL;

	if (!at || equals == text)
		return err_set(e, ERR_INVALID_ARGUMENT, "%s is not NAME=HANDLER@ADDRESS", text);
	ep->name = arena_strndup(arena, text, (size_t)(equals - text));
	ep->pods.runtime_handler = arena_strndup(arena, equals + 1, (size_t)(at - equals - 1));
	ep->address = arena_strdup(arena, at + 1);
	if (strncmp(ep->address, TWIN_SCHEME, strlen(TWIN_SCHEME)) == 0)
		ep->twin = twin_open(ep->address + strlen(TWIN_SCHEME), e);
	else
		ep->client = grpc_client_new(ep->address, e);
	return ep->client || ep->twin ? 0 : -1;
}

void endpoint_close(struct endpoint *ep)
{
	if (ep->client)
		grpc_client_free(ep->client);
	if (ep->twin)
		twin_close(ep->twin);
	ep->client = NULL;
	ep->twin = NULL;
}

void endpoint_abandon(struct endpoint *ep)
{
	bool server = ep->client != NULL;
	struct err e;

	endpoint_close(ep);
	if (server)
		ep->client = grpc_client_new(ep->address, &e); /* cannot fail: endpoint_open() accepted the address */
}

struct preparation {
	struct endpoint *ep;
	struct arena *arena;
	struct timer again;
	int64_t patience_ms, end_ns;
	bool ended, failed;
	struct err e;
};

static void prepare_end(struct preparation *p, const struct err *e)
{
	p->ended = true;
	p->failed = e != NULL;
	if (e)
		p->e = *e;
	loop_stop();
}

static void on_prepare_pulled(void *arg, const struct err *e, const void *response, int64_t took_ns)
{
	(void)response;
	(void)took_ns;
	prepare_end(arg, e);
}

static void prepare_pull(struct preparation *p)
{
	static const struct cri_method method = { "/runtime.v1.ImageService/PullImage",
						  &runtime__v1__pull_image_response__descriptor };
	Runtime__V1__ImageSpec image = RUNTIME__V1__IMAGE_SPEC__INIT;
	Runtime__V1__PullImageRequest r = RUNTIME__V1__PULL_IMAGE_REQUEST__INIT;

	image.image = (char *)p->ep->pods.image;
	r.image = &image;
	cri_call(p->ep->client, &method, &r, p->arena, on_prepare_pulled, p);
}

static void prepare_ask(struct timer *again);

/* Only the two conditions of CRI count. Servers may report further conditions. */
static bool condition_counts(const char *type)
{
	return strcmp(type, "RuntimeReady") == 0 || strcmp(type, "NetworkReady") == 0;
}

/* The first condition that is not met, with its reason and message; NULL: all are met. */
static const char *not_ready(struct arena *a, const Runtime__V1__StatusResponse *r)
{
	size_t n = r->status ? r->status->n_conditions : 0;

	if (!n)
		return "no conditions";
	for (size_t i = 0; i < n; i++) {
		const Runtime__V1__RuntimeCondition *c = r->status->conditions[i];

		if (!c->status && condition_counts(c->type))
			return arena_printf(a, "%s is false: %s %s", c->type, c->reason, c->message);
	}
	return NULL;
}

static void on_prepare_status(void *arg, const struct err *e, const void *response, int64_t took_ns)
{
	struct preparation *p = arg;
	const char *why = e ? e->msg : not_ready(p->arena, response);
	struct err late;

	(void)took_ns;
	if (!why)
		return prepare_pull(p);
	if (loop_mono_ns() < p->end_ns)
		return timer_set(&p->again, AGAIN_MS, prepare_ask);
	err_set(&late, ERR_DEADLINE_EXCEEDED, "not ready after %.1f s: %s", (double)p->patience_ms / 1e3, why);
	prepare_end(p, &late);
}

static void prepare_ask(struct timer *again)
{
	static const struct cri_method method = { "/runtime.v1.RuntimeService/Status",
						  &runtime__v1__status_response__descriptor };
	struct preparation *p = container_of(again, struct preparation, again);
	Runtime__V1__StatusRequest r = RUNTIME__V1__STATUS_REQUEST__INIT;

	cri_call(p->ep->client, &method, &r, p->arena, on_prepare_status, p);
}

int endpoint_prepare(struct endpoint *ep, int64_t patience_ms, struct err *e)
{
	struct preparation p = {
		.ep = ep, .arena = arena_new(), .patience_ms = patience_ms,
		.end_ns = loop_mono_ns() + patience_ms * 1000000,
	};

	if (ep->twin)
		p.ended = true;
	else
		prepare_ask(&p.again);
	if (!p.ended)
		loop_run();
	timer_clear(&p.again);
	arena_free(p.arena);
	if (p.ended && !p.failed)
		return 0;
	if (p.ended)
		*e = p.e;
	else
		err_set(e, ERR_CANCELLED, "interrupted");
	return err_wrap(e, "%s", ep->name);
}
