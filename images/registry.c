/* registry.c - see registry.h.
 *
 *   START --> ASK --2xx--> BODY --complete--> DONE
 *     ^        |  ^          |
 *     |        |  +--3xx-----|---- (at another URL)
 *     |        +--401--> TOKEN --> ASK
 *     |        +--------- error, broken body ---> ASK at the next host; after the last one:
 *     +--back-off over---- BACKOFF <------------- worth another round, and rounds are left
 *                          FAILED  <------------- else
 *
 * Waits on: the transfer (ASK, BODY), the token server (TOKEN), one timer (START, BACKOFF; ASK: the body of an error is
 * too long). A round asks each host once. A host that gave a definite answer (401, 403, 404..) is not asked again. When
 * PROGRESS_BYTES more have arrived, the count of rounds begins at 0 again. */
#include "images/registry.h"

#include <inttypes.h>
#include <string.h>
#include <strings.h>
#include <time.h>

#include "images/config.h"
#include "images/manifest.h"
#include "images/registry/auth.h"
#include "images/registry/hosts_toml.h"
#include "images/registry/reply.h"
#include "images/registry/url.h"
#include "reactor/arena.h"
#include "reactor/buf.h"
#include "reactor/http_client.h"
#include "reactor/list.h"
#include "reactor/log.h"
#include "reactor/loop.h"
#include "reactor/own.h"
#include "reactor/sm.h"

enum { ROUNDS = 5, BACKOFF_MS = 500, REDIRECTS = 10, HOSTS_MAX = 32, HEADERS_MAX = 40 };
#define PROGRESS_BYTES (UINT64_C(1) << 20)

struct registry {
	int users;
	struct ref ref;
	struct credentials credentials;
	bool for_server; /* the credentials are for the last host alone */
	struct hosts hosts;
	const char *authorization[HOSTS_MAX]; /* sent to each host; NULL: the host has not asked for it so far */
	uint32_t dead;                        /* bit n: host n could not be reached, and there are other hosts */
	struct arena *arena;
};

int registry_new(struct registry **out, const struct ref *ref, const struct registry_auth *auth,
	struct lookup *lookup, struct err *e)
{
	struct arena *a = arena_new();
	struct registry *r = arena_zalloc(a, sizeof(*r));

	*r = (struct registry){ .users = 1, .arena = a };
	r->ref = (struct ref){ arena_strdup(a, ref->domain), arena_strdup(a, ref->repository),
		arena_strdup(a, ref->tag), arena_strdup(a, ref->digest) };
	if (credentials_from(&r->credentials, auth, ref->domain, a, e) < 0 ||
	    hosts_load(&r->hosts, lookup, images_config()->registry_config_path, ref->domain, a, e) < 0) {
		arena_free(a);
		return -1;
	}
	for (size_t i = 0; i < r->hosts.warnings.n; i++)
		log_warn("hosts_toml file=%s warning=%s", log_quote(r->hosts.file), log_quote(r->hosts.warnings.at[i]));
	if (r->hosts.n > HOSTS_MAX) {
		log_warn("hosts_toml file=%s error=\"more than %d hosts: further mirrors are left out\"",
			log_quote(r->hosts.file), HOSTS_MAX);
		r->hosts.at[HOSTS_MAX - 1] = r->hosts.at[r->hosts.n - 1]; /* the server stays the last one */
		r->hosts.n = HOSTS_MAX;
	}
	r->for_server = auth && auth->node;
	/* A token is sent without being asked for, so only the registry of the image gets it. A mirror gets none: its
	 * operator could use the token at that registry. (ARCHITECTURE I30) */
	for (size_t i = 0; *r->credentials.bearer && i < r->hosts.n; i++)
		if (!r->hosts.at[i].mirror)
			r->authorization[i] = arena_printf(a, "Bearer %s", r->credentials.bearer);
	*out = r;
	return 0;
}

const char *registry_domain(const struct registry *r)
{
	return r->ref.domain;
}

struct registry *registry_hold(struct registry *r)
{
	r->users++;
	return r;
}

void registry_release(struct registry *r)
{
	if (--r->users == 0)
		arena_free(r->arena);
}

enum get_state { START, ASK, BODY, TOKEN, BACKOFF, DONE, FAILED };

static const struct sm_state get_states[] = {
	[START]   = { "START",   TO(ASK) | TO(FAILED) },
	[ASK]     = { "ASK",     TO(ASK) | TO(BODY) | TO(TOKEN) | TO(BACKOFF) | TO(FAILED) },
	[BODY]    = { "BODY",    TO(DONE) | TO(ASK) | TO(BACKOFF) | TO(FAILED) },
	[TOKEN]   = { "TOKEN",   TO(ASK) | TO(BACKOFF) | TO(FAILED) },
	[BACKOFF] = { "BACKOFF", TO(START) },
	[DONE]    = { "DONE",    0 },
	[FAILED]  = { "FAILED",  0 },
};

struct registry_get {
	struct sm sm;
	struct registry *r; /* held */
	struct registry_request q;
	struct registry_events ev;

	size_t host;          /* the host that is asked; from hosts.n on: the foreign layer's urls */
	uint32_t settled;     /* bit n: host n gave a definite answer */
	const char *url;      /* of the request: the host's, or the target of its redirect */
	bool away;            /* url has another origin than the host: it gets no credentials */
	bool asked_token;     /* for this host, in this round */
	int redirects, rounds;
	uint64_t got, mark;   /* bytes delivered; and how many when the count of rounds last began at 0 */
	uint64_t skip;        /* bytes to drop from an answer that begins at 0 although a range was asked for */

	struct http *http;
	struct token_get *token;
	struct timer timer;
	struct reply reply;   /* of the request that runs */
	bool retry;           /* some host of this round failed in a way that may pass: another round makes sense */
	int64_t wait_ms;      /* from a host's Retry-After */
	struct err last;
	struct arena *arena;
};

static void registry_ask(struct registry_get *g);
static void on_registry_start(struct timer *t);

static size_t hosts_and_urls(const struct registry_get *g)
{
	return g->r->hosts.n + (g->q.urls ? g->q.urls->n : 0);
}

static bool is_blob(const struct registry_get *g)
{
	return strcmp(g->q.kind, "blobs") == 0;
}

static const struct host *host_of(const struct registry_get *g)
{
	static const struct host nobody = { .url = "https://", .pull = true };

	return g->host < g->r->hosts.n ? &g->r->hosts.at[g->host] : &nobody;
}

static const struct credentials *credentials_of(const struct registry_get *g)
{
	static const struct credentials anonymous = { "", "", "", "" };

	return g->r->for_server && g->host + 1 != g->r->hosts.n ? &anonymous : &g->r->credentials;
}

static void get_free(struct registry_get *g)
{
	timer_clear(&g->timer);
	if (g->http)
		http_cancel(g->http);
	if (g->token)
		token_cancel(g->token);
	reply_free(&g->reply);
	registry_release(g->r);
	arena_free(g->arena);
}

static void registry_finish(struct registry_get *g, const struct err *e)
{
	struct registry_events ev = g->ev;
	struct err copy;

	if (e)
		copy = *e;
	sm_move(&g->sm, e ? FAILED : DONE);
	get_free(g);
	ev.done(ev.arg, e ? &copy : NULL);
}

/* ---- which host next ---- */

static bool host_usable(const struct registry_get *g, size_t i)
{
	const struct host *h = &g->r->hosts.at[i];
	bool by_tag = !is_blob(g) && strncmp(g->q.name, "sha256:", 7) != 0;

	if (i >= g->r->hosts.n)
		return true;
	return (by_tag ? h->resolve : h->pull) && !(g->settled & 1u << i) && !(g->r->dead & 1u << i);
}

/* Moves g->host to the next usable one, from `from` on. */
static bool choose_host(struct registry_get *g, size_t from)
{
	for (g->host = from; g->host < hosts_and_urls(g); g->host++)
		if (host_usable(g, g->host))
			break;
	g->redirects = 0;
	g->asked_token = false;
	g->away = g->host >= g->r->hosts.n;
	if (g->host >= hosts_and_urls(g))
		return false;
	if (g->away) {
		g->url = g->q.urls->at[g->host - g->r->hosts.n];
		return true;
	}
	g->url = arena_printf(g->arena, "%s/%s/%s/%s%s%s", host_of(g)->url, g->r->ref.repository, g->q.kind, g->q.name,
		host_of(g)->mirror ? "?ns=" : "", host_of(g)->mirror ? url_escape(g->r->ref.domain, g->arena) : "");
	return true;
}

static void registry_back_off(struct registry_get *g)
{
	int64_t ms = g->wait_ms > 0 ? g->wait_ms : (int64_t)BACKOFF_MS << g->rounds;

	g->rounds++;
	log_info("registry_retry host=%s name=%.19s round=%d wait_ms=%" PRId64 " error=%s", g->r->ref.domain, g->q.name,
		g->rounds, ms, log_quote(g->last.msg));
	sm_move(&g->sm, BACKOFF);
	timer_set(&g->timer, ms, on_registry_start);
}

/* The server itself is asked last. Its definite answer ends the transfer, even if mirrors failed in a way that may
 * pass. */
static void registry_end_of_round(struct registry_get *g)
{
	bool definite = g->settled & 1u << (g->r->hosts.n - 1);

	if (g->retry && !definite && !g->q.once && g->rounds + 1 < ROUNDS)
		return registry_back_off(g);
	if (g->last.code == ERR_UNAVAILABLE)
		g->last.reason = "RegistryUnavailable";
	registry_finish(g, &g->last);
}

/* The host failed with *e. retry: the failure may pass, so the next round asks the host again. */
static void registry_next_host(struct registry_get *g, const struct err *e, bool retry)
{
	g->last = *e;
	g->retry |= retry;
	if (g->host < g->r->hosts.n && !retry)
		g->settled |= 1u << g->host;
	if (is_blob(g) && g->got - g->mark >= PROGRESS_BYTES) {
		g->mark = g->got;
		g->rounds = 0;
	}
	if (g->host + 1 < hosts_and_urls(g))
		log_info("registry_next_host url=%s error=%s", log_quote(url_no_query(g->url, g->arena)),
			log_quote(e->msg));
	if (!choose_host(g, g->host + 1))
		return registry_end_of_round(g);
	registry_ask(g);
}

/* An error about this answer. The URL in it has no query, because a query may contain secrets. */
static void answer_error(struct registry_get *g, struct err *e, enum err_code code, const char *text)
{
	err_set(e, code, "%s %s: %s", g->q.method, url_no_query(g->url, g->arena), text);
}

static void give_up_host(struct registry_get *g, enum err_code code, const char *text, bool retry)
{
	struct err e;

	answer_error(g, &e, code, text);
	registry_next_host(g, &e, retry);
}

/* A name that does not resolve now is no business of the image: the registry is unavailable. But it is not asked again:
 * resolvers try several times themselves, and with serialized pulls every other pull would wait. */
static enum err_code unreached(enum err_code code)
{
	return code == ERR_NOT_FOUND ? ERR_UNAVAILABLE : code;
}

/* ---- 401 ---- */

static const char *whose_fault(const struct registry_get *g)
{
	const struct credentials *who = credentials_of(g);
	bool anonymous = !*who->user && !*who->refresh_token && !*who->bearer;

	return anonymous ? "no credentials were given" : "the credentials are refused";
}

static void on_registry_token(void *arg, const struct err *e, const char *token)
{
	struct registry_get *g = arg;

	g->token = NULL;
	if (e && e->code == ERR_UNAUTHENTICATED)
		return give_up_host(g, e->code, arena_printf(g->arena, "%s (%s)", e->msg, whose_fault(g)), false);
	if (e)
		return give_up_host(g, unreached(e->code), e->msg, e->code == ERR_UNAVAILABLE);
	g->r->authorization[g->host] = arena_printf(g->r->arena, "Bearer %s", token);
	registry_ask(g);
}

static void registry_ask_token(struct registry_get *g, struct challenge *c)
{
	struct token_spec spec = {
		c, credentials_of(g), &g->r->hosts, host_of(g), g->r->authorization[g->host] != NULL
	};

	if (!*c->scope)
		c->scope = arena_printf(g->arena, "repository:%s:pull", g->r->ref.repository);
	g->asked_token = true;
	sm_move(&g->sm, TOKEN);
	g->token = token_start(&spec, on_registry_token, g);
}

static void unauthorized(struct registry_get *g)
{
	const struct credentials *who = credentials_of(g);
	struct challenge c;

	challenge_parse(&c, g->reply.challenge, g->arena);
	/* A mirror has not got the given token, so it may have one of its own for everybody. */
	if (!g->away && c.bearer && !g->asked_token && (!*who->bearer || host_of(g)->mirror))
		return registry_ask_token(g, &c);
	if (!g->away && c.basic && *who->user && !g->r->authorization[g->host]) {
		g->r->authorization[g->host] = basic_authorization(who, g->r->arena);
		return registry_ask(g);
	}
	/* A signed URL may have expired: the next round gets a new one from the host. */
	if (g->away)
		return give_up_host(g, ERR_UNAUTHENTICATED, reply_text(&g->reply, g->arena), true);
	give_up_host(g, ERR_UNAUTHENTICATED,
		arena_printf(g->arena, "%s (%s)", reply_text(&g->reply, g->arena), whose_fault(g)), false);
}

/* ---- answers ---- */

static void registry_redirect(struct registry_get *g)
{
	const char *to = url_resolve(g->url, g->reply.location, g->arena);

	if (!to)
		return give_up_host(g, ERR_INTERNAL, "a redirect without a usable Location", false);
	if (++g->redirects > REDIRECTS)
		return give_up_host(
			g, ERR_INTERNAL, arena_printf(g->arena, "more than %d redirects", REDIRECTS), false);
	/* (ARCHITECTURE I45) */
	if (url_is_https(g->url) && !url_is_https(to) &&
		!hosts_plain_allowed(&g->r->hosts, host_of(g), to, g->arena))
		return give_up_host(g, ERR_INTERNAL, arena_printf(g->arena,
			"it redirects from https to plain http (%s), which is refused; to allow it, %s",
			url_host(to, g->arena), hosts_advice(&g->r->hosts, to, g->arena)), false);
	g->away = g->away || !url_same_origin(g->url, to);
	g->url = to;
	registry_ask(g);
}

/* Handles an answer that is not a success, after its body. */
static void registry_settle(struct registry_get *g)
{
	int status = g->reply.status;
	enum err_code code = status == 404                                     ? ERR_NOT_FOUND
			     : status == 403                                   ? ERR_PERMISSION_DENIED
			     : status == 416                                   ? ERR_DATA_LOSS
			     : status == 429 || status == 408 || status >= 500 ? ERR_UNAVAILABLE
									       : ERR_INTERNAL;

	if (status == 401)
		return unauthorized(g);
	if (status == 301 || status == 302 || status == 303 || status == 307 || status == 308)
		return registry_redirect(g);
	if (g->reply.retry_after_ms > g->wait_ms)
		g->wait_ms = g->reply.retry_after_ms;
	give_up_host(g, code, reply_text(&g->reply, g->arena), code == ERR_UNAVAILABLE || (g->away && status == 403));
}

/* An answer with a success status. false: it is not what was asked for, and reply.refused has the reason. */
static bool accept_answer(struct registry_get *g)
{
	uint64_t from = g->q.offset + g->got;

	/* A blob may have any type: its size and digest tell what it is. */
	if (!is_blob(g) && strncasecmp(g->reply.content_type, "text/html", 9) == 0)
		return reply_refuse(&g->reply, "an html page instead of what a registry answers");
	if (!is_blob(g))
		return g->reply.status == 200 || reply_refuse(&g->reply, "not the whole manifest");
	g->skip = 0;
	if (g->reply.status == 206 && (g->reply.range_from != from || (g->q.end && g->reply.range_to >= g->q.end)))
		return reply_refuse(&g->reply, "another range of the blob than was asked for");
	if (g->reply.status == 200 && g->q.part_only)
		return reply_refuse(&g->reply, "the whole blob instead of a part");
	if (g->reply.status == 200)
		g->skip = from;
	return true;
}

static void on_registry_head(void *arg, struct http *h, int status)
{
	struct registry_get *g = arg;
	struct registry_answer answer;

	reply_head(&g->reply, h, status);
	if ((status != 200 && status != 206) || !accept_answer(g))
		return;
	sm_move(&g->sm, BODY);
	answer = (struct registry_answer){ g->reply.content_type, g->reply.digest, status == 200,
		g->reply.range_of };
	if ((!is_blob(g) || g->q.end) && g->ev.head)
		g->ev.head(g->ev.arg, &answer);
	if (status == 200)
		g->q.end = 0; /* a retry goes on to the blob's end too */
}

static void registry_answered(struct registry_get *g);

/* The body of an error is too long: the transfer is cancelled, and the beginning of the body is used. */
static void on_registry_flood(struct timer *t)
{
	struct registry_get *g = container_of(t, struct registry_get, timer);

	http_cancel(take_ptr(&g->http));
	registry_answered(g);
}

static bool on_registry_data(void *arg, const void *p, size_t n)
{
	struct registry_get *g = arg;
	size_t drop = g->skip < n ? (size_t)g->skip : n;

	if (g->sm.now != BODY) {
		if (!reply_body(&g->reply, p, n) && !timer_is_set(&g->timer))
			timer_set(&g->timer, 0, on_registry_flood);
		return true;
	}
	if (drop < n && !g->ev.data(g->ev.arg, (const char *)p + drop, n - drop))
		return false;
	g->skip -= drop;
	g->got += n - drop;
	return true;
}

static void registry_answered(struct registry_get *g)
{
	if (g->reply.refused)
		return give_up_host(g, ERR_INVALID_ARGUMENT, g->reply.refused, false);
	registry_settle(g);
}

static void on_registry_done(void *arg, const struct err *e)
{
	struct registry_get *g = arg;
	struct err copy;

	g->http = NULL;
	timer_clear(&g->timer);
	if (e) {
		answer_error(g, &copy, unreached(e->code),
			hosts_untrusted(&g->r->hosts, host_of(g), g->url, e, g->arena));
		if (g->sm.now == ASK && g->host < g->r->hosts.n && g->r->hosts.n > 1)
			g->r->dead |= 1u << g->host;
		registry_next_host(g, &copy, e->code == ERR_UNAVAILABLE);
	} else if (g->sm.now == BODY) {
		registry_finish(g, NULL);
	} else {
		registry_answered(g);
	}
}

/* ---- a request ---- */

/* A header of hosts.toml that would double the one that crisp sends is left out. */
static bool header_is(const char *line, const char *name)
{
	return strncasecmp(line, name, strlen(name)) == 0 && line[strlen(name)] == ':';
}

static const char *const *registry_headers(struct registry_get *g)
{
	const struct host *h = host_of(g);
	const char **list = arena_zalloc(g->arena, (HEADERS_MAX + 1) * sizeof(*list));
	const char *authorization = g->away ? NULL : g->r->authorization[g->host];
	size_t n = 0;

	list[n++] = "User-Agent: crisp/" CRISP_VERSION;
	if (!is_blob(g))
		list[n++] = arena_printf(g->arena, "Accept: %s", manifest_accept);
	if (g->q.end && is_blob(g))
		list[n++] = arena_printf(g->arena, "Range: bytes=%" PRIu64 "-%" PRIu64, g->q.offset + g->got,
			g->q.end - 1);
	else if (g->q.offset + g->got > 0 && is_blob(g))
		list[n++] = arena_printf(g->arena, "Range: bytes=%" PRIu64 "-", g->q.offset + g->got);
	if (authorization)
		list[n++] = arena_printf(g->arena, "Authorization: %s", authorization);
	for (size_t i = 0; !g->away && i < h->headers.n && n < HEADERS_MAX; i++)
		if (!authorization || !header_is(h->headers.at[i], "Authorization"))
			list[n++] = h->headers.at[i];
	return (const char *const *)list;
}

static void registry_ask(struct registry_get *g)
{
	struct http_request q = {
		.method = g->q.method, .url = g->url, .headers = registry_headers(g),
		.stall_timeout_ms = (int64_t)images_config()->progress_timeout_s * 1000,
		.decode = !is_blob(g), /* the digest of a blob is that of the bytes as they are stored */
	};
	const char *fault = hosts_set_tls(&q, &g->r->hosts, host_of(g), g->away);
	struct http_events ev = { on_registry_head, on_registry_data, on_registry_done, g };

	if (!is_blob(g))
		g->got = 0;
	reply_free(&g->reply);
	sm_move(&g->sm, ASK);
	if (fault)
		return give_up_host(g, ERR_FAILED_PRECONDITION, fault, false);
	g->http = http_start(&q, &ev);
}

static void on_registry_start(struct timer *t)
{
	struct registry_get *g = container_of(t, struct registry_get, timer);

	if (g->sm.now == BACKOFF)
		sm_move(&g->sm, START);
	g->retry = false;
	g->wait_ms = 0;
	if (!choose_host(g, 0)) {
		g->r->dead = 0; /* no host is left: those that could not be reached are tried again */
		if (!choose_host(g, 0))
			return registry_finish(g, &g->last);
	}
	registry_ask(g);
}

struct registry_get *registry_start(
	struct registry *r, const struct registry_request *q, const struct registry_events *ev)
{
	struct arena *a = arena_new();
	struct registry_get *g = arena_zalloc(a, sizeof(*g));

	*g = (struct registry_get){
		.sm = { get_states, "get", "", START }, .r = registry_hold(r), .ev = *ev, .arena = a
	};
	g->q = *q;
	g->q.method = arena_strdup(a, q->method);
	g->q.kind = arena_strdup(a, q->kind);
	g->q.name = arena_strdup(a, q->name);
	g->q.urls = NULL;
	g->sm.id = strncmp(g->q.name, "sha256:", 7) == 0 ? g->q.name + 7 : g->q.name;
	if (q->urls && q->urls->n) {
		struct strings *urls = arena_zalloc(a, sizeof(*urls));

		urls->at = arena_zalloc(a, q->urls->n * sizeof(*urls->at));
		for (size_t i = 0; i < q->urls->n; i++)
			if (url_is_https(q->urls->at[i]))
				urls->at[urls->n++] = arena_strdup(a, q->urls->at[i]);
		g->q.urls = urls;
	}
	err_set(&g->last, ERR_INTERNAL, "no host of %s may be asked for this (capabilities in hosts.toml)",
		r->ref.domain);
	timer_set(&g->timer, 0, on_registry_start);
	return g;
}

void registry_resume(struct registry_get *g)
{
	if (g->http)
		http_resume(g->http);
}

void registry_cancel(struct registry_get *g)
{
	get_free(g);
}
