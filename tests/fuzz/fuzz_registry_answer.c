/* fuzz_registry_answer.c - a registry's answer with its list of errors, and the answer of a token server that a
 * registry's challenge names.
 *
 * The first byte selects. An answer has one header a line, in the order of `names`, and then the body. For a token the
 * first line is the challenge, the second one, if the server redirects, its Location, and the rest is the token
 * server's body. The HTTP client is replaced by the functions below, so that no byte goes to a network. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "images/registry/auth.h"
#include "images/registry/reply.h"
#include "images/registry/url.h"
#include "reactor/http_client.h"
#include "reactor/loop.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char *const names[] = {
	"Content-Type", "Docker-Content-Digest", "Location", "WWW-Authenticate", "Content-Range", "Retry-After",
};
enum { LOCATION = 2, RANGE = 4, REDIRECTS_MAX = 10, NAMES = sizeof(names) / sizeof(names[0]) };

struct http {
	struct http_events events;
	bool live;
	unsigned started;
};

static struct http transfer;
static const char *values[NAMES];
static struct {
	unsigned calls;
	enum err_code code;
	char *token;
} got;

static void must(bool holds)
{
	if (!holds)
		abort();
}

const char *http_header(const struct http *http, const char *name)
{
	(void)http;
	for (size_t i = 0; i < NAMES; i++)
		if (strcmp(names[i], name) == 0)
			return values[i];
	abort();
}

/* The host of this target is asked by https, so credentials go to https or to this machine only. */
struct http *http_start(const struct http_request *request, const struct http_events *events)
{
	struct arena *a = arena_new();

	must(url_is_https(request->url) || domain_is_loopback(url_host(request->url, a)));
	must(!request->headers || !strpbrk(request->headers[0], "\r\n")); /* none: another server after a redirect */
	must(!transfer.live);
	transfer = (struct http){ *events, true, transfer.started + 1 };
	arena_free(a);
	return &transfer;
}

void http_cancel(struct http *http)
{
	must(http == &transfer && transfer.live);
	transfer.live = false;
}

static char *take_line(struct arena *a, const uint8_t **data, size_t *size)
{
	const uint8_t *end = memchr(*data, '\n', *size);
	size_t n = end ? (size_t)(end - *data) : *size;
	char *text = arena_strndup(a, (const char *)*data, n);

	*data += end ? n + 1 : n;
	*size -= end ? n + 1 : n;
	return text;
}

static void answer(struct arena *a, const uint8_t *data, size_t size)
{
	struct reply reply = { 0 };
	const char *said;

	for (size_t i = 0; i < NAMES; i++) {
		values[i] = take_line(a, &data, &size);
		if (strcmp(values[i], "-") == 0)
			values[i] = NULL; /* the header is absent */
	}
	reply_head(&reply, &transfer, 404);
	must(reply.retry_after_ms >= 0 && reply.retry_after_ms <= 60000);
	must(reply.range_from == UINT64_MAX || strncasecmp(values[RANGE], "bytes ", 6) == 0);
	must(reply_body(&reply, data, size / 2) && reply_body(&reply, data + size / 2, size - size / 2));
	must(reply.body_bytes == size);
	said = reply_text(&reply, a);
	must(strncmp(said, "status 404", 10) == 0 && strlen(said) <= 12 + 300 + 2 + 300);
	for (; *said; said++)
		must((unsigned char)*said >= ' ' && *said != 0x7f);
	reply_free(&reply);
	must(!reply.arena && !reply.body.at);
}

static void on_token(void *arg, const struct err *e, const char *token)
{
	(void)arg;
	must(!e == !!token);
	free(got.token);
	got.calls++;
	if (e)
		got.code = e->code;
	got.token = token ? strdup(token) : NULL;
}

/* The transfer goes as the client's does: head, data in two pieces, done. */
static void serve(int status, const uint8_t *data, size_t size)
{
	transfer.live = false;
	transfer.events.head(transfer.events.arg, &transfer, status);
	must(transfer.events.data(transfer.events.arg, data, size / 2));
	must(transfer.events.data(transfer.events.arg, data + size / 2, size - size / 2));
	transfer.events.done(transfer.events.arg, NULL);
}

static void check_token(const struct token_spec *spec, int status)
{
	static char first[4096];
	unsigned asked = transfer.started;
	struct token_spec again = *spec;
	struct token_get *get;

	must(status == 200 && *got.token && !strpbrk(got.token, " \r\n"));
	if (strlen(got.token) >= sizeof(first))
		return;
	strcpy(first, got.token);
	again.fresh = false;
	get = token_start(&again, on_token, NULL);
	loop_turn();
	if (transfer.started != asked)
		return token_cancel(get); /* the token was valid for less than the margin */
	must(got.calls == 2 && got.token && strcmp(got.token, first) == 0);
}

static void token(struct arena *a, int status, const uint8_t *data, size_t size)
{
	struct host host = { .url = "https://registry.example:5000/v2" };
	const struct hosts hosts = { .at = &host, .n = 1, .file = "" };
	const struct credentials user = { "me", "secret", "", "" }, refresh = { "", "", "refresh", "" };
	struct challenge challenge;
	struct token_spec spec = { &challenge, size % 2 ? &user : &refresh, &hosts, &host, true };

	challenge_parse(&challenge, take_line(a, &data, &size), a);
	if (!challenge.bearer)
		return;
	memset(values, 0, sizeof(values));
	if (status / 100 == 3)
		values[LOCATION] = take_line(a, &data, &size);
	must(*challenge.realm);
	got.calls = 0;
	token_start(&spec, on_token, NULL);
	must(!got.calls);
	loop_turn();
	for (int i = 0; transfer.live && i <= REDIRECTS_MAX; i++)
		serve(status, data, size);
	must(got.calls == 1 && !transfer.live);
	if (got.token)
		check_token(&spec, status);
	else if (got.code != ERR_INTERNAL)
		must(got.code == (status == 401 ? ERR_UNAUTHENTICATED : ERR_UNAVAILABLE) && status != 200);
	must(!transfer.live);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const int statuses[] = { 200, 200, 401, 429, 503, 204, 302, 307 };
	struct arena *a;

	if (!size)
		return 0;
	a = arena_new();
	if (data[0] % 2)
		answer(a, data + 1, size - 1);
	else
		token(a, statuses[data[0] / 2 % 8], data + 1, size - 1);
	arena_free(a);
	return 0;
}
