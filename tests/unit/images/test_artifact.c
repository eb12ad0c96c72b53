/* test_artifact.c - manifests of OCI artifacts: as oras writes them, and hostile. */
#include "images/artifact.h"
#include "tests/tap.h"

#define D1 "sha256:1111111111111111111111111111111111111111111111111111111111111111"
#define D2 "sha256:2222222222222222222222222222222222222222222222222222222222222222"
#define D3 "sha256:3333333333333333333333333333333333333333333333333333333333333333"
#define TITLE "org.opencontainers.image.title"
#define CONFIG(type) "\"config\":{\"mediaType\":\"" type "\",\"digest\":\"" D1 "\",\"size\":9999999}"
#define BLOB(digest, notes) \
	"{\"mediaType\":\"text/plain\",\"digest\":\"" digest "\",\"size\":7,\"annotations\":{" notes "}}"
#define NAMED(digest, name) BLOB(digest, "\"" TITLE "\":\"" name "\"")
#define TAR(digest) \
	"{\"mediaType\":\"application/vnd.oci.image.layer.v1.tar\",\"digest\":\"" digest "\",\"size\":7}"
#define IMAGE_CONFIG \
	"\"config\":{\"mediaType\":\"application/vnd.oci.image.config.v1+json\",\"digest\":\"" D1 "\",\"size\":2}"
#define EMPTY CONFIG("application/vnd.oci.empty.v1+json")

static struct arena *arena;
static struct err fault;
static struct manifest m;

/* type: the artifactType; "": none. */
static bool parsed(const char *type, const char *config, const char *blobs)
{
	const char *text = arena_printf(arena, "{\"schemaVersion\":2,%s%s%s%s,\"layers\":[%s]}",
					*type ? "\"artifactType\":\"" : "", type, *type ? "\"," : "", config, blobs);

	return manifest_parse(&m, text, strlen(text), "", arena, &fault) == 0;
}

static bool refused(const char *blobs, const char *why)
{
	return !parsed("a/model", EMPTY, blobs) && fault.code == ERR_INVALID_ARGUMENT && strstr(fault.msg, why);
}

static void files(void)
{
	ok(parsed("a/model", EMPTY, NAMED(D2, "a b.\xc3\xbc") "," BLOB(D3, "\"x\":\"y\"") "," NAMED(D3, "..c") ","
		  NAMED(D2, "-d")));
	is_str(m.artifact, "a/model");
	ok(m.nlayers == 3); /* without the one that has no name */
	is_str(m.layers[0].file, "a b.\xc3\xbc");
	is_str(m.layers[1].file, "..c");
	is_str(m.layers[1].digest, D3);
	/* One blob under two names makes two directories; none of them is that of a tar with this digest. */
	ok(strcmp(m.layers[0].diff_id, m.layers[2].diff_id) != 0 && strcmp(m.layers[0].diff_id, D2) != 0);
	ok(parsed("a/model", EMPTY, NAMED(D2, "f") "," NAMED(D2, "f")) && m.nlayers == 1);
}

static void what_makes_an_artifact(void)
{
	ok(parsed("", CONFIG("a/b"), NAMED(D2, "f")));
	is_str(m.artifact, "a/b");
	ok(parsed("a/c", IMAGE_CONFIG, TAR(D2))); /* an image, whatever its artifactType is */
	is_str(m.artifact, "");
	ok(!m.layers[0].file && !m.layers[0].diff_id);
	ok(parsed("a/c", IMAGE_CONFIG, NAMED(D2, "f")));
	is_str(m.artifact, "a/c");
	ok(!parsed("", IMAGE_CONFIG, NAMED(D2, "f")) && strstr(fault.msg, "layer 0 has the unknown type"));
	ok(!parsed("", CONFIG(""), NAMED(D2, "f")) && strstr(fault.msg, "its config has the type \"\""));
	ok(!parsed("", CONFIG("a/b"), TAR(D2)));
	is_str(fault.msg, "neither a container image nor an artifact of files: its config has the type \"a/b\", and no "
	       "blob has the annotation org.opencontainers.image.title");
	ok(refused("", "neither a container image"));
}

static void a_directory_that_oras_packed(void)
{
#define PACKED "\"" TITLE "\":\"dir\",\"io.deis.oras.content.unpack\":\"true\""
	ok(parsed("a/model", EMPTY, BLOB(D2, PACKED ",\"io.deis.oras.content.digest\":\"" D3 "\"")));
	ok(m.nlayers == 1 && !m.layers[0].file);
	is_str(m.layers[0].diff_id, D3);
	ok(refused(BLOB(D2, PACKED), "the blob \"dir\" is to be unpacked, but \"\""));
	ok(refused(BLOB(D2, PACKED ",\"io.deis.oras.content.digest\":\"sha256:1\""), "is no sha256 digest"));
}

static const char *named(const char *name)
{
	return arena_printf(arena, "{\"digest\":\"" D2 "\",\"size\":7,\"annotations\":{\"" TITLE "\":\"%s\"}}", name);
}

static void names_that_are_none(void)
{
	static const char *const names[] = { "", ".", "..", "/", "/etc/passwd", "../x", "a/../x", "a/..", "./a",
					     "a/./b", "a//b", "a/", "a\\n", "a/\\n/b", "\\u001b[2J", "\\u007f" };
	char name[257] = "";

	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++)
		ok(refused(named(names[i]), "which is no name of a file"));
	ok(strstr(fault.msg, "layer 0: the blob sha256:222222222222 has the name \"\\x7f\""));
	memset(name, 'n', 256);
	ok(refused(named(name), "which is no name of a file"));
	name[255] = '\0';
	ok(parsed("a/model", EMPTY, named(name)));
	ok(refused(BLOB(D2, "\"" TITLE "\":7"), "which is no name of a file"));
	ok(refused(NAMED(D2, "f") "," NAMED(D3, "f"), "two blobs of the artifact have the name \"f\""));
}

static const char *deep(int depth)
{
	const char *name = "f";

	for (int i = 1; i < depth; i++)
		name = arena_printf(arena, "d/%s", name);
	return name;
}

static void names_with_directories(void)
{
	const char *part = "nnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnn";
	const char *name = part;

	ok(parsed("a/model", EMPTY, NAMED(D2, "conf/app.yaml") "," NAMED(D3, "conf/sub/..x") "," NAMED(D2, "conf2")));
	ok(m.nlayers == 3);
	is_str(m.layers[1].file, "conf/sub/..x");
	ok(parsed("a/model", EMPTY, named(deep(ARTIFACT_DEPTH_MAX))));
	ok(refused(named(deep(ARTIFACT_DEPTH_MAX + 1)), "which is no name of a file"));
	for (int i = 1; i < ARTIFACT_PATH_MAX / 64; i++)
		name = arena_printf(arena, "%s/%s", name, part);
	ok(parsed("a/model", EMPTY, named(arena_printf(arena, "%sn", name))));
	ok(refused(named(arena_printf(arena, "%snn", name)), "which is no name of a file"));
	ok(refused(NAMED(D2, "a/b/c") "," NAMED(D3, "a/b"), "the blob \"a/b\" of the artifact is a file, and the "
		   "directory of another one"));
	ok(refused(NAMED(D2, "a") "," NAMED(D3, "a/b/c"), "the blob \"a\" of the artifact is a file"));
	/* A packed directory and a file that is put into it. */
	ok(parsed("a/model", EMPTY, BLOB(D2, PACKED ",\"io.deis.oras.content.digest\":\"" D3 "\"") ","
		  NAMED(D3, "dir/f")));
	ok(m.nlayers == 2);
}

int main(void)
{
	arena = arena_new();
	files();
	what_makes_an_artifact();
	a_directory_that_oras_packed();
	names_that_are_none();
	names_with_directories();
	arena_free(arena);
	return tap_end();
}
