/* test_manifest.c - index, manifest and config: as registries send them, and malformed. */
#include "images/manifest.h"
#include "reactor/buf.h"
#include "tests/tap.h"

#define D1 "sha256:1111111111111111111111111111111111111111111111111111111111111111"
#define D2 "sha256:2222222222222222222222222222222222222222222222222222222222222222"
#define D3 "sha256:3333333333333333333333333333333333333333333333333333333333333333"
#define OCI "application/vnd.oci.image."
#define CONFIG "\"config\":{\"mediaType\":\"" OCI "config.v1+json\",\"digest\":\"" D1 "\",\"size\":100}"
#define LAYER(type, digest) "{\"mediaType\":\"" type "\",\"digest\":\"" digest "\",\"size\":7}"
#define MANIFEST(layers) "{\"schemaVersion\":2," CONFIG ",\"layers\":[" layers "]}"
#define ENTRY(os, arch, rest, digest) \
	"{\"mediaType\":\"" OCI "manifest.v1+json\",\"size\":5,\"digest\":\"" digest "\",\"platform\":" \
	"{\"os\":\"" os "\",\"architecture\":\"" arch "\"" rest "}}"
#define INDEX(entries) "{\"schemaVersion\":2,\"manifests\":[" entries "]}"

#if defined(__x86_64__)
#define OUR_ARCH "amd64"
#elif defined(__aarch64__)
#define OUR_ARCH "arm64"
#endif

static struct arena *arena;
static struct err fault;

static int parse(struct manifest *m, const char *text, const char *type)
{
	return manifest_parse(m, text, strlen(text), type, arena, &fault);
}

static bool refused(const char *text, const char *type, const char *why)
{
	struct manifest m;

	return parse(&m, text, type) < 0 && fault.code == ERR_INVALID_ARGUMENT && strstr(fault.msg, why);
}

static void an_image(void)
{
	struct manifest m;

	ok(parse(&m, MANIFEST(LAYER(OCI "layer.v1.tar+gzip", D2) "," LAYER(OCI "layer.v1.tar", D3)),
		   OCI "manifest.v1+json") == 0);
	ok(!m.is_index && m.nlayers == 2);
	is_str(m.config.digest, D1);
	is_str(m.layers[0].digest, D2);
	is_str(m.layers[1].digest, D3);
	ok(m.layers[0].size_bytes == 7);
}

static void an_image_of_no_layers(void)
{
	struct manifest m;

	ok(parse(&m, MANIFEST(""), "") == 0 && m.nlayers == 0);
}

static void docker_names(void)
{
	struct manifest m;

	ok(parse(&m,
		   "{\"schemaVersion\":2,\"mediaType\":\"application/"
		   "vnd.docker.distribution.manifest.v2+json\",\"config\":{\"mediaType\":"
		   "\"application/vnd.docker.container.image.v1+json\",\"digest\":\"" D1
		   "\",\"size\":1},\"layers\":[" LAYER("application/vnd.docker.image.rootfs.diff.tar.gzip", D2) "]}",
		   "application/json; charset=utf-8") == 0);
	ok(m.nlayers == 1);
}

static void a_foreign_layer_brings_its_urls(void)
{
	struct manifest m;

	ok(parse(&m,
		   MANIFEST("{\"mediaType\":\"application/"
			    "vnd.docker.image.rootfs.foreign.diff.tar.gzip\",\"digest\":\"" D2
			    "\",\"size\":1,\"urls\":[\"https://a.example/x\"]}"),
		   "") == 0);
	ok(m.layers[0].urls.n == 1);
	is_str(m.layers[0].urls.at[0], "https://a.example/x");
}

static void the_index_entry_for_us(void)
{
	struct manifest m;

	ok(parse(&m,
		   INDEX(ENTRY("windows", OUR_ARCH, "", D1) "," ENTRY("linux", "mips", "", D2) "," ENTRY(
			   "linux", OUR_ARCH, "", D3)),
		   OCI "index.v1+json") == 0);
	ok(m.is_index);
	is_str(m.chosen.digest, D3);
}

static void an_entry_without_platform_is_the_last_resort(void)
{
	struct manifest m;

	ok(parse(&m, INDEX(LAYER(OCI "manifest.v1+json", D1) "," ENTRY("linux", OUR_ARCH, "", D2)), "") == 0);
	is_str(m.chosen.digest, D2);
	ok(parse(&m, INDEX(LAYER(OCI "manifest.v1+json", D1)), "") == 0);
	is_str(m.chosen.digest, D1);
}

static void nothing_for_us_lists_what_there_is(void)
{
	struct manifest m;

	ok(parse(&m, INDEX(ENTRY("linux", "mips", ",\"variant\":\"v2\"", D1) "," ENTRY("unknown", "unknown", "", D2)),
		   "") < 0);
	ok(fault.code == ERR_NOT_FOUND);
	is_str(fault.msg, "the image has no variant for linux/" OUR_ARCH " (it has linux/mips/v2)");
}

/* What RFC 8259 allows, in members that nobody reads. */
static void odd_members(void)
{
	struct manifest m;

	ok(parse(&m,
		   "{\"schemaVersion\":2,\"manifests\":null," CONFIG ",\"layers\":[" LAYER(OCI "layer.v1.tar", D2) "],"
		   "\"annotations\":{\"a\":1e999,\"b\":-123456789012345678901234567890,"
		   "\"c\":\"x\\u0000y\\ud800z\\udc00\",\"d\":[1.5,true,{}],\"e\":\"1e999 \\\" \\ud83d\\ude00\","
		   "\"org.criu.checkpoint.container.name\":\"\\u0000n\"}}",
		   "") == 0);
	ok(m.nlayers == 1);
	is_str(m.checkpoint, "\xef\xbf\xbdn");
	/* What is read must be right. */
	ok(refused("{\"schemaVersion\":2," CONFIG ",\"layers\":[{\"mediaType\":\"" OCI "layer.v1.tar\",\"digest\":\"" D2
		   "\",\"size\":99999999999999999999}]}", "", "no valid size"));
	ok(refused("{\"schemaVersion\":2," CONFIG ",\"layers\":[],\"a\":1e999,\"b\":\"\\u00\"}", "",
		   "the manifest: line 1"));
	ok(refused("{\"schemaVersion\":2," CONFIG ",\"layers\":[],\"a\":1e999,\"schemaVersion\":1}", "",
		   "the manifest: line 1"));
	ok(parse(&m, "{\"schemaVersion\":2,\"config\":{\"mediaType\":\"application/octet-stream\",\"digest\":\"" D1
		     "\",\"size\":100},\"layers\":[]}", "") == 0);
}

static void what_is_no_image_is_refused(void)
{
	ok(refused("", "", "the manifest"));
	ok(refused("<html>", "text/html", "line 1"));
	ok(refused("[]", "", "not a JSON object"));
	ok(refused("{}", "", "schemaVersion"));
	ok(refused("{\"schemaVersion\":1,\"fsLayers\":[]}", "", "schema 1"));
	ok(refused("{\"schemaVersion\":2}", "application/vnd.docker.distribution.manifest.v1+prettyjws", "schema 1"));
	ok(refused("{\"schemaVersion\":2,\"manifests\":[],\"layers\":[]}", "", "at once"));
	ok(refused(MANIFEST(""), OCI "index.v1+json", "disagree"));
	ok(refused("{\"schemaVersion\":2,\"mediaType\":\"a/b\"," CONFIG ",\"layers\":[]}", "", "\"a/b\""));
	ok(refused("{\"schemaVersion\":2}", "", "config"));
	ok(refused("{\"schemaVersion\":2," CONFIG "}", "", "no layers"));
	ok(refused("{\"schemaVersion\":2,\"config\":{\"mediaType\":\"application/"
		   "vnd.cncf.helm.config.v1+json\",\"digest\":\"" D1 "\",\"size\":1},\"layers\":[]}",
		"", "helm"));
	ok(refused(MANIFEST(LAYER("text/plain", D2)), "", "layer 0 has the unknown type \"text/plain\""));
	ok(refused(MANIFEST(LAYER(OCI "layer.v1.tar+gzip+encrypted", D2)), "", "encrypted"));
	ok(refused(MANIFEST(LAYER(OCI "layer.v1.tar", "sha256:12")), "", "no sha256 digest"));
	ok(refused(MANIFEST("{\"mediaType\":\"" OCI "layer.v1.tar\",\"digest\":\"" D1 "\",\"size\":-1}"), "", "size"));
	ok(refused(MANIFEST("7"), "", "layer 0"));
}

static void too_many_layers(void)
{
	struct buf b = { 0 };
	struct manifest m;

	buf_puts(&b, "{\"schemaVersion\":2," CONFIG ",\"layers\":[");
	for (int i = 0; i < LAYERS_MAX; i++)
		buf_printf(&b, "%s", LAYER(OCI "layer.v1.tar", D2) ",");
	buf_puts(&b, LAYER(OCI "layer.v1.tar", D2) "]}");
	ok(manifest_parse(&m, (char *)b.at, b.len, "", arena, &fault) < 0);
	ok(strstr(fault.msg, "501 layers"));
	buf_free(&b);
}

static void the_config(void)
{
	static const char text[] =
		"{\"os\":\"linux\",\"architecture\":\"x\",\"rootfs\":{\"type\":\"layers\",\"diff_ids\":[\"" D1
		"\",\"" D2 "\"]},"
		"\"config\":{\"Env\":[\"A=1\",\"B=2\"],\"Entrypoint\":[\"/e\"],\"Cmd\":[\"c\",\"d\"],\"WorkingDir\":\"/"
		"w\",\"User\":\"1:2\","
		"\"StopSignal\":\"SIGINT\",\"Labels\":{\"k\":\"v\"},\"Volumes\":{\"/data\":{}}}}";
	struct image_config c = { 0 };
	struct strings ids;

	ok(config_parse(&c, &ids, text, sizeof(text) - 1, arena, &fault) == 0);
	ok(ids.n == 2 && c.env.n == 2 && c.cmd.n == 2 && c.entrypoint.n == 1 && c.volumes.n == 1);
	is_str(ids.at[1], D2);
	is_str(c.env.at[1], "B=2");
	is_str(c.working_dir, "/w");
	is_str(c.user, "1:2");
	is_str(c.stop_signal, "SIGINT");
	is_str(pairs_get(&c.labels, "k"), "v");
	is_str(c.volumes.at[0], "/data");
}

static void a_bare_config(void)
{
	static const char text[] = "{\"config\":{\"Env\":null,\"Cmd\":null},\"rootfs\":{\"diff_ids\":null}}";
	struct image_config c = { 0 };
	struct strings ids;

	ok(config_parse(&c, &ids, text, sizeof(text) - 1, arena, &fault) == 0);
	ok(ids.n == 0 && c.env.n == 0 && c.cmd.n == 0);
	is_str(c.user, "");
}

static bool config_refused(const char *text, enum err_code code, const char *why)
{
	struct image_config c;
	struct strings ids;

	return config_parse(&c, &ids, text, strlen(text), arena, &fault) < 0 && fault.code == code &&
	       strstr(fault.msg, why);
}

static void a_config_refused(void)
{
	ok(config_refused("7", ERR_INVALID_ARGUMENT, "not a JSON object"));
	ok(config_refused("{", ERR_INVALID_ARGUMENT, "line 1"));
	ok(config_refused("{\"rootfs\":{\"diff_ids\":[\"x\"]}}", ERR_INVALID_ARGUMENT, "diff_id \"x\""));
	ok(config_refused("{\"rootfs\":{\"diff_ids\":[7]}}", ERR_INVALID_ARGUMENT, "malformed"));
	ok(config_refused("{\"os\":\"windows\"}", ERR_NOT_FOUND, "not for linux"));
	ok(config_refused("{\"schemaVersion\":2,\"rootfs\":{\"diff_ids\":[]}}", ERR_INVALID_ARGUMENT, "is a manifest"));
}

static void chains(void)
{
	is_str(chain_id(NULL, D1, arena), D1);
	is_str(chain_id(D1, D2, arena), "sha256:9932074217c35353d2e03a3f5a86549f7c67bfeb0ba53e23d69f4d4c8f7958f5");
}

int main(void)
{
	arena = arena_new();
	an_image();
	an_image_of_no_layers();
	docker_names();
	a_foreign_layer_brings_its_urls();
	the_index_entry_for_us();
	an_entry_without_platform_is_the_last_resort();
	nothing_for_us_lists_what_there_is();
	odd_members();
	what_is_no_image_is_refused();
	too_many_layers();
	the_config();
	a_bare_config();
	a_config_refused();
	chains();
	arena_free(arena);
	return tap_end();
}
