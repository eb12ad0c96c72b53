/* test_fetch.c - single layers: resumed, shared, with more downloads than unpackers, and when the disk or the registry
 * fails. */
#include "images/pull/fetch.h"
#include "tests/unit/images/pull_story.h"

struct result {
	int calls;
	enum err_code code;
	char msg[1024];
	struct layer *layer;
};

static void on_fetched(void *arg, const struct err *e, struct layer *l)
{
	struct result *r = arg;

	r->calls++;
	r->code = e ? e->code : ERR_OK;
	r->layer = l;
	snprintf(r->msg, sizeof(r->msg), "%s", e ? e->msg : "");
}

static struct registry *session(const char *image)
{
	struct registry *r = NULL;
	struct ref ref;

	ok(ref_parse(&ref, image, arena, &fault) == 0 && registry_new(&r, &ref, NULL, &fault) == 0);
	return r;
}

static struct fetch *begin(struct registry *from, const char *layer, struct result *r)
{
	struct descriptor d = { OCI "layer.v1.tar", digest_text(layer, strlen(layer)), strlen(layer), { 0 } };
	struct fetch_spec spec = { from, &d, d.digest, false };

	put_blob(arena_printf(arena, "blobs/%s", d.digest), layer, "application/octet-stream");
	*r = (struct result){ 0 };
	return fetch_start(&spec, on_fetched, r);
}

static const char *partial_of(const char *layer)
{
	return arena_printf(arena, "%s/partial/%s", root, digest_hex(digest_text(layer, strlen(layer))));
}

static void put_partial(const char *layer, const char *bytes)
{
	FILE *f = fopen(partial_of(layer), "w");

	fputs(bytes, f);
	fclose(f);
}

/* The directory has the layer's bytes. */
static bool in_place(const struct result *r, const char *layer)
{
	char got[256] = "";
	FILE *f;

	if (r->calls != 1 || r->code != ERR_OK) {
		printf("# %d calls, %s\n", r->calls, r->msg);
		return false;
	}
	f = fopen(arena_printf(arena, "%s/layers/%s/content", root, r->layer->dir), "r");
	if (!f || !fgets(got, sizeof(got), f))
		return false;
	fclose(f);
	return strcmp(got, layer) == 0 && access(partial_of(layer), F_OK) < 0;
}

static void one_layer(struct registry *s)
{
	struct result r;

	fresh_registry();
	fake_http_piece = 3;
	begin(s, "a plain layer", &r);
	ok(r.calls == 0);
	clock_run();
	ok(in_place(&r, "a plain layer") && fake_unpack_running == 0);
}

static void the_unpacker_sets_the_pace(struct registry *s)
{
	struct result r;

	fresh_registry();
	fake_http_piece = 3;
	fake_unpack_full = true;
	begin(s, "a slow layer", &r);
	clock_run();
	ok(r.calls == 0);
	fake_unpack_space();
	clock_run();
	ok(in_place(&r, "a slow layer"));
}

static void more_downloads_than_unpackers(struct registry *s)
{
	static const char *const layers[] = { "layer 0", "layer 1", "layer 2", "layer 3", "layer 4", "layer 5",
		"layer 6", "layer 7" };
	long cpus = sysconf(_SC_NPROCESSORS_ONLN);
	struct result r[8];
	struct stat st;

	if (cpus >= 8)
		return;
	fresh_registry();
	fake_unpack_most = 0;
	fake_unpack_full = true;
	for (int i = 0; i < 8; i++)
		begin(s, layers[i], &r[i]);
	clock_run();
	ok(fake_unpack_running == cpus);
	ok(stat(partial_of(layers[7]), &st) == 0 && st.st_size == 7); /* before its unpacker starts */
	fake_unpack_space();
	clock_run();
	for (int i = 0; i < 8; i++)
		ok(in_place(&r[i], layers[i]));
	ok(fake_unpack_most == cpus);
}

static void from_what_an_earlier_life_left(struct registry *s)
{
	struct result r;

	fresh_registry();
	put_partial("resumed layer", "resumed");
	begin(s, "resumed layer", &r);
	clock_run();
	ok(in_place(&r, "resumed layer") && fake_http_asked() == 1 && fake_http_count("bytes=7-") == 1);
	put_partial("whole layer", "whole layer");
	begin(s, "whole layer", &r);
	clock_run();
	ok(in_place(&r, "whole layer") && fake_http_asked() == 1);
	put_partial("short", "more than that");
	begin(s, "short", &r);
	clock_run();
	ok(in_place(&r, "short"));
}

static void damaged_remains_are_not_used_twice(struct registry *s)
{
	struct result r;

	fresh_registry();
	put_partial("damaged layer", "dxmaged");
	begin(s, "damaged layer", &r);
	clock_run();
	ok(in_place(&r, "damaged layer") && fake_http_asked() == 2 && fake_http_count("bytes=") == 1);
	put_partial("zeroed", "00000x");
	begin(s, "zeroed", &r);
	clock_run();
	ok(in_place(&r, "zeroed"));
	trouble = "blobs";
	wrong = (struct fake_answer){ .status = 200, .body = "truly wrong", .len = 11 };
	put_partial("truly worse", "truly x");
	begin(s, "truly worse", &r);
	clock_run();
	ok(r.calls == 1 && r.code == ERR_DATA_LOSS && access(partial_of("truly worse"), F_OK) < 0);
}

static void two_wait_for_one(struct registry *s)
{
	struct registry *other = session("r.example/other:v1");
	struct result a, b;
	struct fetch *first;

	fresh_registry();
	begin(s, "shared layer", &a);
	begin(other, "shared layer", &b);
	clock_run();
	ok(in_place(&a, "shared layer") && in_place(&b, "shared layer") && fake_http_asked() == 1);
	first = begin(s, "shared again", &a);
	begin(other, "shared again", &b);
	fetch_cancel(first);
	clock_run();
	ok(a.calls == 0 && in_place(&b, "shared again"));
	registry_release(other);
}

/* One waiter's credentials fail; the transfer goes on with another waiter's. */
static void the_next_ones_credentials(struct registry *s)
{
	struct registry *other = session("r.example/other:v1");
	struct result a, b;

	fresh_registry();
	trouble = "r.example/v2/a/blobs";
	wrong = (struct fake_answer){ .status = 403 };
	begin(s, "private layer", &a);
	begin(other, "private layer", &b);
	clock_run();
	ok(a.calls == 1 && a.code == ERR_PERMISSION_DENIED && in_place(&b, "private layer"));
	registry_release(other);
}

static void cancelled(struct registry *s)
{
	struct result r;
	struct fetch *f;

	fresh_registry();
	f = begin(s, "never begun", &r);
	fetch_cancel(f);
	clock_run();
	ok(r.calls == 0 && fake_http_asked() == 0);
	trouble = "blobs";
	wrong = (struct fake_answer){ .status = 200, .body = "half of it and", .len = 14, .cut = 7 };
	f = begin(s, "half of it and the rest", &r);
	clock_run();
	ok(fetch_bytes(f) == 7 && fake_unpack_running == 1);
	fetch_cancel(f);
	ok(r.calls == 0 && fake_unpack_running == 0 && access(partial_of("half of it and the rest"), F_OK) == 0);
	f = begin(s, "half of it and the rest", &r);
	clock_run();
	fetch_discard(f);
	ok(r.calls == 0 && fake_unpack_running == 0 && access(partial_of("half of it and the rest"), F_OK) < 0);
	ok(clock_waiting() <= 1 && fake_http_open() == 0);
}

static void a_registry_that_stays_away(struct registry *s)
{
	struct result r;

	fresh_registry();
	trouble = "blobs";
	wrong = (struct fake_answer){ .status = 200, .body = "some of it", .len = 10, .cut = 4 };
	wrong_times = 1;
	begin(s, "some of it, no more", &r);
	clock_run();
	wrong = (struct fake_answer){ 0 };
	wrong_times = -1;
	clock_advance(60000);
	ok(r.calls == 1 && r.code == ERR_UNAVAILABLE && strstr(r.msg, "layer sha256:"));
	ok(access(partial_of("some of it, no more"), F_OK) == 0); /* for the next try */
	fresh_registry();
	begin(s, "some of it, no more", &r);
	clock_run();
	ok(in_place(&r, "some of it, no more") && fake_http_count("bytes=4-") == 1);
}

static void the_disk_refuses(struct registry *s)
{
	struct result r;

	fresh_registry();
	mkdir(partial_of("no place"), 0700); /* a directory where the file should be */
	begin(s, "no place", &r);
	clock_run();
	ok(r.calls == 1 && r.code == ERR_INTERNAL && strstr(r.msg, "open "));
	rmdir(partial_of("no place"));
	ok(unlink(partial_of("full")) < 0 && symlink("/dev/full", partial_of("full")) == 0);
	begin(s, "full", &r);
	clock_run();
	ok(r.calls == 1 && r.code == ERR_RESOURCE_EXHAUSTED && strstr(r.msg, "No space left"));
	ok(fake_unpack_running == 0 && fake_http_open() == 0);
}

/* Writes that take 30 ms: after three of them the bytes go to the unpacker only. */
static void a_slow_disk(struct registry *s)
{
	struct result r;
	struct fetch *f;

	fresh_registry();
	fake_http_piece = 4;
	clock_step_ms = 30;
	trouble = "blobs";
	wrong = (struct fake_answer){ .status = 200, .body = "onto a slow disk", .len = 16, .cut = 16 };
	wrong_times = 1;
	f = begin(s, "onto a slow disk, still", &r);
	clock_advance(400);
	ok(fetch_bytes(f) == 16);
	fetch_cancel(f);
	clock_step_ms = 0;
	fake_http_serve(serve);
	begin(s, "onto a slow disk, still", &r);
	clock_run();
	ok(in_place(&r, "onto a slow disk, still") && fake_http_count("bytes=12-") == 1);
}

/* The disk is too slow and there is no unpacker: the transfer is paused. */
static void a_slow_disk_and_no_unpacker(struct registry *s)
{
	long cpus = sysconf(_SC_NPROCESSORS_ONLN);
	struct result first[64], r;
	struct fetch *f;

	if (cpus > 64)
		return;
	fresh_registry();
	fake_http_piece = 4;
	fake_unpack_full = true;
	for (long i = 0; i < cpus; i++)
		begin(s, arena_printf(arena, "busy layer %ld", i), &first[i]);
	clock_run();
	clock_step_ms = 30;
	f = begin(s, "the one that waits", &r);
	clock_advance(3000);
	ok(fetch_bytes(f) == 12 && r.calls == 0);
	clock_step_ms = 0;
	fake_unpack_space();
	clock_advance(3000);
	ok(in_place(&r, "the one that waits") && fake_http_count("bytes=") == 0);
	for (long i = 0; i < cpus; i++)
		ok(in_place(&first[i], arena_printf(arena, "busy layer %ld", i)));
}

static void too_little_space(struct registry *s)
{
	struct result r;

	fresh_registry();
	cfg.min_free = "1000000TiB";
	ok(fetch_open(&fault) == 0);
	begin(s, "no room", &r);
	clock_run();
	ok(r.calls == 1 && r.code == ERR_RESOURCE_EXHAUSTED && strstr(r.msg, "images.min_free") &&
		fake_http_asked() == 0);
	cfg.min_free = "a lot";
	ok(fetch_open(&fault) < 0 && strstr(fault.msg, "is not a size"));
	cfg.min_free = "1%";
	ok(fetch_open(&fault) == 0);
	begin(s, "some room", &r);
	clock_run();
	ok(in_place(&r, "some room"));
	cfg.min_free = "0";
	ok(fetch_open(&fault) == 0);
}

int main(void)
{
	struct registry *s;

	arena = arena_new();
	cfg.root = mkdtemp(root);
	opened();
	s = session("r.example/a:v1");
	one_layer(s);
	the_unpacker_sets_the_pace(s);
	more_downloads_than_unpackers(s);
	from_what_an_earlier_life_left(s);
	damaged_remains_are_not_used_twice(s);
	two_wait_for_one(s);
	the_next_ones_credentials(s);
	cancelled(s);
	a_registry_that_stays_away(s);
	a_slow_disk(s);
	a_slow_disk_and_no_unpacker(s);
	too_little_space(s);
	the_disk_refuses(s);
	registry_release(s);
	ok(system(arena_printf(arena, "rm -rf %s", root)) == 0);
	arena_free(arena);
	return tap_end();
}
