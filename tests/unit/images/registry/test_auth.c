/* test_auth.c - authentication at a registry: tokens, passwords, and the servers that they are sent to. */
#include "images/registry/auth.h"
#include <sys/resource.h>

#include "tests/unit/images/registry_story.h"

static const char *token_json;

static void serve_tokens(const struct http_request *q, struct fake_answer *out)
{
	if (strncmp(q->url, "https://auth.example/", 21) == 0)
		return text(out, 200, "Content-Type: application/json", token_json);
	if (strcmp(fake_header(q, "Authorization"), "Bearer t0k") == 0)
		return text(out, 200, "Content-Type: application/json", "{}");
	text(out, 401,
		"WWW-Authenticate: Bearer "
		"realm=\"https://auth.example/token\",service=\"reg\",scope=\"repository:a/b:pull\"",
		"");
}

static void a_token_on_demand(void)
{
	struct registry_auth auth = { .username = "me", .password = "pw" };
	struct result r;

	token_json = "{\"token\":\"t0k\",\"expires_in\":300}";
	fake_http_serve(serve_tokens);
	r = get("reg.example/a/b:v1", &auth, "manifests", "v1");
	ok(r.calls == 1 && r.code == ERR_OK);
	ok(fake_http_asked() == 3);
	is_str(fake_http_line(1),
		"GET https://auth.example/token?service=reg&scope=repository%3Aa%2Fb%3Apull&account=me Basic bWU6cHc= "
		"-");
	is_str(fake_http_line(2), "GET https://reg.example/v2/a/b/manifests/v1 Bearer t0k -");
}

static char many_scopes[70000];

static void serve_many_scopes(const struct http_request *q, struct fake_answer *out)
{
	(void)q;
	text(out, 401, many_scopes, "");
}

/* 60 KB of scopes: a copy of all for each made 3.5 GB, and 19 s of the loop. */
static void a_challenge_of_many_scopes(void)
{
	char *to = many_scopes + sprintf(many_scopes, "WWW-Authenticate: Bearer realm=\"https://auth.example/token\","
						      "service=\"reg\",scope=\"");
	struct registry_auth auth = { .username = "me9", .password = "pw" };
	struct rusage before, after;
	struct result r;

	for (size_t i = 0; i < 30000; i++)
		to = stpcpy(to, "a ");
	strcpy(to, "\"");
	fake_http_serve(serve_many_scopes);
	getrusage(RUSAGE_SELF, &before);
	r = get("reg.example/a/b:v1", &auth, "manifests", "v1");
	getrusage(RUSAGE_SELF, &after);
	ok(r.calls == 1 && r.code != ERR_OK);
	ok(strncmp(fake_http_line(1), "GET https://auth.example/token?service=reg&scope=a&scope=a&", 50) == 0);
	ok(after.ru_maxrss - before.ru_maxrss < 256 * 1024); /* KiB; under sanitizers too */
}

static void a_token_serves_until_it_expires(void)
{
	struct registry_auth auth = { .username = "me2", .password = "pw" };
	struct result r;

	fake_http_serve(serve_tokens);
	begin(&r, "reg.example/a/b:v1", &auth, "manifests", "v1");
	clock_run();
	buf_free(&r.body);
	ok(r.code == ERR_OK && fake_http_count("auth.example") == 1);
	begin(&r, "reg.example/a/b:v1", &auth, "manifests", "v1");
	clock_run();
	buf_free(&r.body);
	ok(r.code == ERR_OK && fake_http_count("auth.example") == 1);
	clock_advance(301 * 1000);
	begin(&r, "reg.example/a/b:v1", &auth, "manifests", "v1");
	clock_run();
	buf_free(&r.body);
	ok(r.code == ERR_OK && fake_http_count("auth.example") == 2);
}

static void a_refresh_token_is_posted(void)
{
	struct registry_auth auth = { .identity_token = "idt" };
	struct result r;

	token_json = "{\"access_token\":\"t0k\"}";
	fake_http_serve(serve_tokens);
	r = get("reg.example/a/b:v1", &auth, "manifests", "v1");
	ok(r.code == ERR_OK);
	is_str(fake_http_line(1), "POST https://auth.example/token - -");
}

static const char *moved_to;
static int moved_status;

static void serve_a_moved_realm(const struct http_request *q, struct fake_answer *out)
{
	if (strncmp(q->url, "https://auth.example/token", 26) == 0)
		return text(out, moved_status, moved_to, "");
	if (strncmp(q->url, "https://auth.example/v2", 23) == 0 || strncmp(q->url, "https://new.example/", 20) == 0)
		return text(out, 200, "Content-Type: application/json", token_json);
	serve_tokens(q, out);
}

/* The password goes on to the same server only, a refresh token too. */
static void a_realm_that_has_moved(void)
{
	struct registry_auth auth = { .username = "mover", .password = "pw" };
	struct result r;

	token_json = "{\"token\":\"t0k\"}";
	moved_status = 302;
	moved_to = "Location: https://new.example/t?x=1";
	fake_http_serve(serve_a_moved_realm);
	r = get("reg.example/a/b:v1", &auth, "manifests", "v1");
	ok(r.code == ERR_OK);
	is_str(fake_http_line(2), "GET https://new.example/t?x=1 - -");
	auth.password = "pw2";
	moved_to = "Location: ../v2/./token";
	fake_http_serve(serve_a_moved_realm);
	r = get("reg.example/a/b:v1", &auth, "manifests", "v1");
	ok(r.code == ERR_OK);
	is_str(fake_http_line(2), "GET https://auth.example/v2/token Basic bW92ZXI6cHcy -");
	moved_to = "Location: https://auth.example/token?again";
	auth.password = "pw3";
	r = get("reg.example/a/b:v1", &auth, "manifests", "v1");
	ok(r.code == ERR_INTERNAL && strstr(r.msg, "more than 10 redirects"));
	moved_to = "Location: http://plain.example/t";
	r = get("reg.example/a/b:v1", &auth, "manifests", "v1");
	ok(r.code == ERR_INTERNAL && strstr(r.msg, "redirects to plain http"));
	moved_to = "Location: https://new.example/t";
	r = get("reg.example/a/b:v1", &(struct registry_auth){ .identity_token = "idt2" }, "manifests", "v1");
	ok(r.code == ERR_INTERNAL && strstr(r.msg, "new.example, which gets no refresh token"));
	moved_to = "Location: https://auth.example/v2/t";
	moved_status = 307;
	fake_http_serve(serve_a_moved_realm);
	r = get("reg.example/a/b:v1", &(struct registry_auth){ .identity_token = "idt2" }, "manifests", "v1");
	ok(r.code == ERR_OK);
	is_str(fake_http_line(2), "POST https://auth.example/v2/t - -");
}

static void refused_credentials(void)
{
	struct registry_auth auth = { .username = "x", .password = "y" };
	struct result r;

	token_json = "{\"token\":\"other\"}";
	fake_http_serve(serve_tokens);
	r = get("reg.example/a/b:v1", &auth, "manifests", "v1");
	ok(r.calls == 1 && r.code == ERR_UNAUTHENTICATED && strstr(r.msg, "the credentials are refused"));
	ok(fake_http_asked() == 3);
	r = get("reg.example/a/b:v1", NULL, "manifests", "v1");
	ok(r.code == ERR_UNAUTHENTICATED && strstr(r.msg, "no credentials were given"));
	token_json = "{}";
	r = get("reg.example/a/b:v1", &(struct registry_auth){ .username = "z", .password = "" }, "manifests", "v1");
	ok(r.code == ERR_INTERNAL && strstr(r.msg, "token server auth.example: its answer has no token"));
}

static char endless[1 << 20];

static void serve_endless_tokens(const struct http_request *q, struct fake_answer *out)
{
	serve_tokens(q, out);
	if (strncmp(q->url, "https://auth.example/", 21) == 0)
		*out = (struct fake_answer){ .status = 200, .body = endless, .len = sizeof(endless) };
}

static void serve_closed_token_server(const struct http_request *q, struct fake_answer *out)
{
	serve_tokens(q, out);
	if (strncmp(q->url, "https://auth.example/", 21) == 0)
		text(out, 401, NULL, "");
}

static void token_servers_that_fail(void)
{
	struct registry_auth auth = { .username = "q", .password = "r" };
	struct result r;

	memset(endless, ' ', sizeof(endless));
	fake_http_piece = 1 << 14;
	fake_http_serve(serve_endless_tokens);
	r = get("reg.example/a/b:v1", &auth, "manifests", "v1");
	fake_http_piece = 0;
	ok(r.calls == 1 && r.code == ERR_INTERNAL && strstr(r.msg, "auth.example: its answer has more than 256 KiB"));
	fake_http_serve(serve_closed_token_server);
	r = get("reg.example/a/b:v1", &auth, "manifests", "v1");
	ok(r.code == ERR_UNAUTHENTICATED &&
	   strstr(r.msg, "token server auth.example: status 401 (the credentials are refused)"));
	r = get("reg.example/a/b:v1", &(struct registry_auth){ 0 }, "manifests", "v1");
	ok(r.code == ERR_UNAUTHENTICATED && strstr(r.msg, "(no credentials were given)"));
	ok(fake_http_open() == 0);
}

static void serve_basic(const struct http_request *q, struct fake_answer *out)
{
	if (strcmp(fake_header(q, "Authorization"), "Basic bWU6cHc=") == 0)
		return text(out, 200, "Content-Type: application/json", "{}");
	text(out, 401, "WWW-Authenticate: Basic realm=\"x\"",
		"{\"errors\":[{\"code\":\"UNAUTHORIZED\",\"message\":\"who are you\"}]}");
}

static void basic(void)
{
	struct result r;

	fake_http_serve(serve_basic);
	r = get("reg.example/a:v1", &(struct registry_auth){ .username = "me", .password = "pw" }, "manifests", "v1");
	ok(r.code == ERR_OK && fake_http_asked() == 2);
	r = get("reg.example/a:v1", &(struct registry_auth){ .auth = "bWU6cHc=" }, "manifests", "v1");
	ok(r.code == ERR_OK);
	r = get("reg.example/a:v1", &(struct registry_auth){ .username = "me", .password = "no" }, "manifests", "v1");
	ok(r.code == ERR_UNAUTHENTICATED && strstr(r.msg, "status 401: UNAUTHORIZED: who are you"));
	r = get("reg.example/a:v1", NULL, "manifests", "v1");
	ok(r.code == ERR_UNAUTHENTICATED && strstr(r.msg, "no credentials were given"));
}

static void credentials_for_another_server_stay_here(void)
{
	struct result r;

	fake_http_serve(serve_basic);
	r = get("reg.example/a:v1",
		&(struct registry_auth){ .username = "me", .password = "pw", .server_address = "other.example" },
		"manifests", "v1");
	ok(r.code == ERR_UNAUTHENTICATED && fake_http_count("Basic") == 0);
	r = get("reg.example/a:v1", &(struct registry_auth){ .username = "me", .password = "pw",
		.server_address = "https://reg.example/v1/" }, "manifests", "v1");
	ok(r.code == ERR_OK);
}

static void a_registry_token_goes_as_it_is(void)
{
	struct result r;

	token_json = "";
	fake_http_serve(serve_tokens);
	r = get("reg.example/a/b:v1", &(struct registry_auth){ .registry_token = "t0k" }, "manifests", "v1");
	ok(r.code == ERR_OK && fake_http_asked() == 1);
}

static void auth_that_is_no_base64(void)
{
	struct credentials c;
	struct err e;

	ok(credentials_from(&c, &(struct registry_auth){ .auth = "%%%" }, "a", arena, &e) < 0 &&
		e.code == ERR_INVALID_ARGUMENT);
	ok(credentials_from(&c, &(struct registry_auth){ .auth = "bm8=" }, "a", arena, &e) < 0);
	ok(credentials_from(&c, &(struct registry_auth){ .auth = "dTpwOnE=", .username = "" }, "a", arena, &e) == 0);
	is_str(c.user, "u");
	is_str(c.password, "p:q");
	ok(credentials_from(&c,
		   &(struct registry_auth){ .username = "u", .server_address = "https://index.docker.io/v1/" },
		   "docker.io", arena, &e) == 0 &&
		*c.user);
}

static void challenges(void)
{
	struct challenge c;

	challenge_parse(&c,
		"Basic realm=\"a, b\", Bearer realm=\"https://t\\\"x\" , service = s,scope=\"a b\",error=\"e\"", arena);
	ok(c.basic && c.bearer);
	is_str(c.realm, "https://t\"x");
	is_str(c.service, "s");
	is_str(c.scope, "a b");
	is_str(c.error, "e");
	challenge_parse(&c, "bearer", arena);
	ok(!c.bearer && !c.basic);
	challenge_parse(&c, "Negotiate abc==, Basic", arena);
	ok(c.basic && !c.bearer);
	challenge_parse(&c, "Bearer realm=\"unfinished", arena);
	is_str(c.realm, "unfinished");
}

static void serve_plain_realm(const struct http_request *q, struct fake_answer *out)
{
	(void)q;
	text(out, 401, "WWW-Authenticate: Bearer realm=\"http://auth.example/token\"", "");
}

static void no_password_in_the_clear(void)
{
	struct result r;

	fake_http_serve(serve_plain_realm);
	r = get("reg.example/a:v1", &(struct registry_auth){ .username = "me", .password = "pw" }, "manifests", "v1");
	ok(r.code == ERR_INTERNAL && strstr(r.msg, "plain http") && fake_http_asked() == 1);
}

int main(void)
{
	arena = arena_new();
	a_token_on_demand();
	a_challenge_of_many_scopes();
	a_token_serves_until_it_expires();
	a_refresh_token_is_posted();
	a_realm_that_has_moved();
	refused_credentials();
	token_servers_that_fail();
	basic();
	credentials_for_another_server_stay_here();
	a_registry_token_goes_as_it_is();
	auth_that_is_no_base64();
	challenges();
	no_password_in_the_clear();
	arena_free(arena);
	return tap_end();
}
