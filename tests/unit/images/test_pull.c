/* test_pull.c - whole images from a registry in memory into the store on disk. */
#include "tests/unit/images/image_story.h"

static void an_image(void)
{
	const char *manifest = IMAGE("v1", "layer one", "layer two", "layer three");
	const struct image *img;
	struct result r;

	fresh_registry();
	r = pull("r.example/a:v1");
	ok(r.code == ERR_OK && strncmp(r.id, "sha256:", 7) == 0);
	img = store_find("r.example/a:v1");
	ok(img && img->layers.n == 3 && img->tags.n == 1 && img->digests.n == 1);
	is_str(img->id, r.id);
	is_str(img->digests.at[0], arena_printf(arena, "r.example/a@%s", manifest));
	is_str(img->config.cmd.at[0], "v1");
	ok(img->size_bytes > 9 + 9 + 11);
	ok(fake_unpack_syncs == 1 && files_in("partial") == 0 && files_in("layers") == 3 && files_in("blobs") == 2);
	ok(content_bytes() > 0);
}

static void again_costs_one_head(void)
{
	struct result r;

	fresh_registry();
	r = pull("r.example/a:v1");
	ok(r.code == ERR_OK && fake_http_asked() == 1);
	is_str(fake_http_line(0), "HEAD https://r.example/v2/a/manifests/v1 - -");
	r = pull(arena_printf(arena, "r.example/a@%s", strchr(store_find("r.example/a:v1")->digests.at[0], '@') + 1));
	ok(r.code == ERR_OK && fake_http_asked() == 2 && store_find(r.id)->tags.n == 1);
	trouble = "manifests";
	wrong = (struct fake_answer){ .status = 401 };
	ok(pull("r.example/a:v1").code == ERR_UNAUTHENTICATED); /* although the store has it */
	wrong = (struct fake_answer){ .status = 405 };
	wrong_times = 1;
	ok(pull("r.example/a:v1").code == ERR_OK); /* a registry without HEAD */
	for (const int *status = (const int[]){ 403, 404, 500, 429, 0 }; *status; status++) {
		fake_http_serve(serve);
		wrong = (struct fake_answer){ .status = *status };
		wrong_times = 1;
		ok(pull("r.example/a:v1").code == ERR_OK && fake_http_asked() == 2);
	}
}

static void shared_layers_are_not_fetched_again(void)
{
	struct result r;

	IMAGE("v2", "layer one", "layer two", "layer four");
	fresh_registry();
	r = pull("r.example/a:v2");
	ok(r.code == ERR_OK && fake_http_count("blobs") == 2); /* config and layer four */
	ok(files_in("layers") == 4);
	ok(store_remove("r.example/a:v1", &fault) == 0);
	clock_run();
	ok(files_in("layers") == 3 && files_in("blobs") == 2);
	clean();
	ok(files_in("layers") == 0 && files_in("blobs") == 0 && files_in("layer-records") == 0 &&
		files_in("gone") == 0);
}

static void a_tag_that_moved(void)
{
	char first[80];

	IMAGE("v1", "layer one");
	fresh_registry();
	snprintf(first, sizeof(first), "%s", pull("r.example/a:v1").id);
	IMAGE("v1", "layer one", "layer new");
	ok(pull("r.example/a:v1").code == ERR_OK);
	ok(store_find(first)->tags.n == 0 && strcmp(store_find("r.example/a:v1")->id, first) != 0);
	store_remove(first, &fault);
	clean();
}

static void an_index(void)
{
	const char *ours = IMAGE(NULL, "our layer"), *index;
	struct result r;

	index = arena_printf(arena,
		"{\"schemaVersion\":2,\"mediaType\":\"" OCI "index.v1+json\",\"manifests\":["
		"{\"mediaType\":\"" OCI "manifest.v1+json\",\"digest\":\"%s\",\"size\":%zu,\"platform\":{\"os\":"
					"\"linux\",\"architecture\":\"" OUR_ARCH "\"}}]}",
		ours, blob_at(arena_printf(arena, "manifests/%s", ours))->len);
	index = put_manifest("v1", index, OCI "index.v1+json");
	fresh_registry();
	r = pull("r.example/a:v1");
	ok(r.code == ERR_OK && fake_http_count("manifests") == 2);
	is_str(store_find(r.id)->digests.at[0], arena_printf(arena, "r.example/a@%s", index));
	ok(files_in("blobs") == 3);
	clean();
	put_manifest("v1",
		"{\"schemaVersion\":2,\"manifests\":[{\"mediaType\":\"" OCI
		"manifest.v1+json\",\"digest\":\"sha256:0\",\"size\":1,"
		"\"platform\":{\"os\":\"linux\",\"architecture\":\"mips\"}}]}",
		OCI "index.v1+json");
	r = pull("r.example/a:v1");
	ok(r.code == ERR_NOT_FOUND && strstr(r.msg, "it has linux/mips"));
}

static void no_layers_and_the_same_one_twice(void)
{
	const char *none[] = { NULL };

	put_image("v1", none);
	fresh_registry();
	ok(pull("r.example/a:v1").code == ERR_OK && store_find("r.example/a:v1")->layers.n == 0);
	IMAGE("v2", "empty", "x", "empty", "y");
	ok(pull("r.example/a:v2").code == ERR_OK);
	ok(store_find("r.example/a:v2")->layers.n == 3); /* overlayfs takes a directory once: the upper place shows */
	is_str(store_find("r.example/a:v2")->layers.at[1], layer_find(digest_text("empty", 5), "")->dir);
	clean();
}

static void a_layer_that_needs_its_parents(void)
{
	IMAGE("v1", "base one", "raw layer", "last");
	IMAGE("v2", "base two", "raw layer");
	fresh_registry();
	fake_unpack_merges = 0;
	ok(pull("r.example/a:v1").code == ERR_OK && fake_unpack_merges == 1);
	ok(store_find("r.example/a:v1")->layers.n == 3);
	ok(!layer_find_unfinished(digest_text("raw layer", 9)) && files_in("layers") == 3); /* raw is removed */
	ok(pull("r.example/a:v2").code == ERR_OK && fake_unpack_merges == 2);
	ok(strcmp(store_find("r.example/a:v1")->layers.at[1], store_find("r.example/a:v2")->layers.at[1]) != 0);
	clean();
	ok(files_in("layers") == 0);
}

static void at_the_bottom_nothing_is_missing(void)
{
	IMAGE("v1", "raw layer", "x");
	IMAGE("v2", "y", "raw layer");
	fresh_registry();
	fake_unpack_merges = 0;
	ok(pull("r.example/a:v1").code == ERR_OK && fake_unpack_merges == 0);
	ok(pull("r.example/a:v2").code == ERR_OK && fake_unpack_merges == 1);
	clean();
	ok(files_in("layers") == 0);
}

/* One shared fetch for two places: the layer comes finished for the lowest place. The pull that has it at a higher
 * place fetches it again. */
static void the_bottom_of_one_in_the_middle_of_another(void)
{
	struct result a = { 0 }, b = { 0 };

	fresh_registry();
	fake_unpack_merges = 0;
	pull_start("r.example/a:v1", NULL, on_pulled, &a);
	pull_start("r.example/a:v2", NULL, on_pulled, &b);
	clock_advance(60000);
	ok(a.code == ERR_OK && b.code == ERR_OK && a.calls == 1 && b.calls == 1 && fake_unpack_merges == 1);
	ok(fake_http_count(digest_text("raw layer", 9)) == 2);
	clean();
	ok(files_in("layers") == 0);
}

/* ---- joined ---- */

static void two_pulls_of_one_reference(void)
{
	struct registry_auth auth = { .username = "u", .password = "p" };
	struct result a = { 0 }, b = { 0 }, c = { 0 };

	IMAGE("v1", "l1", "l2");
	fresh_registry();
	pull_start("r.example/a:v1", NULL, on_pulled, &a);
	pull_start("r.example/a:v1", NULL, on_pulled, &b);
	clock_advance(60000);
	ok(a.calls == 1 && b.calls == 1 && a.code == ERR_OK && strcmp(a.id, b.id) == 0);
	ok(fake_http_asked() == 4);
	clean();
	fresh_registry();
	pull_start("r.example/a:v1", NULL, on_pulled, &a);
	pull_start("r.example/a:v1", &auth, on_pulled, &c); /* other credentials: a pull of its own, the same layers */
	clock_advance(60000);
	ok(a.calls == 2 && c.calls == 1 && c.code == ERR_OK);
	ok(fake_http_count("manifests") == 2 && fake_http_count(digest_text("l1", 2)) == 1 &&
		fake_http_count(digest_text("l2", 2)) == 1);
	clean();
}

static void one_of_two_leaves(void)
{
	struct result a = { 0 }, b = { 0 };
	struct pull *leaver;

	IMAGE("v1", "a long layer that comes in pieces");
	fresh_registry();
	fake_http_piece = 1;
	leaver = pull_start("r.example/a:v1", NULL, on_pulled, &a);
	pull_start("r.example/a:v1", NULL, on_pulled, &b);
	clock_run(); /* the fake clock does not move: all timers of this time run */
	ok(a.calls == 1 && b.calls == 1);
	clean();
	a = b = (struct result){ 0 };
	fake_unpack_full = true;
	leaver = pull_start("r.example/a:v1", NULL, on_pulled, &a);
	pull_start("r.example/a:v1", NULL, on_pulled, &b);
	clock_run();
	pull_cancel(leaver);
	fake_unpack_space();
	clock_run();
	ok(a.calls == 0 && b.calls == 1 && b.code == ERR_OK);
	clean();
}

static void progress(void *arg, const struct pull_progress *p)
{
	*(struct pull_progress *)arg = *p;
}

static void the_last_one_leaves_and_comes_back(void)
{
	struct pull_progress seen = { 0 };
	struct result a = { 0 };
	struct pull *p;

	IMAGE("v1", "first part|second part");
	fresh_registry();
	fake_http_piece = 11;
	wrong = (struct fake_answer){ .status = 200, .body = "first part|second part", .len = 22, .cut = 11 };
	trouble = digest_text("first part|second part", 22);
	wrong_times = 1;
	p = pull_start("r.example/a:v1", NULL, on_pulled, &a);
	clock_run(); /* the connection broke; the next try waits */
	ok(pull_busy());
	pull_each(progress, &seen);
	ok(seen.layers == 1 && seen.layers_done == 0 && seen.bytes_total == 22 && seen.bytes_done == 11);
	is_str(seen.state, "LAYERS");
	pull_cancel(p);
	ok(a.calls == 0 && fake_http_open() == 0 && fake_unpack_running == 0 && !pull_busy());
	ok(files_in("partial") == 1);
	fake_http_serve(serve);
	ok(pull("r.example/a:v1").code == ERR_OK);
	ok(fake_http_count("bytes=11-") == 1 && files_in("partial") == 0);
	clean();
}

static void cancelled_in_each_state(void)
{
	const char *waits[] = { "manifests", "blobs" };
	struct result a = { 0 };
	struct pull *p;

	IMAGE("v1", "cancelled layer", "raw cancelled");
	fresh_registry();
	pull_cancel(pull_start("r.example/a:v1", NULL, on_pulled, &a)); /* START */
	clock_run();
	for (size_t i = 0; i < 2; i++) { /* MANIFEST, CONFIG */
		trouble = waits[i];
		wrong = (struct fake_answer){ .stall = true };
		p = pull_start("r.example/a:v1", NULL, on_pulled, &a);
		clock_run();
		pull_cancel(p);
	}
	trouble = digest_text("raw cancelled", 13); /* LAYERS */
	p = pull_start("r.example/a:v1", NULL, on_pulled, &a);
	clock_run();
	ok(files_in("layers") == 1);
	pull_cancel(p);
	clock_run();
	ok(a.calls == 0 && fake_http_open() == 0 && fake_unpack_running == 0 && !pull_busy());
	ok(files_in("layers") == 1); /* for the next try */
	clock_advance(4200 * 1000);
	ok(files_in("layers") == 0);
}

/* ---- what goes wrong ---- */

static bool fails(enum err_code code, const char *why)
{
	struct result r = pull("r.example/a:v1");
	bool is = r.code == code && strstr(r.msg, why);

	if (!is)
		printf("# %s %s\n", err_name(r.code), r.msg);
	ok(store_find("r.example/a:v1") == NULL);
	ok(fake_http_open() == 0 && fake_unpack_running == 0 && files_in("blobs") == 0);
	return is;
}

static void bad_references_and_credentials(void)
{
	struct result r;

	fresh_registry();
	ok(pull("NOT/valid:::").code == ERR_INVALID_ARGUMENT);
	ok(fake_http_asked() == 0);
	r = (struct result){ 0 };
	pull_start("r.example/a:v1", &(struct registry_auth){ .auth = "!" }, on_pulled, &r);
	clock_run();
	ok(r.calls == 1 && r.code == ERR_INVALID_ARGUMENT && strstr(r.msg, "base64"));
}

static void what_registries_say(void)
{
	IMAGE("v1", "good layer", "bad layer");
	fresh_registry();
	trouble = "manifests";
	wrong = (struct fake_answer){ .status = 404, .body = "", .headers = { "Content-Type: text/html" } };
	ok(fails(ERR_NOT_FOUND,
		"pull r.example/a:v1: GET https://r.example/v2/a/manifests/v1: status 404 with an html page"));
	wrong = (struct fake_answer){
		.status = 200, .body = "<html>", .len = 6, .headers = { "Content-Type: text/html" }
	};
	ok(fails(ERR_INVALID_ARGUMENT, "an html page instead of"));
	wrong = (struct fake_answer){ .status = 200, .body = "{}", .len = 2 };
	ok(fails(ERR_INVALID_ARGUMENT, "schemaVersion"));
	wrong = (struct fake_answer){ .status = 200,
		.body = "{}",
		.len = 2,
		.headers = { "Docker-Content-Digest: "
			     "sha256:1111111111111111111111111111111111111111111111111111111111111111" } };
	ok(fails(ERR_DATA_LOSS, "the registry says sha256:111"));
	wrong = (struct fake_answer){ .status = 403 };
	ok(fails(ERR_PERMISSION_DENIED, "status 403"));
	wrong = (struct fake_answer){ .status = 503 };
	ok(fails(ERR_UNAVAILABLE, "status 503"));
	wrong = (struct fake_answer){ 0 };
	ok(fails(ERR_UNAVAILABLE, "connection refused"));
}

static void endless_manifests(void)
{
	static char big[(2 << 20) + 2];

	memset(big, ' ', sizeof(big));
	fresh_registry();
	trouble = "manifests";
	wrong = (struct fake_answer){ .status = 200, .body = big, .len = sizeof(big) };
	fake_http_piece = 1 << 16;
	ok(fails(ERR_INVALID_ARGUMENT, "more than 2097152 bytes"));
}

static void damaged_blobs(void)
{
	const char *layer = digest_text("bad layer", 9);
	struct blob *manifest;

	fresh_registry();
	trouble = layer;
	wrong = (struct fake_answer){ .status = 200, .body = "bad lyear", .len = 9 };
	ok(fails(ERR_DATA_LOSS, arena_printf(arena, "layer %.19s: the blob's digest is", layer)));
	ok(files_in("layers") == 0 && files_in("partial") == 0);
	wrong = (struct fake_answer){ .status = 200, .body = "bad layer and more", .len = 18 };
	ok(fails(ERR_DATA_LOSS, "longer than the 9 bytes"));
	wrong = (struct fake_answer){ .status = 200, .body = "bad", .len = 3 };
	ok(fails(ERR_DATA_LOSS, "ends after 3 of 9 bytes"));
	wrong = (struct fake_answer){ .status = 404 };
	ok(fails(ERR_NOT_FOUND, "blobs/sha256:"));
	ok(files_in("layers") == 0 && files_in("partial") == 0);
	manifest = blob_at("manifests/v1");
	trouble = strstr(manifest->data, "digest\":\"") + 9;
	trouble = arena_strndup(arena, trouble, DIGEST_SIZE - 1);
	wrong = (struct fake_answer){ .status = 200, .body = "{}", .len = 2 };
	ok(fails(ERR_DATA_LOSS, "the image config has 2 bytes instead of"));
	ok(files_in("layers") == 0 && files_in("partial") == 0 && files_in("layer-records") == 0);
}

static void what_the_unpacker_says(void)
{
	static const enum err_code codes[] = { ERR_INVALID_ARGUMENT, ERR_RESOURCE_EXHAUSTED, ERR_INTERNAL,
		ERR_UNAVAILABLE };

	for (size_t i = 0; i < 4; i++) {
		fresh_registry();
		fake_unpack_error = codes[i];
		ok(fails(codes[i], "as the test wants it"));
		ok(codes[i] == ERR_UNAVAILABLE || files_in("layers") == 0);
	}
	fresh_registry();
	ok(pull("r.example/a:v1").code == ERR_OK); /* none of these errors is kept */
	clean();
}

static void config_and_manifest_disagree(void)
{
	const char *config = "{\"os\":\"linux\",\"rootfs\":{\"diff_ids\":[]}}",
		   *d = digest_text(config, strlen(config));

	put_blob(arena_printf(arena, "blobs/%s", d), config, "x/y");
	put_manifest("v1",
		arena_printf(arena,
			"{\"schemaVersion\":2,\"config\":{\"mediaType\":\"" OCI "config.v1+json\",\"digest\":\"%s\","
			"\"size\":%zu},\"layers\":[{\"mediaType\":\"" OCI
			"layer.v1.tar\",\"digest\":\"%s\",\"size\":9}]}",
			d, strlen(config), d),
		OCI "manifest.v1+json");
	fresh_registry();
	ok(fails(ERR_INVALID_ARGUMENT, "1 layers, the image config has 0 diff_ids"));
}

int main(void)
{
	arena = arena_new();
	cfg.root = mkdtemp(root);
	opened();
	an_image();
	again_costs_one_head();
	shared_layers_are_not_fetched_again();
	a_tag_that_moved();
	an_index();
	no_layers_and_the_same_one_twice();
	a_layer_that_needs_its_parents();
	at_the_bottom_nothing_is_missing();
	the_bottom_of_one_in_the_middle_of_another();
	two_pulls_of_one_reference();
	one_of_two_leaves();
	the_last_one_leaves_and_comes_back();
	cancelled_in_each_state();
	bad_references_and_credentials();
	what_registries_say();
	endless_manifests();
	damaged_blobs();
	what_the_unpacker_says();
	config_and_manifest_disagree();
	ok(system(arena_printf(arena, "rm -rf %s", root)) == 0);
	arena_free(arena);
	return tap_end();
}
