/* test_scrub.c - secrets go out of a text, and what is none stays. */
#include "handlers/cli/scrub.h"

#include <string.h>

#include "reactor/own.h"
#include "tests/tap.h"

static void becomes(const char *text, const char *want)
{
	struct buf out = { 0 };

	scrub_text(&out, text, strlen(text));
	is_str(buf_str(&out), want);
	buf_free(&out);
}

static void stays(const char *text)
{
	becomes(text, text);
}

static void users_and_passwords(void)
{
	becomes("proxy http://me:hunter2@proxy.test:3128/ failed\n",
		"proxy http://[removed]@proxy.test:3128/ failed\n");
	becomes("HTTPS_PROXY=http://me:hu@nt/er,2@p:1\n", "HTTPS_PROXY=http://[removed]@p:1\n");
	becomes("https://justtoken@ghcr.io/v2/\n", "https://[removed]@ghcr.io/v2/\n");
	becomes("image=me:hunter2@ghcr.io/a/b:1 x=1\n", "image=[removed]@ghcr.io/a/b:1 x=1\n");
	becomes("\"me:hun=ter2@ghcr.io/a\"\n", "\"[removed]@ghcr.io/a\"\n");
	becomes("justtoken@ghcr.io/a/b\n", "[removed]@ghcr.io/a/b\n");
	becomes("http://u:p@h/x@sha256:00\n", "http://[removed]@h/x@sha256:00\n");
	stays("127.0.0.1:5000/busybox:latest@sha256:0123 image@sha512:4567\n");
	stays("/user.slice/user@1000.service/app.slice root@node at=@ @\n");
}

static void names(void)
{
	becomes("{\"auth\":\"bWU6aHVudGVyMg==\",\"n\":1}\n", "{\"auth\":\"[removed]\",\"n\":1}\n");
	becomes("{ \"Password\" : \"correct \\\"horse\" }\n", "{ \"Password\" : \"[removed]\" }\n");
	becomes("x=\"{\\\"identitytoken\\\": \\\"abc def\\\", \\\"n\\\": 1}\" y=2\n",
		"x=\"{\\\"identitytoken\\\": \\\"[removed]\\\", \\\"n\\\": 1}\" y=2\n");
	becomes("token=abc next=1\n", "token=[removed] next=1\n");
	becomes("https://s3.test/b?X-Amz-Credential=AB%2F1&X-Amz-Signature=0f0f&n=1\n",
		"https://s3.test/b?X-Amz-Credential=[removed]&X-Amz-Signature=[removed]&n=1\n");
	becomes("registry_password: correct horse # why\n", "registry_password: [removed]\n");
	becomes("  authorization = [\"Basic bWU6aHVudGVyMg==\"]\n", "  authorization = [removed]\n");
	becomes("Authorization: Basic bWU6aHVudGVyMg==\n", "Authorization: [removed]\n");
	becomes("got Bearer abc.def, and basic  Zm9v\n", "got Bearer [removed], and basic  [removed]\n");
	becomes("secret: 'a\n", "secret: '[removed]\n");
	becomes("password: it's mine\n", "password: [removed]\n");
	becomes("password=it's, n=1\n", "password=[removed], n=1\n");
	becomes("words=\"password: a\\\"b c\" n=1\n", "words=\"password: [removed]\" n=1\n");
	becomes("header Authorization=Basic bWU6aHVudGVyMg== n=1\n", "header Authorization=[removed] n=1\n");
	becomes("login --password hunter2 --token 'a b' n\n",
		"login --password [removed] --token '[removed]' n\n");
	becomes("[\"--registry-token\",\"hunter2\",\"n\"]\n", "[\"--registry-token\",\"[removed]\",\"n\"]\n");
	stays("--password-stdin --token\n");
	stays("auth_files: [/a/config.json] author=me signature_policy: /etc/policy.json compass: north\n");
	stays("a token, the secret of basic\n");
	stays("token=\npassword:\n\"auth\":\"\n");
}

static void tokens(void)
{
	becomes("got eyJhbGciOiJIUzI1NiJ9.e30.abc here\n", "got [removed] here\n");
	becomes("'ghp_0123456789abcdef'\n", "'[removed]'\n");
	becomes("a\n-----BEGIN RSA PRIVATE KEY-----\nMIIE\nMIIF\n-----END RSA PRIVATE KEY-----\nb\n",
		"a\n[removed]\nb\n");
	becomes("k=\"-----BEGIN PRIVATE KEY-----\\nMII\\n-----END PRIVATE KEY-----\"\nb\n", "[removed]\nb\n");
	stays("eyJ ghp_short\n");
}

static void lines(void)
{
	struct buf out = { 0 };
	auto_free char *text = own_must(malloc(SCRUB_LINE_MAX + 10));

	becomes("", "");
	becomes("no end of line", "no end of line\n");
	memset(text, 'x', SCRUB_LINE_MAX + 10);
	scrub_text(&out, text, SCRUB_LINE_MAX + 10);
	ok(out.len == SCRUB_LINE_MAX + 7);
	buf_free(&out);
}

static void members(void)
{
	struct arena *a = arena_new();
	auto_json json_t *j = json_pack("{s:{s:{s:s}}, s:[{s:i, s:s}], s:s}", "auths", "ghcr.io", "auth", "x", "list",
					"n", 1, "k8s_auth_token", "x", "name", "me");

	scrub_json(j);
	is_str(json_text(a, j), "{\"auths\":\"[removed]\","
				"\"list\":[{\"k8s_auth_token\":\"[removed]\",\"n\":1}],\"name\":\"me\"}");
	arena_free(a);
}

int main(void)
{
	users_and_passwords();
	names();
	tokens();
	lines();
	members();
	return tap_end();
}
