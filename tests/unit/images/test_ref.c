/* test_ref.c - image references as users write them. */
#include "images/ref.h"
#include "tests/tap.h"

#define SHA "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"

/* Prints the parts as "domain|repository|tag|digest", or "!" for an error. */
static const char *parts(struct arena *a, const char *text)
{
	struct ref r;
	struct err e;

	if (ref_parse(&r, text, a, &e) < 0)
		return e.code == ERR_INVALID_ARGUMENT ? "!" : "another code";
	return arena_printf(a, "%s|%s|%s|%s", r.domain, r.repository, r.tag, r.digest);
}

static const struct {
	const char *text, *want;
} whole[] = {
	{ "busybox", "docker.io|library/busybox|latest|" },
	{ "busybox:1.36", "docker.io|library/busybox|1.36|" },
	{ "busybox@" SHA, "docker.io|library/busybox||" SHA },
	{ "busybox:1@" SHA, "docker.io|library/busybox|1|" SHA },
	{ "user/app", "docker.io|user/app|latest|" },
	{ "docker.io/busybox", "docker.io|library/busybox|latest|" },
	{ "index.docker.io/busybox", "docker.io|library/busybox|latest|" },
	{ "Index.Docker.IO/busybox", "docker.io|library/busybox|latest|" },
	{ "DOCKER.io/busybox", "docker.io|library/busybox|latest|" },
	{ "docker.io/user/app:v1", "docker.io|user/app|v1|" },
	{ "localhost/app", "localhost|app|latest|" },
	{ "localhost:5000/app", "localhost:5000|app|latest|" },
	{ "127.0.0.1:5000/a/b/c:x", "127.0.0.1:5000|a/b/c|x|" },
	{ "[::1]:5000/app:x", "[::1]:5000|app|x|" },
	{ "registry.k8s.io/pause:3.9", "registry.k8s.io|pause|3.9|" },
	{ "Foo/bar", "Foo|bar|latest|" }, /* a capital makes it a host */
	{ "a.b/c__d/e-f---g.h:T_a-g.1", "a.b|c__d/e-f---g.h|T_a-g.1|" },
	{ "host:5000", "docker.io|library/host|5000|" },
};

static const char *const refused[] = {
	"",
	":",
	"@",
	":tag",
	"@" SHA,
	"/",
	"a/",
	"/a",
	"a//b",
	"A",
	"Busybox",
	"busybox:",
	"busybox:-x",
	"busybox:a b",
	"busybox@sha256:123",
	"busybox@sha512:e3",
	"busybox@" SHA "0",
	"busybox:x@",
	"a..b/c",
	"-a.b/c",
	"a.-b/c",
	"a.b:/c",
	"a.b:x/c",
	"x/_a",
	"x/a_",
	"x/a___b",
	"x/a..b",
	"x/a._b",
	"x/a/../b",
	"x/a b",
	"x/a\n",
	"[::1/a",
	"[]/a",
	"http://host/a",
	"a:b:c",
	"e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
};

static void written_and_meant(struct arena *a)
{
	for (size_t i = 0; i < sizeof(whole) / sizeof(*whole); i++)
		is_str(parts(a, whole[i].text), whole[i].want);
}

static void malformed(struct arena *a)
{
	for (size_t i = 0; i < sizeof(refused) / sizeof(*refused); i++)
		is_str(parts(a, refused[i]), "!");
}

static void too_long(struct arena *a)
{
	char name[400];

	memset(name, 'a', sizeof(name));
	memcpy(name, "a.b/", 4);
	name[255] = '\0';
	ok(strcmp(parts(a, name), "!") != 0);
	name[255] = 'a';
	name[256] = '\0';
	is_str(parts(a, name), "!");
	memcpy(name, "busybox:", 8);
	name[8 + 128] = '\0';
	ok(strcmp(parts(a, name), "!") != 0);
	name[8 + 128] = 'a';
	name[8 + 129] = '\0';
	is_str(parts(a, name), "!");
}

static void the_message_says_why(struct arena *a)
{
	struct ref r;
	struct err e;

	ref_parse(&r, "Busybox", a, &e);
	is_str(e.msg, "image reference \"Busybox\": the repository name \"library/Busybox\" is malformed (it must be "
		      "lower case)");
	ref_parse(&r, "a@sha512:00", a, &e);
	ok(strstr(e.msg, "sha512 is not supported"));
}

static void names(struct arena *a)
{
	struct ref r;
	struct err e;

	ok(ref_parse(&r, "busybox:1@" SHA, a, &e) == 0);
	is_str(ref_tagged(&r, a), "docker.io/library/busybox:1");
	is_str(ref_digested(&r, r.digest, a), "docker.io/library/busybox@" SHA);
	ok(ref_parse(&r, "busybox@" SHA, a, &e) == 0);
	ok(ref_tagged(&r, a) == NULL);
}

static void no_password_in_messages(struct arena *a)
{
	static const char *const texts[][2] = {
		{ "user:pw@host/img:1", "***@host/img:1" },
		{ "https://user:pw@host:5000/img", "https://***@host:5000/img" },
		{ "user:p@w/x@host/img@" SHA, "***@host/img@" SHA },
		{ "token@host/img", "***@host/img" },
		{ "host/img@" SHA, "host/img@" SHA },
		{ "host/img:1@sha256:00", "host/img:1@sha256:00" },
		{ "busybox", "busybox" },
	};
	struct ref r;
	struct err e;

	for (size_t i = 0; i < sizeof(texts) / sizeof(*texts); i++)
		is_str(ref_shown(texts[i][0], a), texts[i][1]);
	for (size_t i = 0; i < 4; i++) {
		ok(ref_parse(&r, texts[i][0], a, &e) < 0 && e.code == ERR_INVALID_ARGUMENT);
		ok(!strstr(e.msg, "pw") && !strstr(e.msg, "p@w") && !strstr(e.msg, "token") && strstr(e.msg, "***@"));
	}
}

int main(void)
{
	struct arena *a = arena_new();

	written_and_meant(a);
	malformed(a);
	too_long(a);
	the_message_says_why(a);
	names(a);
	no_password_in_messages(a);
	arena_free(a);
	return tap_end();
}
