/* test_registry.c - one manifest or blob from a registry's hosts: credentials, redirects, retries, mirrors. Without
 * sockets and sleeps. */
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "images/registry/reply.h"
#include "images/registry/url.h"
#include "tests/unit/images/registry_story.h"

static char certs[] = "/tmp/test_registry.XXXXXX";

static void serve_plainly(const struct http_request *q, struct fake_answer *out)
{
	(void)q;
	text(out, 200, "Content-Type: application/json", "{}");
}

static void a_manifest(void)
{
	struct result r;

	fake_http_serve(serve_plainly);
	r = get("reg.example/a/b:v1", NULL, "manifests", "v1");
	ok(r.calls == 1 && r.code == ERR_OK && r.heads == 1 && r.body.len == 2);
	is_str(fake_http_line(0), "GET https://reg.example/v2/a/b/manifests/v1 - -");
	ok(fake_http_asked() == 1 && clock_waiting() == 0);
}

/* ---- redirects ---- */

static const char *redirect_to;

static void serve_elsewhere(const struct http_request *q, struct fake_answer *out)
{
	if (strstr(q->url, "cdn"))
		return fake_http_blob(q, out, BLOB, sizeof(BLOB) - 1);
	if (!*fake_header(q, "Authorization"))
		return text(out, 401, "WWW-Authenticate: Basic realm=\"x\"", "");
	text(out, 307, redirect_to, "moved");
}

static void a_redirect_takes_no_credentials_along(void)
{
	struct registry_auth auth = { .username = "me", .password = "pw" };
	struct result r;

	redirect_to = "Location: https://cdn.example/x?sig=secret";
	fake_http_serve(serve_elsewhere);
	r = get("reg.example/a:v1", &auth, "blobs", DIGEST);
	ok(r.code == ERR_OK && r.body.len == sizeof(BLOB) - 1);
	is_str(fake_http_line(2), "GET https://cdn.example/x?sig=secret - -");
	redirect_to = "Location: /cdn/x";
	fake_http_serve(serve_elsewhere);
	r = get("reg.example/a:v1", &auth, "blobs", DIGEST);
	is_str(fake_http_line(2), "GET https://reg.example/cdn/x Basic bWU6cHc= -");
	redirect_to = "Location: http://cdn.example/x";
	r = get("reg.example/a:v1", &auth, "blobs", DIGEST);
	ok(r.code == ERR_INTERNAL && strstr(r.msg, "from https to plain http (cdn.example)"));
	ok(strstr(r.msg, "to allow it, set registry.config_path"));
	redirect_to = "Location: ftp://cdn.example/x";
	r = get("reg.example/a:v1", &auth, "blobs", DIGEST);
	ok(r.code == ERR_INTERNAL && strstr(r.msg, "redirect without a usable Location"));
	redirect_to = "Location: loop";
	fake_http_serve(serve_elsewhere);
	r = get("reg.example/a:v1", &auth, "blobs", DIGEST);
	ok(r.code == ERR_INTERNAL && strstr(r.msg, "more than 10 redirects") && fake_http_asked() == 12);
}

static void serve_gone_cdn(const struct http_request *q, struct fake_answer *out)
{
	if (strstr(q->url, "cdn"))
		return text(out, 500, NULL, "");
	text(out, 302, "Location: https://cdn.example/x?sig=secret", "");
}

static void signatures_are_not_told(void)
{
	struct result r;

	fake_http_serve(serve_gone_cdn);
	r = get("reg.example/a:v1", NULL, "blobs", DIGEST);
	ok(r.code == ERR_UNAVAILABLE && strstr(r.msg, "https://cdn.example/x") && !strstr(r.msg, "secret"));
}

/* ---- errors and retries ---- */

static struct fake_answer always;

static void serve_always(const struct http_request *q, struct fake_answer *out)
{
	(void)q;
	*out = always;
}

static struct result answered(int status, const char *header, const char *body)
{
	always = (struct fake_answer){ 0 };
	text(&always, status, header, body);
	fake_http_serve(serve_always);
	return get("reg.example/a:v1", NULL, "manifests", "v1");
}

static void errors_have_names(void)
{
	struct result r =
		answered(404, NULL, "{\"errors\":[{\"code\":\"MANIFEST_UNKNOWN\",\"message\":\"manifest unknown\"}]}");

	ok(r.code == ERR_NOT_FOUND && fake_http_asked() == 1);
	is_str(r.msg, "GET https://reg.example/v2/a/manifests/v1: status 404: MANIFEST_UNKNOWN: manifest unknown");
	r = answered(403, NULL, "");
	ok(r.code == ERR_PERMISSION_DENIED && strstr(r.msg, "status 403"));
	r = answered(400, NULL, "\x01garbage");
	ok(r.code == ERR_INTERNAL);
	r = answered(200, "Content-Type: text/html; charset=utf-8", "<html>log in</html>");
	ok(r.code == ERR_INVALID_ARGUMENT && strstr(r.msg, "an html page instead of"));
	r = answered(404, NULL, "<!DOCTYPE html>");
	ok(r.code == ERR_NOT_FOUND && strstr(r.msg, "html page"));
	r = answered(206, NULL, "{}");
	ok(r.code == ERR_INVALID_ARGUMENT && strstr(r.msg, "not the whole manifest"));
}

/* Size and digest tell what a blob is. */
static void a_blob_of_any_type(void)
{
	struct result r;

	always = (struct fake_answer){ 0 };
	text(&always, 200, "Content-Type: text/html", "bytes");
	fake_http_serve(serve_always);
	r = get("reg.example/a:v1", NULL, "blobs", "sha256:x");
	ok(r.code == ERR_OK && fake_http_asked() == 1);
}

static void errors_without_end(void)
{
	static char flood[2 << 20];
	struct result r;

	memset(flood, 'x', sizeof(flood));
	always = (struct fake_answer){ .status = 404, .body = flood, .len = sizeof(flood) };
	fake_http_piece = 1 << 16;
	fake_http_serve(serve_always);
	r = get("reg.example/a:v1", NULL, "manifests", "v1");
	fake_http_piece = 0;
	ok(r.calls == 1 && r.code == ERR_NOT_FOUND && fake_http_open() == 0);
}

static void five_tries_of_what_may_pass(void)
{
	struct result r = answered(503, NULL, "");

	ok(r.calls == 1 && r.code == ERR_UNAVAILABLE && fake_http_asked() == 5);
	is_str(r.reason, "RegistryUnavailable");
	r = answered(0, NULL, "");
	ok(r.code == ERR_UNAVAILABLE && fake_http_asked() == 5 && strstr(r.msg, "connection refused"));
}

/* A bad certificate, of the registry or of its token server, is not retried: it stays bad. */
static void serve_untrusted(const struct http_request *q, struct fake_answer *out)
{
	if (strstr(q->url, "token"))
		*out = (struct fake_answer){ .untrusted = true };
	else
		text(out, 401, "Www-Authenticate: Bearer realm=\"https://auth.example/token\"", "");
}

static void one_try_of_what_cannot_pass(void)
{
	struct result r;

	always = (struct fake_answer){ .untrusted = true };
	fake_http_serve(serve_always);
	r = get("reg.example/a:v1", NULL, "manifests", "v1");
	ok(r.calls == 1 && r.code == ERR_FAILED_PRECONDITION && fake_http_asked() == 1);
	ok(strstr(r.msg, "certificate problem") && !*r.reason);
	always = (struct fake_answer){ .nameless = true };
	fake_http_serve(serve_always);
	r = get("reg.example/a:v1", NULL, "manifests", "v1");
	ok(r.calls == 1 && r.code == ERR_UNAVAILABLE && fake_http_asked() == 1);
	is_str(r.reason, "RegistryUnavailable");
	fake_http_serve(serve_untrusted);
	r = get("reg.example/a:v1", NULL, "manifests", "v1");
	ok(r.calls == 1 && r.code == ERR_FAILED_PRECONDITION && fake_http_asked() == 2);
}

static void serve_busy_once(const struct http_request *q, struct fake_answer *out)
{
	(void)q;
	if (fake_http_asked() > 1)
		return text(out, 200, NULL, "{}");
	text(out, 429, "Retry-After: 7", "{\"errors\":[{\"code\":\"TOOMANYREQUESTS\"}]}");
}

static void retry_after_is_kept(void)
{
	struct result r;

	fake_http_serve(serve_busy_once);
	begin(&r, "reg.example/a:v1", NULL, "manifests", "v1");
	clock_advance(6999);
	ok(fake_http_asked() == 1 && r.calls == 0);
	clock_advance(1);
	ok(fake_http_asked() == 2 && r.calls == 1 && r.code == ERR_OK);
	buf_free(&r.body);
	ok(retry_after_ms("120", 0) == 60000);
	ok(retry_after_ms("Tue, 14 Nov 2023 22:13:25 GMT", 1700000000) == 5000);
	ok(retry_after_ms("soon", 0) == 0 && retry_after_ms("", 0) == 0 && retry_after_ms("-3", 0) == 0);
}

static void serve_broken(const struct http_request *q, struct fake_answer *out)
{
	fake_http_blob(q, out, BLOB, sizeof(BLOB) - 1);
	if (fake_http_asked() < 3)
		out->cut = 10;
}

static void a_broken_blob_goes_on_where_it_ended(void)
{
	struct result r;

	fake_http_serve(serve_broken);
	r = get("reg.example/a:v1", NULL, "blobs", DIGEST);
	ok(r.code == ERR_OK && fake_http_asked() == 3);
	is_str(buf_str(&r.body), BLOB);
	is_str(fake_http_line(1) + strlen(fake_http_line(1)) - 9, "bytes=10-");
	is_str(fake_http_line(2) + strlen(fake_http_line(2)) - 9, "bytes=20-");
}

static void serve_without_ranges(const struct http_request *q, struct fake_answer *out)
{
	(void)q;
	text(out, 200, NULL, BLOB);
	if (fake_http_asked() == 1)
		out->cut = 10;
}

static void a_server_without_ranges_begins_anew(void)
{
	struct result r;

	fake_http_piece = 7;
	fake_http_serve(serve_without_ranges);
	r = get("reg.example/a:v1", NULL, "blobs", DIGEST);
	fake_http_piece = 0;
	ok(r.code == ERR_OK);
	is_str(buf_str(&r.body), BLOB);
}

static void serve_wrong_range(const struct http_request *q, struct fake_answer *out)
{
	(void)q;
	text(out, 206, "Content-Range: bytes 3-9/10", "3456789");
}

static void another_range_is_refused(void)
{
	struct result r;

	fake_http_serve(serve_wrong_range);
	r = get("reg.example/a:v1", NULL, "blobs", DIGEST);
	ok(r.code == ERR_INVALID_ARGUMENT && strstr(r.msg, "another range"));
}

static void serve_broken_manifest(const struct http_request *q, struct fake_answer *out)
{
	(void)q;
	text(out, 200, NULL, "{\"a\":1}");
	if (fake_http_asked() == 1)
		out->cut = 3;
}

static void a_broken_manifest_begins_anew(void)
{
	struct result r;

	fake_http_serve(serve_broken_manifest);
	r = get("reg.example/a:v1", NULL, "manifests", "v1");
	ok(r.code == ERR_OK && r.heads == 2);
	is_str(buf_str(&r.body), "{\"a\":1}");
}

static void a_full_sink_pauses(void)
{
	struct result r;

	fake_http_piece = 5;
	fake_http_serve(serve_plainly);
	fake_http_serve(serve_broken);
	begin(&r, "reg.example/a:v1", NULL, "blobs", DIGEST);
	r.refuse = 1;
	clock_advance(60000);
	ok(r.calls == 0 && r.body.len == 0);
	registry_resume(r.get);
	clock_advance(60000);
	ok(r.calls == 1 && r.code == ERR_OK && r.body.len == sizeof(BLOB) - 1);
	fake_http_piece = 0;
	buf_free(&r.body);
}

/* ---- mirrors ---- */

static void hosts_toml(const char *domain, const char *content)
{
	const char *dir = arena_printf(arena, "%s/%s", certs, domain);
	FILE *f;

	mkdir(dir, 0755);
	f = fopen(arena_printf(arena, "%s/hosts.toml", dir), "w");
	fputs(content, f);
	fclose(f);
}

static int mirror_status;

static void serve_mirrored(const struct http_request *q, struct fake_answer *out)
{
	if (strstr(q->url, "mirror.example"))
		return text(out, mirror_status, NULL, "{\"from\":\"mirror\"}");
	text(out, 200, NULL, "{}");
}

/* The token is of the registry that was asked for; its mirror could use it there. */
static void a_token_is_not_for_mirrors(void)
{
	const struct registry_auth auth = { .registry_token = "t0k" };
	struct result r;

	cfg.registry_config_path = certs;
	hosts_toml("up.example", "[host.\"https://mirror.example\"]\n[host.\"https://up.example\"]\n");
	mirror_status = 401;
	fake_http_serve(serve_mirrored);
	r = get("up.example/a:v1", &auth, "manifests", "v1");
	ok(r.code == ERR_OK && fake_http_asked() == 2);
	is_str(fake_http_line(0), "GET https://mirror.example/v2/a/manifests/v1?ns=up.example - -");
	is_str(fake_http_line(1), "GET https://up.example/v2/a/manifests/v1 Bearer t0k -");
	cfg.registry_config_path = "";
}

static void mirrors(void)
{
	struct result r;

	cfg.registry_config_path = certs;
	hosts_toml("up.example", "[host.\"https://mirror.example\"]\ncapabilities = [\"pull\", "
				 "\"resolve\"]\n[host.\"https://mirror.example\".header]\nx-a = \"1\"");
	mirror_status = 200;
	fake_http_serve(serve_mirrored);
	r = get("up.example/a:v1", NULL, "manifests", "v1");
	ok(r.code == ERR_OK && fake_http_asked() == 1);
	is_str(fake_http_line(0), "GET https://mirror.example/v2/a/manifests/v1?ns=up.example - -");
	mirror_status = 404;
	fake_http_serve(serve_mirrored);
	r = get("up.example/a:v1", NULL, "manifests", "v1");
	ok(r.code == ERR_OK && fake_http_asked() == 2);
	is_str(fake_http_line(1), "GET https://up.example/v2/a/manifests/v1 - -");
	mirror_status = 0;
	fake_http_serve(serve_mirrored);
	r = get("up.example/a:v1", NULL, "manifests", "v1");
	ok(r.code == ERR_OK && fake_http_asked() == 2);
	mirror_status = 200;
	hosts_toml("up.example", "[host.\"https://mirror.example\"]\ncapabilities = [\"pull\"]");
	fake_http_serve(serve_mirrored);
	r = get("up.example/a:v1", NULL, "manifests", "v1");
	is_str(fake_http_line(0), "GET https://up.example/v2/a/manifests/v1 - -");
	r = get("up.example/a:v1", NULL, "manifests", DIGEST);
	ok(fake_http_count("mirror.example") == 1);
	cfg.registry_config_path = "";
}

static void serve_server_404(const struct http_request *q, struct fake_answer *out)
{
	if (strstr(q->url, "mirror.example"))
		return text(out, 503, NULL, "");
	text(out, 404, NULL, "");
}

static void the_servers_word_is_final(void)
{
	struct result r;

	cfg.registry_config_path = certs;
	fake_http_serve(serve_server_404);
	hosts_toml("up.example", "[host.\"https://mirror.example\"]");
	r = get("up.example/a:v1", NULL, "manifests", "v1");
	ok(r.code == ERR_NOT_FOUND && fake_http_asked() == 2);
	hosts_toml("up.example", "capabilities = [\"push\"]");
	r = get("up.example/a:v1", NULL, "manifests", "v1");
	ok(r.code == ERR_INTERNAL && strstr(r.msg, "no host of up.example"));
	cfg.registry_config_path = "";
}

/* The foreign server is asked without the credentials for the registry (CVE-2020-15157). */
static void a_foreign_layer(void)
{
	struct registry_auth auth = { .username = "me", .password = "pw" };
	struct registry *reg = registry("reg.example/a:v1", &auth);
	const char *urls[] = { "http://plain.example/x", "https://cdn.foreign.example/layer" };
	struct strings list = { urls, 2 };
	struct result r = { 0 };
	struct registry_events ev = { on_head, on_data, on_done, &r };

	redirect_to = "Location: ftp://x";
	fake_http_serve(serve_elsewhere);
	registry_start(reg,
		&(struct registry_request){ .method = "GET", .kind = "blobs", .name = DIGEST, .urls = &list }, &ev);
	registry_release(reg);
	clock_run();
	ok(r.code == ERR_OK && r.body.len == sizeof(BLOB) - 1 && fake_http_count("plain") == 0);
	is_str(fake_http_line(fake_http_asked() - 1), "GET https://cdn.foreign.example/layer - -");
	ok(strstr(fake_http_line(1), "Basic bWU6cHc="));
	buf_free(&r.body);
}

/* ---- cancel ---- */

static void serve_slowly(const struct http_request *q, struct fake_answer *out)
{
	(void)q;
	out->stall = true;
}

static void serve_401_stall(const struct http_request *q, struct fake_answer *out)
{
	out->stall = strstr(q->url, "auth.example") != NULL;
	if (!out->stall)
		text(out, 401, "WWW-Authenticate: Bearer realm=\"https://auth.example/t\"", "");
}

static void cancelled_in(fake_server *fn, int64_t after_ms)
{
	struct result r;

	fake_http_serve(fn);
	begin(&r, "reg.example/a:v1", &(struct registry_auth){ .username = "c", .password = "d" }, "blobs", DIGEST);
	clock_advance(after_ms);
	registry_cancel(r.get);
	clock_advance(600 * 1000);
	ok(r.calls == 0 && fake_http_open() == 0 && clock_waiting() == 0);
	buf_free(&r.body);
}

static void cancel_is_silent(void)
{
	struct result r;

	fake_http_serve(serve_slowly);
	begin(&r, "reg.example/a:v1", NULL, "blobs", DIGEST);
	registry_cancel(r.get); /* START */
	clock_run();
	ok(r.calls == 0 && fake_http_asked() == 0);
	cancelled_in(serve_slowly, 0);    /* ASK */
	cancelled_in(serve_401_stall, 0); /* TOKEN */
	always = (struct fake_answer){ .status = 503 };
	cancelled_in(serve_always, 100);  /* BACKOFF */
}

static void urls(void)
{
	is_str(url_resolve("https://a/v2/x?y", "/z", arena), "https://a/z");
	is_str(url_resolve("https://a/v2/x?y=/", "z?q", arena), "https://a/v2/z?q");
	is_str(url_resolve("https://a", "z", arena), "https://a/z");
	is_str(url_resolve("https://a/x", "//b/c", arena), "https://b/c");
	is_str(url_resolve("https://a/v2/x/y", "../z/./w?q=/../k", arena), "https://a/v2/z/w?q=/../k");
	is_str(url_resolve("https://a/v2/x", "../../../z", arena), "https://a/z");
	is_str(url_resolve("https://a/v2/x", "..", arena), "https://a/");
	is_str(url_resolve("https://a/v2/x/y", "/b/../c/.", arena), "https://a/c/");
	is_str(url_resolve("https://a/v2/x", "https://b/c/../d", arena), "https://b/c/../d"); /* signed as it is */
	ok(!url_resolve("https://a/x", "javascript:1", arena) && !url_resolve("https://a/x", "https://", arena) &&
		!url_resolve("https://a/x", "/a b", arena) && !url_resolve("https://a/x", "", arena));
	ok(url_same_origin("https://a/x", "HTTPS://A:443/y") && !url_same_origin("https://a", "http://a"));
	ok(!url_same_origin("https://a", "https://a:5000") && !url_same_origin("https://a", "https://a.b"));
	ok(url_same_origin("http://u:p@a:80/x", "http://a"));
	is_str(url_no_query("https://u:p@a:1/x?secret#f", arena), "https://a:1/x");
	is_str(url_escape("a/b:c d~", arena), "a%2Fb%3Ac%20d~");
}

int main(void)
{
	arena = arena_new();
	ok(mkdtemp(certs) != NULL);
	a_manifest();
	a_redirect_takes_no_credentials_along();
	signatures_are_not_told();
	errors_have_names();
	a_blob_of_any_type();
	errors_without_end();
	five_tries_of_what_may_pass();
	one_try_of_what_cannot_pass();
	retry_after_is_kept();
	a_broken_blob_goes_on_where_it_ended();
	a_server_without_ranges_begins_anew();
	another_range_is_refused();
	a_broken_manifest_begins_anew();
	a_full_sink_pauses();
	mirrors();
	a_token_is_not_for_mirrors();
	the_servers_word_is_final();
	a_foreign_layer();
	cancel_is_silent();
	urls();
	ok(system(arena_printf(arena, "rm -rf %s", certs)) == 0);
	arena_free(arena);
	return tap_end();
}
