/* stream.c - see stream.h.
 *
 *   stream_url() ---> TOKEN ---GET or POST with it---> taken, upgraded ---> stream/command.c, stream/forward*.c
 *                       |
 *                       +---1 min---> removed
 *
 * A request is refused with 404 when its token is unknown, used or expired; with 400 when it asks for no upgrade, or
 * for over 128 ports as WebSocket channels; with 403 when client and server have no protocol in common. A refusal
 * with 400 or 403 uses the token up, too.
 * Waits on: the http server; one timer for the oldest token. */
#include "handlers/stream.h"

#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "handlers/stream/request.h"
#include "reactor/http_server.h"
#include "reactor/list.h"
#include "reactor/listen.h"
#include "reactor/log.h"
#include "reactor/loop.h"
#include "reactor/map.h"
#include "reactor/own.h"
#include "reactor/tls_server.h"
#include "reactor/ws.h"

enum { TOKEN_BYTES = 18, TOKEN_SIZE = 25, TOKEN_MS = 60000, TOKENS_MAX = 1000, IDLE_MS = 4 * 3600 * 1000 };

struct token {
	struct link link;
	char text[TOKEN_SIZE];
	int64_t made_ns;
	struct stream_request *request;
};

static struct stream_config config;
static struct http_server *server;
static struct tls_server *tls; /* NULL: http */
static const char *base_url; /* http://127.0.0.1:41523; NULL: not listening */
static struct map by_text;   /* of struct token */
static struct link tokens = { &tokens, &tokens }; /* of struct token.link, oldest first */
static struct timer oldest;

static const char *const verbs[STREAM_KINDS] = { "exec", "attach", "portforward" };

/* ---- tokens ---- */

static void on_oldest_token(struct timer *t);

static void watch_oldest(void)
{
	const struct token *first = list_empty(&tokens) ? NULL : container_of(list_first(&tokens), struct token, link);
	int64_t age_ms = first ? (loop_mono_ns() - first->made_ns) / 1000000 : 0;

	if (first)
		timer_set(&oldest, age_ms < TOKEN_MS ? TOKEN_MS - age_ms : 0, on_oldest_token);
	else
		timer_clear(&oldest);
}

/* Removes the token; its request becomes owned by the caller. */
static struct stream_request *token_take(struct token *k)
{
	struct stream_request *r = k->request;

	map_drop(&by_text, k->text);
	list_drop(&k->link);
	free(k);
	watch_oldest();
	return r;
}

static void on_oldest_token(struct timer *t)
{
	struct token *k = container_of(list_first(&tokens), struct token, link);
	struct stream_request *r = token_take(k);

	(void)t;
	log_info("stream_unused verb=%s id=%.12s", verbs[r->kind], r->id);
	arena_free(r->arena);
}

static void token_make_text(char out[TOKEN_SIZE])
{
	uint8_t random[TOKEN_BYTES];

	if (getrandom(random, sizeof(random), 0) != sizeof(random))
		abort();
	EVP_EncodeBlock((unsigned char *)out, random, sizeof(random));
	for (char *at = out; *at; at++)
		*at = *at == '+' ? '-' : *at == '/' ? '_' : *at;
}

static struct stream_request *request_copy(const struct stream_request *from)
{
	struct arena *a = arena_new();
	struct stream_request *r = arena_memdup(a, from, sizeof(*from));

	r->arena = a;
	r->id = arena_strdup(a, from->id);
	r->cmd.at = arena_zalloc(a, (from->cmd.n + 1) * sizeof(*r->cmd.at));
	for (size_t i = 0; i < from->cmd.n; i++)
		r->cmd.at[i] = arena_strdup(a, from->cmd.at[i]);
	r->ports.at = arena_zalloc(a, (from->ports.n + 1) * sizeof(*r->ports.at));
	for (size_t i = 0; i < from->ports.n; i++)
		r->ports.at[i] = from->ports.at[i];
	return r;
}

const char *stream_url(const struct stream_request *r, struct arena *a, struct err *e)
{
	struct token *k;

	if (!base_url) {
		err_set(e, ERR_UNAVAILABLE, "the address of streams is not served yet: crisp info tells why");
		return NULL;
	}
	if (by_text.used >= TOKENS_MAX) {
		err_set(e, ERR_RESOURCE_EXHAUSTED, "%d streams were asked for and have no client yet", TOKENS_MAX);
		return NULL;
	}
	k = new_zero(struct token);
	token_make_text(k->text);
	k->made_ns = loop_mono_ns();
	k->request = request_copy(r);
	map_put(&by_text, k->text, k);
	list_append(&tokens, &k->link);
	watch_oldest();
	return arena_printf(a, "%s/%s/%s", base_url, verbs[r->kind], k->text);
}

/* ---- the protocol ---- */

static const struct stream_protocol command_spdy[] = {
	{ "v4.channel.k8s.io", STREAM_SPDY, 4 },
	{ "v3.channel.k8s.io", STREAM_SPDY, 3 },
	{ "v2.channel.k8s.io", STREAM_SPDY, 2 },
	{ "channel.k8s.io", STREAM_SPDY, 1 },
	{ 0 },
};
static const struct stream_protocol command_ws[] = {
	{ "v5.channel.k8s.io", STREAM_WS, 5 },
	{ "v4.channel.k8s.io", STREAM_WS, 4 },
	{ "v4.base64.channel.k8s.io", STREAM_WS_BASE64, 4 },
	{ "channel.k8s.io", STREAM_WS, 1 },
	{ "base64.channel.k8s.io", STREAM_WS_BASE64, 1 },
	{ "", STREAM_WS, 1 },
	{ 0 },
};
static const struct stream_protocol forward_spdy[] = { { "portforward.k8s.io", STREAM_SPDY, 1 }, { 0 } };
static const struct stream_protocol forward_ws[] = {
	{ "SPDY/3.1+portforward.k8s.io", STREAM_SPDY_IN_WS, 1 }, { "v4.channel.k8s.io", STREAM_WS, 4 },
	{ "v4.base64.channel.k8s.io", STREAM_WS_BASE64, 4 }, { "", STREAM_WS, 4 }, { 0 },
};

/* The first protocol of the client's list that this server has, too. A client without a list asks for "". */
static const struct stream_protocol *protocol_choose(const char *list, const struct stream_protocol *ours)
{
	do {
		size_t n;

		list += strspn(list, " \t,");
		n = strcspn(list, " \t,");
		for (const struct stream_protocol *p = ours; p->name; p++)
			if (strlen(p->name) == n && strncmp(p->name, list, n) == 0)
				return p;
		list += n;
	} while (*list);
	return NULL;
}

/* ---- the http server ---- */

struct accepted {
	struct stream_request *request;
	const struct stream_protocol *protocol;
};

static void on_stream_accepted(void *arg, struct conduit *c)
{
	auto_free struct accepted *a = arg;
	struct stream_request *r = a->request;

	if (!c)
		return arena_free(r->arena);
	log_info("stream_begin verb=%s id=%.12s protocol=%s tty=%d", verbs[r->kind], r->id, a->protocol->name,
		 r->want.tty);
	conduit_idle_after(c, IDLE_MS);
	if (r->kind != STREAM_PORT_FORWARD)
		command_start(r, c, a->protocol);
	else if (a->protocol->transport == STREAM_SPDY || a->protocol->transport == STREAM_SPDY_IN_WS)
		forward_start(r, c, a->protocol);
	else
		forward_ws_start(r, c, a->protocol);
}

static void ask_accept(struct http_ask *ask, struct stream_request *r, const struct stream_protocol *p,
		      const char *upgrade, const struct pairs *headers)
{
	struct accepted *a = new_zero(struct accepted);

	*a = (struct accepted){ r, p };
	http_ask_accept(ask, upgrade, headers, on_stream_accepted, a);
}

static void ask_refuse(struct http_ask *ask, struct stream_request *r, int status, const struct pairs *headers,
		   const char *text)
{
	http_ask_refuse(ask, status, headers, text);
	arena_free(r->arena);
}

static void ask_spdy(struct http_ask *ask, struct stream_request *r)
{
	const struct stream_protocol *ours = r->kind == STREAM_PORT_FORWARD ? forward_spdy : command_spdy, *p;
	const char *asked = http_ask_header(ask, "x-stream-protocol-version");
	struct pair all[8];
	struct pairs headers = { all, 0 };

	if (!asked)
		return ask_refuse(ask, r, 400, NULL, "X-Stream-Protocol-Version is missing");
	p = protocol_choose(asked, ours);
	if (p) {
		all[headers.n++] = (struct pair){ "X-Stream-Protocol-Version", p->name };
		return ask_accept(ask, r, p, "SPDY/3.1", &headers);
	}
	for (p = ours; p->name; p++)
		all[headers.n++] = (struct pair){ "X-Accepted-Stream-Protocol-Versions", p->name };
	ask_refuse(ask, r, 403, &headers, "no protocol in common");
}

static void ask_websocket(struct http_ask *ask, struct stream_request *r)
{
	const char *key = http_ask_header(ask, "sec-websocket-key"),
		   *version = http_ask_header(ask, "sec-websocket-version");
	const char *asked = http_ask_header(ask, "sec-websocket-protocol");
	const struct stream_protocol *p =
		protocol_choose(asked ? asked : "", r->kind == STREAM_PORT_FORWARD ? forward_ws : command_ws);
	char accept_key[WS_ACCEPT_SIZE];
	struct pair all[2];
	struct pairs headers = { all, 0 };

	if (!key || !version || strcmp(version, "13") != 0) {
		all[headers.n++] = (struct pair){ "Sec-WebSocket-Version", "13" };
		return ask_refuse(ask, r, 400, &headers, "not a handshake of WebSocket version 13");
	}
	if (!p)
		return ask_refuse(ask, r, 403, NULL, "no protocol in common");
	if (r->ports.n > FORWARD_WS_PORTS_MAX && p->transport != STREAM_SPDY_IN_WS)
		return ask_refuse(ask, r, 400, NULL, "over 128 ports in one request");
	ws_accept_key(key, accept_key);
	all[headers.n++] = (struct pair){ "Sec-WebSocket-Accept", accept_key };
	if (*p->name)
		all[headers.n++] = (struct pair){ "Sec-WebSocket-Protocol", p->name };
	ask_accept(ask, r, p, "websocket", &headers);
}

static struct stream_request *request_at(const char *path)
{
	const char *slash = path[0] == '/' ? strchr(path + 1, '/') : NULL;
	struct token *k = slash ? map_get(&by_text, slash + 1) : NULL;
	const char *verb = k ? verbs[k->request->kind] : "";

	if (!k || strlen(verb) != (size_t)(slash - path - 1) || strncmp(path + 1, verb, strlen(verb)) != 0)
		return NULL;
	return token_take(k);
}

static void on_stream_ask(void *arg, struct http_ask *ask)
{
	struct stream_request *r = request_at(http_ask_path(ask));

	(void)arg;
	if (!r)
		http_ask_refuse(ask, 404, NULL, "the token is unknown, was used or has expired");
	else if (http_ask_upgrades_to(ask, "websocket"))
		ask_websocket(ask, r);
	else if (http_ask_upgrades_to(ask, "SPDY/3.1"))
		ask_spdy(ask, r);
	else
		ask_refuse(ask, r, 400, NULL, "the connection must be upgraded to SPDY/3.1 or websocket");
}

const char *stream_listens_at(const char *address, int port, struct arena *arena)
{
	bool v6 = strchr(address, ':');

	return arena_printf(arena, "tcp://%s%s%s:%d", v6 ? "[" : "", address, v6 ? "]" : "", port);
}

void stream_open(const struct stream_config *cfg)
{
	config = *cfg;
	server = http_server_new();
	http_server_asks(server, on_stream_ask, NULL);
	if (!*cfg->tls_cert)
		return;
	tls = tls_server_new(&(struct tls_files){ cfg->tls_cert, cfg->tls_key, "" });
}

/* The CLI does not know the CA of the certificate. Whoever may connect to the socket of CRI, which tells the tokens,
 * may connect to this one. (ARCHITECTURE R152) */
static int stream_listen_locally(struct err *e)
{
	static bool listens;

	if (listens)
		return 0;
	if (http_server_listen(server, config.local, e) < 0)
		return -1;
	listens = true;
	http_server_tls(server, tls);
	return listen_give_group(config.local, config.local_gid, e);
}

int stream_listen(struct err *e)
{
	static struct arena *a;

	if (!a)
		a = arena_new();
	if (tls && (stream_listen_locally(e) < 0 || tls_server_ready(tls, e) < 0))
		return -1;
	if (http_server_listen_anywhere(server, stream_listens_at(config.address, config.port, a), e) < 0)
		return -1;
	base_url = arena_printf(a, "%s%s", tls ? "https" : "http",
				stream_listens_at(config.address, http_server_port(server), a) + strlen("tcp"));
	log_info("listening stream=%s", base_url);
	return 0;
}

void stream_close(void)
{
	if (server)
		http_server_free(take_ptr(&server));
	tls_server_free(take_ptr(&tls));
	while (!list_empty(&tokens))
		arena_free(token_take(container_of(list_first(&tokens), struct token, link))->arena);
	map_free(&by_text);
}
