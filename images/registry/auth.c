/* auth.c - see auth.h.
 *
 *   token_get: START --cached or refused--> DONE
 *                |
 *                +--asked--> ASK --answer--> DONE
 *                            |  ^
 *                            +--+ redirect
 *
 * Waits on: the token server (ASK), the next turn (START). */
#include "images/registry/auth.h"

#include <ctype.h>
#include <openssl/evp.h>
#include <string.h>
#include <strings.h>

#include "images/digest.h"
#include "images/registry/url.h"
#include "reactor/base64.h"
#include "reactor/buf.h"
#include "reactor/http_client.h"
#include "reactor/json.h"
#include "reactor/list.h"
#include "reactor/loop.h"
#include "reactor/map.h"
#include "reactor/own.h"
#include "reactor/sm.h"

enum { ANSWER_MAX = 256 << 10, CACHE_MAX = 256, LIFE_DEFAULT_S = 60, LIFE_MAX_S = 3600, LIFE_MARGIN_S = 5,
	REDIRECTS = 10 };

/* ---- credentials ---- */

static bool same_registry(const char *server, const char *domain, struct arena *a)
{
	static const char *const hub[] = { "docker.io", "index.docker.io", "registry-1.docker.io" };
	const char *sep = strstr(server, "://");
	char *host = arena_strdup(a, sep ? sep + 3 : server);
	bool server_is_hub = false;

	host[strcspn(host, "/")] = '\0';
	for (size_t i = 0; i < sizeof(hub) / sizeof(*hub); i++)
		server_is_hub |= strcasecmp(host, hub[i]) == 0;
	return strcasecmp(host, domain) == 0 || (server_is_hub && strcmp(domain, "docker.io") == 0);
}

/* base64 of "user:password". Some writers add NULs at the end, which strings ignore. */
static int decode_auth(struct credentials *c, const char *text, struct arena *a, struct err *e)
{
	size_t n = strlen(text);
	char *plain = arena_zalloc(a, n + 4), *colon;
	ssize_t len = base64_decode(plain, text, n);

	if (len >= 0)
		plain[len] = '\0';
	colon = len < 0 ? NULL : strchr(plain, ':');
	if (!colon)
		return err_set(
			e, ERR_INVALID_ARGUMENT, "the registry credentials' auth is not base64 of user:password");
	*colon = '\0';
	c->user = plain;
	c->password = colon + 1;
	return 0;
}

static const char *or_empty(const char *s)
{
	return s ? s : "";
}

const struct registry_auth *registry_auth_copy(const struct registry_auth *auth, struct arena *a)
{
	struct registry_auth *copy = arena_zalloc(a, sizeof(*copy));

	if (!auth)
		return NULL;
	*copy = (struct registry_auth){ arena_strdup(a, or_empty(auth->username)),
		arena_strdup(a, or_empty(auth->password)), arena_strdup(a, or_empty(auth->auth)),
		arena_strdup(a, or_empty(auth->server_address)), arena_strdup(a, or_empty(auth->identity_token)),
		arena_strdup(a, or_empty(auth->registry_token)), auth->node };
	return copy;
}

int credentials_from(
	struct credentials *c, const struct registry_auth *given, const char *domain, struct arena *a, struct err *e)
{
	const struct registry_auth *auth = registry_auth_copy(given, a);

	*c = (struct credentials){ "", "", "", "" };
	if (!auth || (*auth->server_address && !same_registry(auth->server_address, domain, a)))
		return 0;
	if (*auth->username) {
		c->user = auth->username;
		c->password = auth->password;
	} else if (*auth->identity_token) {
		c->refresh_token = auth->identity_token;
	} else if (*auth->registry_token) {
		c->bearer = auth->registry_token;
	} else if (*auth->auth) {
		return decode_auth(c, auth->auth, a, e);
	}
	return 0;
}

char *basic_authorization(const struct credentials *c, struct arena *a)
{
	const char *plain = arena_printf(a, "%s:%s", c->user, c->password);
	size_t n = strlen(plain);
	char *coded = arena_zalloc(a, 4 * ((n + 2) / 3) + 1);

	EVP_EncodeBlock((unsigned char *)coded, (const unsigned char *)plain, (int)n);
	return arena_printf(a, "Basic %s", coded);
}

/* ---- challenges ---- */

static bool is_token_char(char c)
{
	return c && (isalnum((unsigned char)c) || strchr("!#$%&'*+-.^_`|~", c));
}

static const char *skip(const char *s, const char *what)
{
	return s + strspn(s, what);
}

static char *take_token(const char **s, struct arena *a)
{
	const char *begin = *s;

	while (is_token_char(**s))
		(*s)++;
	return arena_strndup(a, begin, (size_t)(*s - begin));
}

/* A token or a "quoted string" with backslash escapes. */
static char *take_value(const char **s, struct arena *a)
{
	char *out, *to;

	if (**s != '"')
		return take_token(s, a);
	out = to = arena_zalloc(a, strlen(*s) + 1);
	for ((*s)++; **s && **s != '"'; (*s)++) {
		if (**s == '\\' && (*s)[1])
			(*s)++;
		*to++ = **s;
	}
	if (**s)
		(*s)++;
	return out;
}

static void challenge_keep(struct challenge *c, const char *scheme, const char *name, const char *value)
{
	if (strcasecmp(scheme, "bearer") != 0)
		return;
	if (strcasecmp(name, "realm") == 0)
		c->realm = value;
	else if (strcasecmp(name, "service") == 0)
		c->service = value;
	else if (strcasecmp(name, "scope") == 0)
		c->scope = value;
	else if (strcasecmp(name, "error") == 0)
		c->error = value;
}

/* The grammar: Scheme name=value, name=value, Scheme ... A word followed by '=' is a parameter; any other word is the
 * scheme of a new challenge. */
void challenge_parse(struct challenge *c, const char *s, struct arena *a)
{
	const char *scheme = "", *word;

	*c = (struct challenge){ .realm = "", .service = "", .scope = "", .error = "" };
	for (s = skip(s, ", \t"); *s; s = skip(s, ", \t")) {
		word = take_token(&s, a);
		if (!*word) {
			s++; /* skip a character that the grammar does not have here */
			continue;
		}
		s = skip(s, " \t");
		if (*s == '=') {
			s = skip(s + 1, " \t");
			challenge_keep(c, scheme, word, take_value(&s, a));
			continue;
		}
		scheme = word;
		c->basic |= strcasecmp(word, "basic") == 0;
		c->bearer |= strcasecmp(word, "bearer") == 0;
	}
	c->bearer = c->bearer && *c->realm;
}

/* ---- the cache: tokens by token server, service, scope and credentials ---- */

struct cached {
	char *key, *token;
	int64_t until_ns; /* monotonic */
};

static struct map cache; /* key -> struct cached, which owns it */

static void cached_free(struct cached *c)
{
	map_drop(&cache, c->key);
	free(c->key);
	free(c->token);
	free(c);
}

/* The key has the digest of the secrets, not the secrets. */
static char *cache_key(const struct challenge *c, const struct credentials *who, struct arena *a)
{
	const char *secret = arena_printf(a, "%s\n%s\n%s", who->user, who->password, who->refresh_token);
	char digest[DIGEST_SIZE];

	digest_of(secret, strlen(secret), digest);
	return arena_printf(a, "%s\n%s\n%s\n%s", c->realm, c->service, c->scope, digest);
}

static const char *cache_get(const char *key)
{
	struct cached *c = map_get(&cache, key);

	return c && c->until_ns > loop_mono_ns() ? c->token : NULL;
}

static void cache_drop(const char *key)
{
	struct cached *c = map_get(&cache, key);

	if (c)
		cached_free(c);
}

static void cache_put(const char *key, const char *token, int64_t life_s)
{
	struct cached *c = new_zero(struct cached);
	struct map_slot *s;

	cache_drop(key);
	while (cache.used >= CACHE_MAX && (s = map_next(&cache, NULL)))
		cached_free(s->value);
	c->key = own_must(strdup(key));
	c->token = own_must(strdup(token));
	c->until_ns = loop_mono_ns() + (life_s - LIFE_MARGIN_S) * 1000000000;
	map_put(&cache, c->key, c);
}

/* ---- one token ---- */

enum token_state { START, ASK, DONE };

static const struct sm_state token_states[] = {
	[START] = { "START", TO(ASK) | TO(DONE) },
	[ASK]   = { "ASK",   TO(ASK) | TO(DONE) },
	[DONE]  = { "DONE",  0 },
};

struct token_get {
	struct sm sm;
	const char *key, *realm; /* realm NULL: malformed */
	const struct hosts *hosts; /* borrowed, as host */
	const struct host *host;
	struct http_request request;
	struct http *http;
	struct timer timer;
	int status, redirects;
	const char *location; /* of the answer; "" where absent */
	struct buf answer;
	token_done *done;
	void *arg;
	struct arena *arena;
};

static void token_free(struct token_get *t)
{
	timer_clear(&t->timer);
	if (t->http)
		http_cancel(t->http);
	buf_free(&t->answer);
	arena_free(t->arena);
}

static void token_finish(struct token_get *t, const struct err *e, const char *token)
{
	sm_move(&t->sm, DONE);
	t->done(t->arg, e, token);
	token_free(t);
}

static void token_fail(struct token_get *t, enum err_code code, const char *cause)
{
	struct err e;

	err_set(&e, code, "token server %s: %s", t->realm ? url_host(t->realm, t->arena) : "?", cause);
	token_finish(t, &e, NULL);
}

static void on_token_head(void *arg, struct http *h, int status)
{
	struct token_get *t = arg;
	const char *location = http_header(h, "Location");

	t->status = status;
	t->location = location ? arena_strdup(t->arena, location) : "";
}

static void on_token_flood(struct timer *timer)
{
	struct token_get *t = container_of(timer, struct token_get, timer);

	token_fail(t, ERR_INTERNAL, "its answer has more than 256 KiB");
}

static bool on_token_data(void *arg, const void *p, size_t n)
{
	struct token_get *t = arg;

	if (t->answer.len <= ANSWER_MAX) /* more than ANSWER_MAX bytes in it mean: too long */
		buf_append(&t->answer, p, n);
	if (t->answer.len > ANSWER_MAX && !timer_is_set(&t->timer))
		timer_set(&t->timer, 0, on_token_flood);
	return true;
}

static void token_read_answer(struct token_get *t)
{
	struct err e;
	auto_json json_t *j = t->answer.len > ANSWER_MAX ? NULL :
		json_parse(t->answer.at ? (const char *)t->answer.at : "", t->answer.len, "the token", &e);
	const char *token = json_get_str(t->arena, j, "token");
	int64_t life_s = json_get_int(j, "expires_in");

	if (!*token)
		token = json_get_str(t->arena, j, "access_token");
	if (!*token || token[strcspn(token, " \r\n")])
		return token_fail(t, ERR_INTERNAL, j ? "its answer has no token" : "its answer is not JSON");
	life_s = life_s <= 0 ? LIFE_DEFAULT_S : life_s > LIFE_MAX_S ? LIFE_MAX_S : life_s;
	cache_put(t->key, token, life_s);
	token_finish(t, NULL, token);
}

static void token_ask(struct token_get *t);

/* The token server has moved. Another server than the registry named gets no credentials, as with Go's client; a
 * refresh token would be the whole of the request, so that one ends there. */
static void token_redirect(struct token_get *t)
{
	const char *to = url_resolve(t->request.url, t->location, t->arena);
	bool posted = strcmp(t->request.method, "POST") == 0;
	const char *why;

	if (!to)
		return token_fail(t, ERR_INTERNAL, "a redirect without a usable Location");
	if (++t->redirects > REDIRECTS)
		return token_fail(t, ERR_INTERNAL, "more than 10 redirects");
	why = arena_printf(t->arena, "it redirects to %s, which gets no refresh token", url_host(to, t->arena));
	if (posted && (t->status < 307 || !url_same_origin(t->request.url, to)))
		return token_fail(t, ERR_INTERNAL, why);
	if (!url_same_origin(t->request.url, to))
		t->request.headers = NULL;
	t->request.url = to;
	buf_free(&t->answer);
	token_ask(t);
}

static bool is_redirect(int status)
{
	return status == 301 || status == 302 || status == 303 || status == 307 || status == 308;
}

static void on_token_done(void *arg, const struct err *e)
{
	struct token_get *t = arg;
	char text[40];

	t->http = NULL;
	timer_clear(&t->timer);
	snprintf(text, sizeof(text), "status %d", t->status);
	if (e)
		token_fail(t, e->code, hosts_untrusted(t->hosts, t->host, t->request.url, e, t->arena));
	else if (t->status == 200)
		token_read_answer(t);
	else if (is_redirect(t->status))
		token_redirect(t);
	else if (t->status == 400 || t->status == 401 || t->status == 403)
		token_fail(t, ERR_UNAUTHENTICATED, text);
	else
		token_fail(t, t->status == 429 || t->status >= 500 ? ERR_UNAVAILABLE : ERR_INTERNAL, text);
}

/* The URL comes from the registry, or from a redirect, which must not be able to make crispd send a password, or get a
 * token, unencrypted. */
static void token_ask(struct token_get *t)
{
	struct http_events ev = { on_token_head, on_token_data, on_token_done, t };
	const char *fault;

	if (!url_is_https(t->request.url) && !hosts_plain_allowed(t->hosts, t->host, t->request.url, t->arena))
		return token_fail(t, ERR_INTERNAL, arena_printf(t->arena,
			"it %s plain http, and credentials are not sent unencrypted; to allow it, %s",
			t->redirects ? "redirects to" : "is", hosts_advice(t->hosts, t->request.url, t->arena)));
	t->request.ca = NULL;
	t->request.clients = NULL;
	t->request.nclients = 0;
	t->request.skip_verify = false;
	fault = hosts_set_tls(&t->request, t->hosts, t->host, true);
	if (fault)
		return token_fail(t, ERR_FAILED_PRECONDITION, fault);
	sm_move(&t->sm, ASK);
	t->http = http_start(&t->request, &ev);
}

static void on_token_start(struct timer *timer)
{
	struct token_get *t = container_of(timer, struct token_get, timer);
	const char *token = cache_get(t->key);

	if (token)
		return token_finish(t, NULL, arena_strdup(t->arena, token));
	if (!t->realm)
		return token_fail(t, ERR_INTERNAL, "the registry's challenge has a malformed URL for it");
	token_ask(t);
}

/* One line, and behind it those of hosts.toml, when the token server has the name of the registry's host. As with
 * containerd they are for the token server too, but another host must not get them: they may be secret. */
static const char *const *token_headers(struct token_get *t, const char *line)
{
	const struct strings *more = &t->host->headers;
	const char **list = arena_zalloc(t->arena, (more->n + 2) * sizeof(*list));
	size_t n = 0;

	if (line)
		list[n++] = line;
	for (size_t i = 0; url_same_name(t->realm, t->host->url) && i < more->n; i++)
		if (!line || strncasecmp(more->at[i], line, strcspn(line, ":") + 1) != 0)
			list[n++] = more->at[i];
	return (const char *const *)list;
}

/* A challenge may name several scopes, separated by blanks: each is a parameter of its own. The challenge is from
 * outside and may name thousands, so the text is appended to, not copied for each scope. */
static const char *token_query(const struct challenge *c, struct arena *a)
{
	struct buf text = { 0 };
	const char *query = arena_printf(a, "service=%s", url_escape(c->service, a));

	buf_append(&text, query, strlen(query));
	for (const char *s = skip(c->scope, " "); *s; s = skip(s + strcspn(s, " "), " ")) {
		const char *scope = url_escape(arena_strndup(a, s, strcspn(s, " ")), a);

		buf_append(&text, "&scope=", 7);
		buf_append(&text, scope, strlen(scope));
	}
	query = arena_strndup(a, (const char *)text.at, text.len);
	buf_free(&text);
	return query;
}

/* GET with Basic, which all token servers accept. A refresh token needs the OAuth2 POST. */
static void token_build_request(struct token_get *t, const struct challenge *c, const struct credentials *who)
{
	struct arena *a = t->arena;
	const char *query = token_query(c, a);

	if (*who->refresh_token) {
		query = arena_printf(a, "grant_type=refresh_token&client_id=crisp&%s&refresh_token=%s", query,
			url_escape(who->refresh_token, a));
		t->request.method = "POST";
		t->request.url = t->realm;
		t->request.body = query;
		t->request.body_len = strlen(query);
		t->request.headers = token_headers(t, "Content-Type: application/x-www-form-urlencoded");
		return;
	}
	t->request.method = "GET";
	t->request.headers = token_headers(t, *who->user ?
		arena_printf(a, "Authorization: %s", basic_authorization(who, a)) : NULL);
	if (*who->user)
		query = arena_printf(a, "%s&account=%s", query, url_escape(who->user, a));
	t->request.url = arena_printf(a, "%s%c%s", t->realm, strchr(t->realm, '?') ? '&' : '?', query);
}

struct token_get *token_start(const struct token_spec *spec, token_done *done, void *arg)
{
	struct arena *a = arena_new();
	struct token_get *t = arena_zalloc(a, sizeof(*t));

	t->sm = (struct sm){ token_states, "token", "", START };
	t->arena = a;
	t->done = done;
	t->arg = arg;
	t->key = cache_key(spec->challenge, spec->credentials, a);
	t->realm = url_resolve(spec->host->url, spec->challenge->realm, a);
	t->hosts = spec->hosts;
	t->host = spec->host;
	t->request.decode = true;
	if (t->realm)
		token_build_request(t, spec->challenge, spec->credentials);
	if (spec->fresh)
		cache_drop(t->key);
	timer_set(&t->timer, 0, on_token_start);
	return t;
}

void token_cancel(struct token_get *t)
{
	token_free(t);
}
