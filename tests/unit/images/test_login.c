/* test_login.c - docker's config.json: which entry and which helper count for an image; a helper's answer. */
#include <stdlib.h>

#include "images/login.h"
#include "tests/tap.h"

static struct arena *arena;
static struct login_entry entry;
static struct err fault;

static int parse(const char *text, const char *image)
{
	struct ref r;

	ok(ref_parse(&r, image, arena, &fault) == 0);
	return login_parse(&entry, text, strlen(text), "/c.json", &r, arena, &fault);
}

static const char *user(const char *keys, const char *image)
{
	return parse(arena_printf(arena, "{\"auths\":{%s}}", keys), image) < 0 ? fault.msg : entry.auth.username;
}

#define IS(key, name) "\"" key "\":{\"username\":\"" name "\",\"password\":\"p\"}"

static void keys_of_auths(void)
{
	is_str(user(IS("a.test", "1") "," IS("a.test/x", "2") "," IS("a.test/x/y", "3"), "a.test/x/z"), "2");
	is_str(user(IS("a.test", "1") "," IS("a.test:5000", "2"), "a.test:5000/x"), "2");
	is_str(user(IS("https://index.docker.io/v1/", "hub"), "busybox"), "hub");
	is_str(user(IS("docker.io", "hub"), "busybox"), "hub");
	is_str(user(IS("https://a.test/v2", "1"), "a.test/x"), "1");
	is_str(user(IS("a.tes", "1") "," IS("b.test", "2"), "a.test/x"), "");
	is_str(user("\"a.test\":1", "a.test/x"), "");
	ok(parse("{\"auths\":{\"a.test\":{\"auth\":\"eA==\",\"identitytoken\":\"t\"}}}", "a.test/x") == 0);
	ok(entry.auth.node);
	is_str(entry.auth.auth, "eA==");
	is_str(entry.auth.identity_token, "t");
}

static void helpers(void)
{
	const char *text = "{\"credHelpers\":{\"a.test\":\"one\",\"gcr.test\":\"\"},\"credsStore\":\"all\"}";

	ok(parse(text, "a.test/x") == 0);
	is_str(entry.helper, "one");
	is_str(entry.server, "a.test");
	ok(parse(text, "b.test:1/x") == 0);
	is_str(entry.helper, "all");
	is_str(entry.server, "b.test:1");
	ok(parse(text, "busybox") == 0);
	is_str(entry.server, "https://index.docker.io/v1/");
	ok(parse(text, "gcr.test/x") == 0 && !*entry.helper);
	ok(parse("{\"credsStore\":\"../x\"}", "a.test/x") < 0 && strstr(fault.msg, "name of letters"));
	ok(parse("{\"credsStore\":\"a b\"}", "a.test/x") < 0 && parse("{\"credsStore\":[]}", "a.test/x") < 0);
	ok(parse("[]", "a.test/x") < 0);
	ok(parse("{\"auths\": {\"secret\" secret", "a.test/x") < 0 && !strstr(fault.msg, "secret"));
}

static void answers_of_helpers(void)
{
	struct registry_auth a;

#define ANSWER(text) login_helper_answer(&a, text, strlen(text), "one", arena, &fault)
	ok(ANSWER("{\"ServerURL\":\"s\",\"Username\":\"u\",\"Secret\":\"p\"}\n") == 0 && a.node);
	is_str(a.username, "u");
	is_str(a.password, "p");
	ok(ANSWER("{\"Username\":\"<token>\",\"Secret\":\"t\"}") == 0 && !*a.username);
	is_str(a.identity_token, "t");
	ok(ANSWER("{\"Username\":\"u\"}") < 0 && ANSWER("") < 0 && ANSWER("secret") < 0);
	ok(!strstr(fault.msg, "secret"));
}

int main(void)
{
	arena = arena_new();
	keys_of_auths();
	helpers();
	answers_of_helpers();
	arena_free(arena);
	return tap_end();
}
