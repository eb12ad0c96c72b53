/* test_fetch.c - single layers: resumed, shared, with more downloads than unpackers, and when the disk or the registry
 * fails. */
#include <fcntl.h>

#include "tests/unit/images/pull/fetch_story.h"

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

/* An unpacker is free when all bytes of a layer are here, and the end of its transfer is not. */
static void a_place_before_the_end_is_told(struct registry *s)
{
	int n = (int)sysconf(_SC_NPROCESSORS_ONLN) + 1;
	struct result r[17], bad;

	if (n > 16)
		return;
	fresh_registry();
	begin(s, "too long", &bad);
	blob_at(arena_printf(arena, "blobs/%s", digest_text("too long", 8)))->data = "too long by far";
	blob_at(arena_printf(arena, "blobs/%s", digest_text("too long", 8)))->len = 15;
	for (int i = 0; i < n; i++)
		begin(s, arena_printf(arena, "place %d", i), &r[i]);
	clock_run();
	ok(bad.calls == 1 && bad.code == ERR_DATA_LOSS);
	for (int i = 0; i < n; i++)
		ok(in_place(&r[i], arena_printf(arena, "place %d", i)));
	ok(fake_unpack_running == 0);
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

/* What another image says of a blob, and what another registry sends, is no matter of this one. (ARCHITECTURE I73) */
static void what_others_say_of_a_blob(struct registry *s)
{
	struct registry *other = session("hostile.example/a:v1");
	const char *layer = "a layer that many have";
	const char *const urls[] = { "https://hostile.example/x" };
	struct descriptor d = *spec_of(s, layer).blob;
	struct result lied[4], r;
	struct fetch *never;
	struct fetch_spec spec = { .from = s, .blob = &d, .diff_id = d.digest };

	fresh_registry();
	memset(lied, 0, sizeof(lied));
	d.size_bytes = 7;
	fetch_start(&spec, on_fetched, &lied[0]);
	d.size_bytes = 700;
	fetch_start(&spec, on_fetched, &lied[1]);
	d.size_bytes = strlen(layer);
	spec.diff_id = digest_text("another", 7);
	fetch_start(&spec, on_fetched, &lied[2]);
	spec.diff_id = d.digest;
	d.urls = (struct strings){ (const char **)urls, 1 };
	fetch_start(&spec, on_fetched, &lied[3]);
	begin(s, layer, &r);
	clock_run();
	ok(in_place(&r, layer) && fake_http_asked() == 5);
	ok(lied[0].code == ERR_DATA_LOSS && lied[1].code == ERR_DATA_LOSS && lied[3].code == ERR_OK);
	trouble = "hostile.example";
	wrong = (struct fake_answer){ .stall = true };
	never = begin(other, "a second one", &lied[0]);
	begin(s, "a second one", &r);
	clock_run();
	ok(in_place(&r, "a second one") && lied[0].calls == 0);
	fetch_discard(never);
	registry_release(other);
}

/* Each has an unpacker, and the registry sends nothing. (ARCHITECTURE I74) */
static void a_registry_that_takes_its_time(struct registry *s)
{
	struct registry *other = session("hostile.example/a:v1");
	int n = (int)sysconf(_SC_NPROCESSORS_ONLN);
	struct result never[16], r;
	struct fetch *f[16];

	if (n > 16)
		return registry_release(other);
	fresh_registry();
	trouble = "hostile.example";
	wrong = (struct fake_answer){ .stall = true };
	for (int i = 0; i < n; i++)
		f[i] = begin(other, arena_printf(arena, "held %d", i), &never[i]);
	clock_run();
	ok(fake_unpack_running == n);
	begin(s, "an honest layer", &r);
	clock_run();
	ok(r.calls == 0);
	clock_advance(2000);
	ok(in_place(&r, "an honest layer"));
	trouble = ""; /* they go on, and get a place when all their bytes are here */
	for (int i = 0; i < n; i++)
		fetch_discard(f[i]);
	ok(fake_unpack_running == 0 && clock_waiting() <= 1);
	registry_release(other);
}

/* Some bytes of it were unpacked before its unpacker was taken away. */
static void a_place_is_given_back_and_taken_again(struct registry *s)
{
	struct registry *other = session("hostile.example/a:v1");
	int n = (int)sysconf(_SC_NPROCESSORS_ONLN), begun = fake_unpack_started;
	struct result slow[16], r;

	if (n > 16)
		return registry_release(other);
	fresh_registry();
	trouble = "hostile.example";
	wrong = (struct fake_answer){ .status = 200, .body = "some of it", .len = 10, .cut = 4 };
	for (int i = 0; i < n; i++)
		begin(other, arena_printf(arena, "some of it is slow %d", i), &slow[i]);
	clock_run();
	begin(s, "a fast layer", &r);
	clock_advance(2000);
	ok(in_place(&r, "a fast layer"));
	trouble = "";
	clock_advance(20 * 1000);
	for (int i = 0; i < n; i++)
		ok(slow[i].calls == 1 && slow[i].code == ERR_OK);
	ok(fake_unpack_started == begun + n + 2 && fake_unpack_running == 0);
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
	for (const char *const *text =
		     (const char *const[]){ "a lot", "", "%", " 5%", "-5%", "100%", "5GB", "16777216TiB", NULL };
	     *text; text++) {
		cfg.min_free = *text; /* the unpacker would refuse it at each pull */
		ok(fetch_open(&fault) < 0 && fault.code == ERR_INVALID_ARGUMENT && strstr(fault.msg, "is not a size"));
	}
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
	a_place_before_the_end_is_told(s);
	from_what_an_earlier_life_left(s);
	damaged_remains_are_not_used_twice(s);
	two_wait_for_one(s);
	the_next_ones_credentials(s);
	what_others_say_of_a_blob(s);
	a_registry_that_takes_its_time(s);
	a_place_is_given_back_and_taken_again(s);
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
