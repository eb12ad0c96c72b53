/* test_pull_kinds.c - pulls of what is no plain image: artifacts, checkpoints, and manifests that say odd things. */
#include "tests/unit/images/image_story.h"

#define NOWHERE "sha256:1111111111111111111111111111111111111111111111111111111111111111"
#define TITLED(name) \
	"{\"mediaType\":\"a/b\",\"digest\":\"%s\",\"size\":%d,\"annotations\":" \
	"{\"org.opencontainers.image.title\":\"" name "\"}}"

static const char *put_file(const char *text)
{
	const char *d = digest_text(text, strlen(text));

	put_blob(arena_printf(arena, "blobs/%s", d), text, "application/octet-stream");
	return d;
}

/* Its config is not asked for, since many artifacts have the same one: {}. (ARCHITECTURE I69) */
static void an_artifact(void)
{
	const char *one = put_file("content 1"), *two = put_file("raw"), *manifest;
	const struct image *img;
	struct result r;

	manifest = arena_printf(arena,
		"{\"schemaVersion\":2,\"artifactType\":\"a/model\",\"config\":{\"mediaType\":"
		"\"application/vnd.oci.empty.v1+json\",\"digest\":\"" NOWHERE "\",\"size\":2},\"layers\":["
		TITLED("f") "," TITLED("g") "," TITLED("h") "]}",
		one, 9, two, 3, one, 9);
	manifest = put_manifest("v1", manifest, OCI "manifest.v1+json");
	fresh_registry();
	r = pull("r.example/a:v1");
	ok(r.code == ERR_OK && fake_http_count("manifests") == 1 && fake_http_count("blobs") == 3);
	is_str(r.id, manifest);
	img = store_find("r.example/a:v1");
	ok(img && img->layers.n == 3 && img->size_bytes > 21 && files_in("partial") == 0 && files_in("blobs") == 1);
	is_str(img->config.artifact, "a/model");
	/* An image whose layer is that blob has a directory of its own, and so after a restart. */
	IMAGE("v2", "content 1");
	ok(store_open(&fault) == 0);
	is_str(store_find(manifest)->config.artifact, "a/model");
	ok(pull("r.example/a:v2").code == ERR_OK && files_in("layers") == 4);
	is_str(store_find("r.example/a:v2")->config.artifact, "");
	/* What it has is here already. */
	fresh_registry();
	ok(pull("r.example/a:v1").code == ERR_OK && fake_http_count("blobs") == 0);
	clean();
	ok(files_in("layers") == 0 && files_in("blobs") == 0);
	put_blob(arena_printf(arena, "blobs/%s", two), "other", "application/octet-stream");
	r = pull("r.example/a:v1");
	ok(r.code == ERR_DATA_LOSS && !store_find("r.example/a:v1"));
	clean();
	ok(files_in("layers") == 0);
}

/* Another manifest of the same config and layers, which says that they are a checkpoint: its author may be anybody. */
static void a_checkpoint_is_another_image(void)
{
	const char *plain = IMAGE("v1", "content 1"), *text, *marked, *config, *id;
	const struct image *img;

	text = blob_at(arena_printf(arena, "manifests/%s", plain))->data;
	marked = arena_printf(arena, "{\"annotations\":{\"org.criu.checkpoint.container.name\":\"x\"},%s", text + 1);
	marked = put_manifest("v2", marked, OCI "manifest.v1+json");
	fresh_registry();
	ok(pull("r.example/a:v1").code == ERR_OK);
	config = arena_strdup(arena, store_find("r.example/a:v1")->id);
	ok(strcmp(config, plain) != 0);
	is_str(store_document(store_find(config)), config);
	id = arena_strdup(arena, pull("r.example/a:v2").id);
	is_str(id, marked);
	ok(store_open(&fault) == 0); /* and so after a restart */
	img = store_find("r.example/a:v2");
	ok(img && files_in("layers") == 1);
	is_str(img->id, marked);
	is_str(img->config.checkpoint, "x");
	is_str(store_document(img), config);
	img = store_find("r.example/a:v1");
	is_str(img->id, config);
	is_str(img->config.checkpoint, "");
	/* It is here: by both names. */
	ok(pull("r.example/a:v1").code == ERR_OK);
	is_str(pull("r.example/a:v2").id, id);
	is_str(store_find(config)->config.checkpoint, "");
	clean();
}

/* A layer that is here is not fetched, so the size that a manifest says of it is not verified. */
static void another_size_of_what_is_here(void)
{
	const char *plain = IMAGE("v1", "content 1"), *text, *at, *config;
	uint64_t size;

	text = blob_at(arena_printf(arena, "manifests/%s", plain))->data;
	at = strstr(text, "\"size\":9}");
	put_manifest("v2", arena_printf(arena, "%.*s\"size\":9000000000000000000}%s", (int)(at - text), text, at + 9),
		     OCI "manifest.v1+json");
	fresh_registry();
	ok(pull("r.example/a:v1").code == ERR_OK);
	size = store_find("r.example/a:v1")->size_bytes;
	config = arena_strdup(arena, store_find("r.example/a:v1")->id);
	is_str(pull("r.example/a:v2").id, config);
	ok(store_find(config)->size_bytes == size && store_find(config)->tags.n == 2);
	clean();
}

/* A text that is the manifest of an artifact, and the config of an image: both would have the id of that digest. */
static void a_config_that_is_a_manifest(void)
{
	const char *file = put_file("content 1"), *both, *digest;
	struct result r;

	both = arena_printf(arena,
		"{\"schemaVersion\":2,\"artifactType\":\"a/model\",\"config\":{\"mediaType\":\"a/b\",\"digest\":"
		"\"" NOWHERE "\",\"size\":2},\"layers\":[" TITLED("f") "]}", file, 9);
	digest = put_manifest("v1", both, OCI "manifest.v1+json");
	put_blob(arena_printf(arena, "blobs/%s", digest), both, "application/octet-stream");
	put_manifest("v2", arena_printf(arena, "{\"schemaVersion\":2,\"config\":{\"mediaType\":\"" OCI
		"config.v1+json\",\"digest\":\"%s\",\"size\":%zu},\"layers\":[]}", digest, strlen(both)),
		OCI "manifest.v1+json");
	fresh_registry();
	ok(pull("r.example/a:v1").code == ERR_OK);
	r = pull("r.example/b:v2");
	ok(r.code == ERR_INVALID_ARGUMENT && !store_find("r.example/b:v2"));
	is_str(store_find(digest)->config.artifact, "a/model");
	clean();
}

/* Each is a transfer of its own: one that they share would make the directory of one name only. (ARCHITECTURE I68) */
static void one_blob_by_many_names(void)
{
	const char *d = put_file("content 1"), *list = "";

	for (int i = 0; i < 8; i++)
		list = arena_printf(arena, "%s%s{\"digest\":\"%s\",\"size\":9,\"annotations\":"
			"{\"org.opencontainers.image.title\":\"f%d\"}}", list, i ? "," : "", d, i);
	put_manifest("v1", arena_printf(arena, "{\"schemaVersion\":2,\"config\":{\"mediaType\":\"a/b\",\"digest\":\""
		NOWHERE "\",\"size\":2},\"layers\":[%s]}", list), OCI "manifest.v1+json");
	fresh_registry();
	ok(pull("r.example/a:v1").code == ERR_OK && fake_http_count("blobs") == 8);
	ok(files_in("layers") == 8 && files_in("partial") == 0);
	clean();
}

int main(void)
{
	arena = arena_new();
	cfg.root = mkdtemp(root);
	opened();
	an_artifact();
	a_checkpoint_is_another_image();
	another_size_of_what_is_here();
	a_config_that_is_a_manifest();
	one_blob_by_many_names();
	ok(system(arena_printf(arena, "rm -rf %s", root)) == 0);
	arena_free(arena);
	return tap_end();
}
