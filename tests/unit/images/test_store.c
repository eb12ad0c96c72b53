/* test_store.c - images and their names, on disk and over restarts; what is removed and when. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "images/config.h"
#include "images/content.h"
#include "images/digest.h"
#include "images/gc.h"
#include "images/layer.h"
#include "images/pull.h"
#include "images/snapshot.h"
#include "images/store.h"
#include "images/unpack.h"
#include "images/unused.h"
#include "reactor/arena.h"
#include "reactor/boot.h"
#include "reactor/loop.h"
#include "reactor/own.h"
#include "tests/fakes/clock.h"
#include "tests/fakes/disk.h"
#include "tests/fakes/unpack.h"
#include "tests/tap.h"

#define ID1 "sha256:1111111111111111111111111111111111111111111111111111111111111111"
#define ID2 "sha256:1112222222222222222222222222222222222222222222222222222222222222"
#define ID3 "sha256:1113333333333333333333333333333333333333333333333333333333333333"
#define ID4 "sha256:1114444444444444444444444444444444444444444444444444444444444444"
#define D1 "sha256:aaaa111111111111111111111111111111111111111111111111111111111111"
#define D2 "sha256:aaaa222222222222222222222222222222222222222222222222222222222222"
#define NAME "reg.example/app"

static char root[] = "/tmp/test_store.XXXXXX";
static const char *pins[] = { "*/pause:*" };
static struct images_config cfg = {
	.registry_config_path = "", .min_free = "0", .pinned = { pins, 1 }, .parallel_downloads = 6
};
static struct arena *arena;
static struct err fault;

/* Snapshots, as gc sees them. */
static bool snapshots_open = true;
static struct strings in_snapshot;

bool snapshot_is_open(void)
{
	return snapshots_open;
}

bool snapshot_any_lost(void)
{
	return false;
}

void snapshot_each_layers(void (*fn)(void *arg, const struct strings *layers), void *arg)
{
	fn(arg, &in_snapshot);
}

static bool exists(const char *dir, const char *name)
{
	return access(arena_printf(arena, "%s/%s/%s", root, dir, name), F_OK) == 0;
}

static struct layer *add_layer(const char *dir, const char *diff_id)
{
	mkdir(arena_printf(arena, "%s/layers/%s", root, dir), 0755);
	return layer_add(
		&(struct layer){
			.dir = dir, .diff_id = diff_id, .chain_id = "", .bytes = 100, .inodes = 3, .sum = "",
			.boot_id = "" },
		&fault);
}

static int add(const char *id, const char *tag, const char *digest, const char *layer)
{
	const char *tags[] = { tag }, *digests[] = { digest }, *layers[] = { layer }, *blobs[] = { id };
	struct image img = { .id = id,
		.tags = { tags, tag != NULL },
		.digests = { digests, 1 },
		.layers = { layers, layer != NULL },
		.blobs = { blobs, 1 },
		.size_bytes = 7,
		.config = { .working_dir = "/w", .user = "", .stop_signal = "" } };

	clock_advance(1000);
	return store_add(&img, &fault);
}

/* A new daemon on the same root. */
static void reopened(void)
{
	ok(store_open(&fault) == 0);
}

static const char *id_of(const char *ref)
{
	const struct image *img = store_find(ref);

	return img ? img->id : "none";
}

static void an_empty_store(void)
{
	struct images_usage u;

	ok(store_open(&fault) == 0);
	ok(store_find("busybox") == NULL && store_remove("busybox", &fault) == 0);
	store_usage(&u);
	is_str(u.mountpoint, root);
	ok(u.used_bytes == 0 && u.inodes_used == 0 && u.at_ns > 0);
}

static void found_by_any_name(void)
{
	ok(add_layer("l1", D1) != NULL);
	ok(add(ID1, NAME ":v1", NAME "@" D1, "l1") == 0);
	is_str(id_of(ID1), ID1);
	is_str(id_of(digest_hex(ID1)), ID1);
	is_str(id_of("1111"), ID1);
	is_str(id_of("sha256:1111"), ID1);
	is_str(id_of(NAME ":v1"), ID1);
	is_str(id_of(NAME "@" D1), ID1);
	is_str(id_of(NAME ":other@" D1), ID1);
	is_str(id_of(NAME), "none"); /* :latest */
	is_str(id_of("11"), "none");
	is_str(id_of("sha256:2"), "none");
	is_str(id_of(NAME ":v1@" D2), "none");
	is_str(id_of(""), "none");
}

static void short_names(void)
{
	ok(add_layer("l2", D2) != NULL);
	ok(add(ID2, "docker.io/library/cafe:latest", "docker.io/library/cafe@" D2, "l2") == 0);
	is_str(id_of("cafe"), ID2);
	is_str(id_of("cafe:latest"), ID2);
	is_str(id_of("docker.io/cafe"), ID2);
	is_str(id_of("111"), "none"); /* the ids of both images begin with it */
	ok(store_remove("111", &fault) < 0 && fault.code == ERR_INVALID_ARGUMENT);
}

static void a_tag_moves(void)
{
	const struct image *old;

	ok(add(ID2, NAME ":v1", NAME "@" D2, "l2") == 0);
	is_str(id_of(NAME ":v1"), ID2);
	old = store_find(ID1);
	ok(old && old->tags.n == 0 && old->digests.n == 1);
	ok(store_find(ID2)->tags.n == 2 && store_find(ID2)->digests.n == 2);
}

static void pinned(void)
{
	ok(!store_find(ID2)->pinned);
	ok(add(ID2, "reg.example/pause:3", NAME "@" D2, "l2") == 0);
	ok(store_find(ID2)->pinned);
}

/* A new crispd reads from the disk what the old one had in memory. */
static void after_a_restart(void)
{
	reopened();
	is_str(id_of(NAME ":v1"), ID2);
	ok(store_find(ID1) && store_find(ID1)->tags.n == 0);
	ok(store_find(ID2)->pinned && store_find(ID2)->size_bytes == 7);
	is_str(store_find(ID2)->config.working_dir, "/w");
	is_str(store_find(ID2)->layers.at[0], "l2");
}

static void removed_with_its_layers(void)
{
	struct images_usage u;

	store_usage(&u);
	ok(u.used_bytes == 200 && u.inodes_used == 6);
	ok(store_remove(ID1, &fault) == 0);
	is_str(id_of(ID1), "none");
	ok(exists("layers", "l1"));
	clock_run();
	ok(!exists("layers", "l1") && !exists("layer-records", "l1.json") && exists("layers", "l2"));
	store_usage(&u);
	ok(u.used_bytes == 100);
}

static void a_snapshot_holds_its_layers(void)
{
	static const char *used[] = { "l2" };

	in_snapshot = (struct strings){ used, 1 };
	ok(store_remove(NAME ":v1", &fault) == 0);
	clock_run();
	ok(store_find(ID2) == NULL && exists("layers", "l2"));
	in_snapshot = (struct strings){ 0 };
	unused_ring();
	clock_run();
	ok(!exists("layers", "l2"));
}

static void a_pulls_layers_wait_an_hour(void)
{
	struct layer *l = add_layer("l3", D1);

	layer_hold(l);
	unused_ring();
	clock_advance(2 * 3600 * 1000);
	ok(exists("layers", "l3"));
	layer_release(l);
	unused_ring();
	clock_run();
	ok(!exists("layers", "l3"));
	add_layer("l3", D1);
	clock_advance(3000 * 1000);
	ok(exists("layers", "l3"));
	clock_advance(1800 * 1000);
	ok(!exists("layers", "l3"));
}

/* The disk has less than min_free and 12 % more. (ARCHITECTURE I75) */
static void and_a_minute_on_a_full_disk(void)
{
	struct images_config full = cfg;

	full.min_free = "99%";
	images_configure(&full);
	add_layer("l3", D1);
	unused_ring();
	clock_advance(50 * 1000);
	ok(exists("layers", "l3"));
	clock_advance(30 * 1000);
	ok(!exists("layers", "l3"));
	full.min_free = "0"; /* the operator wants no space left free */
	add_layer("l3", D1);
	unused_ring();
	clock_advance(3000 * 1000);
	ok(exists("layers", "l3"));
	images_configure(&cfg);
	clock_advance(1800 * 1000);
	ok(!exists("layers", "l3"));
}

static void half_things_go_at_the_start(void)
{
	FILE *f;

	mkdir(arena_printf(arena, "%s/layers/stray", root), 0755);
	add_layer("l4", D1);
	rmdir(arena_printf(arena, "%s/layers/l4", root));
	add_layer("l5", D2);
	f = fopen(arena_printf(arena, "%s/layer-records/l5.json", root), "w");
	fputs("{\"version\":1,\"dir\":\"l5\",\"diff_id\":\"" D2 "\",\"chain_id\":\"\",\"boot_id\":\"another\"}", f);
	fclose(f);
	mkdir(arena_printf(arena, "%s/gone/old", root), 0755);
	f = fopen(arena_printf(arena, "%s/images/bad.json", root), "w");
	fputs("{", f);
	fclose(f);
	reopened();
	clock_run();
	ok(!exists("layers", "stray") && !exists("layer-records", "l4.json") && !exists("layers", "l5") &&
		!exists("gone", "old"));
	ok(exists("images", "bad.json.corrupt"));
}

static void an_image_without_its_layer_is_set_aside(void)
{
	add_layer("l6", D1);
	ok(add(ID1, NAME ":v6", NAME "@" D1, "l6") == 0);
	rmdir(arena_printf(arena, "%s/layers/l6", root));
	reopened();
	is_str(id_of(NAME ":v6"), "none");
	ok(exists("images", "1111111111111111111111111111111111111111111111111111111111111111.json.corrupt"));
}

static void killed_while_a_tag_moved(void)
{
	auto_free char *record = NULL;
	size_t n = 0;
	FILE *f;
	const char *path = arena_printf(arena, "%s/images/%s.json", root, digest_hex(ID1));

	add_layer("l7", D1);
	ok(add(ID1, NAME ":v7", NAME "@" D1, "l7") == 0);
	f = fopen(path, "r");
	ok(getdelim(&record, &n, EOF, f) > 0);
	fclose(f);
	ok(add(ID2, NAME ":v7", NAME "@" D2, "l7") == 0);
	f = fopen(path, "w"); /* crispd was killed before it wrote the second record */
	fputs(record, f);
	fclose(f);
	reopened();
	is_str(id_of(NAME ":v7"), ID2);
	ok(store_find(ID1)->tags.n == 0);
}

static void blobs_are_verified(void)
{
	char digest[DIGEST_SIZE];
	size_t len;

	digest_of("hello", 5, digest);
	ok(content_put(digest, "hello", 5, &fault) == 0 && content_put(digest, "hello", 5, &fault) == 0);
	is_str(content_get(digest, arena, &len), "hello");
	ok(len == 5 && content_bytes() == 4096 && content_inodes() == 1);
	disk_fails(digest + 7, EIO, 2);
	ok(content_get(digest, arena, &len) == NULL && exists("blobs", digest + 7));
	disk_fails("", 0, 0);
	is_str(content_get(digest, arena, &len), "hello");
	ok(truncate(arena_printf(arena, "%s/blobs/%s", root, digest + 7), 0) == 0);
	ok(content_get(digest, arena, &len) == NULL && !exists("blobs", digest + 7));
	ok(content_get(ID1, arena, &len) == NULL);
	ok(content_put(digest, "hello", 5, &fault) == 0);
	unused_ring();
	clock_run();
	ok(!exists("blobs", digest + 7)); /* in no image */
}

static void drop_partial(void *arg, const char *digest, uint64_t bytes)
{
	(void)arg;
	(void)bytes;
	pull_drop_partial(digest);
}

/* A partial file whose last write was so many seconds ago; negative: in the future, since the clock was set back. */
static bool swept(int age_s)
{
	const char *path = arena_printf(arena, "%s/partial/%s", root, digest_hex(ID1));
	struct timespec at = { .tv_sec = loop_real_ns() / 1000000000 - age_s };
	FILE *f = fopen(path, "w");

	fclose(f);
	ok(utimensat(AT_FDCWD, path, (struct timespec[]){ at, at }, 0) == 0);
	pull_each_partial(3600, drop_partial, NULL);
	return !exists("partial", digest_hex(ID1));
}

/* ImageFsInfo is the sum of what was counted, also after a restart; and GC is done in small steps. */
static void a_thousand_layers(void)
{
	enum { LAYERS = 1000 };
	const char *one;
	struct images_usage u, before;
	int left = 0, made = 0;

	unused_ring();
	clock_run();
	reopened();
	clock_run();
	store_usage(&before);
	for (int i = 0; i < LAYERS; i++) {
		struct layer *l = add_layer(arena_printf(arena, "many-%d", i), arena_printf(arena, "sha256:%064x", i));

		made += l != NULL;
		l->kept = false; /* of an image that was removed */
	}
	ok(made == LAYERS);
	one = arena_printf(arena, "sha256:%064x", 0x77);
	ok(add(one, NULL, "r.test/many@sha256:" "7777777777777777777777777777777777777777777777777777777777777777",
	       "many-5") == 0);
	store_usage(&u);
	ok(u.used_bytes - before.used_bytes == LAYERS * 100 && u.inodes_used - before.inodes_used == LAYERS * 3);
	unused_ring();
	clock_run();
	for (int i = 0; i < LAYERS; i++)
		left += layer_by_dir(arena_printf(arena, "many-%d", i)) != NULL;
	ok(left == 1 && layer_by_dir("many-5"));
	store_usage(&u);
	ok(u.used_bytes - before.used_bytes == 100 && u.inodes_used - before.inodes_used == 3);
	reopened();
	store_usage(&u);
	ok(u.used_bytes - before.used_bytes == 100 && u.inodes_used - before.inodes_used == 3);
	ok(store_remove(one, &fault) == 0);
	clock_run();
	ok(!layer_by_dir("many-5"));
}

static void partial_files_of_old(void)
{
	ok(!swept(0) && !swept(3500) && !swept(-5));
	ok(swept(3600) && swept(-86400));
}

static struct gc_freed freed;
static struct err gc_fault;
static int gc_calls;

static void on_freed(void *arg, const struct err *e, const struct gc_freed *what)
{
	(void)arg;
	gc_calls++;
	gc_fault.code = e ? e->code : ERR_OK;
	freed = *what;
}

static void collect(bool dry_run)
{
	gc_calls = 0;
	gc_start(dry_run, on_freed, NULL);
	ok(gc_calls == 0);
	clock_run();
	ok(gc_calls == 1);
}

/* On request also what waits for the next try of its pull goes, and all of it in one request. */
static void on_request(void)
{
	enum { LAYERS = 40 };
	char digest[DIGEST_SIZE];
	FILE *f;

	unused_ring();
	clock_run();
	for (int i = 0; i < LAYERS; i++)
		add_layer(arena_printf(arena, "asked-%d", i), arena_printf(arena, "sha256:%064x", i));
	layer_hold(layer_by_dir("asked-7"));
	digest_of("asked", 5, digest);
	ok(content_put(digest, "asked", 5, &fault) == 0);
	f = fopen(arena_printf(arena, "%s/partial/%s", root, digest_hex(ID1)), "w");
	fputs("part", f);
	fclose(f);
	collect(true);
	ok(gc_fault.code == ERR_OK && freed.layers == LAYERS - 1 && freed.blobs == 1 && freed.partials == 1);
	ok(freed.bytes >= (LAYERS - 1) * 100 + 4096 && !freed.pulling);
	ok(layer_by_dir("asked-0") && exists("blobs", digest + 7) && exists("partial", digest_hex(ID1)));
	collect(false);
	ok(gc_fault.code == ERR_OK && freed.layers == LAYERS - 1 && freed.blobs == 1 && freed.partials == 1);
	ok(!layer_by_dir("asked-0") && !layer_by_dir("asked-39") && layer_by_dir("asked-7"));
	ok(!exists("blobs", digest + 7) && !exists("partial", digest_hex(ID1)));
	layer_release(layer_by_dir("asked-7"));
	gc_calls = 0;
	gc_cancel(gc_start(false, on_freed, NULL));
	collect(false);
	ok(freed.layers == 1 && freed.bytes == 100 && !layer_by_dir("asked-7"));
	snapshots_open = false;
	collect(false);
	ok(gc_fault.code == ERR_UNAVAILABLE);
	snapshots_open = true;
}

/* As on a file system that turned read-only: more than a turn has room for. A turn that removes nothing is the last. */
static void what_cannot_go_ends_the_sweep(void)
{
	enum { STUCK = 20 };
	char digest[DIGEST_SIZE];

	for (int i = 0; i < STUCK; i++)
		ok(mkdir(arena_printf(arena, "%s/blobs/%064x", root, i + 1), 0700) == 0);
	unused_ring();
	clock_run();
	collect(false);
	ok(gc_fault.code == ERR_INTERNAL && freed.blobs == 0 && freed.bytes == 0);
	for (int i = 1; i < STUCK; i++)
		ok(rmdir(arena_printf(arena, "%s/blobs/%064x", root, i + 1)) == 0);
	digest_of("behind it", 9, digest);
	ok(content_put(digest, "behind it", 9, &fault) == 0);
	collect(false);
	ok(gc_fault.code == ERR_INTERNAL && freed.blobs == 1 && !exists("blobs", digest + 7));
	ok(rmdir(arena_printf(arena, "%s/blobs/%064x", root, 1)) == 0);
	collect(false);
	ok(gc_fault.code == ERR_OK && freed.blobs == 0);
}

static void nothing_goes_before_all_is_read(void)
{
	snapshots_open = false;
	add_layer("l8", D2);
	layer_by_dir("l8")->kept = false;
	unused_ring();
	clock_run();
	ok(exists("layers", "l8"));
	snapshots_open = true;
	unused_ring();
	clock_run();
	ok(!exists("layers", "l8"));
}

/* After a power cut no container holds the layers, but their images do. */
static void a_layer_whose_record_cannot_be_read(void)
{
	const char *image = arena_printf(arena, "%s.json", digest_hex(ID3));
	FILE *f = fopen(arena_printf(arena, "%s/boot", root), "we");

	fputs("01234567-89ab-cdef-0123-456789abcdef\n", f);
	fclose(f);
	add_layer("la", D1);
	add_layer("lb", D2);
	ok(add(ID3, NAME ":v8", NAME "@" D1, "la") == 0 && add(ID4, NAME ":v9", NAME "@" D2, "lb") == 0);
	layer_by_dir("la")->kept = layer_by_dir("lb")->kept = false;
	ok(boot_open(root, &fault) == 0 && boot_is_new());
	disk_fails("layer-records/la.json", EIO, 0);
	reopened();
	clock_run();
	is_str(id_of(NAME ":v8"), "none");
	is_str(id_of(NAME ":v9"), ID4);
	ok(exists("images", image) && exists("layers", "la") && exists("layer-records", "la.json"));
	ok(store_unread());
	disk_fails("layers/la", EIO, 0);
	reopened();
	is_str(id_of(NAME ":v8"), ID3);
	disk_fails(image, EIO, 0);
	reopened();
	ok(store_unread() && exists("images", image));
	disk_fails("", 0, 0);
	reopened();
	is_str(id_of(NAME ":v8"), ID3);
	ok(!store_unread() && boot_note(&fault) == 0);
}

static void a_root_that_cannot_be(void)
{
	struct images_config bad = cfg;

	bad.root = "/proc/nothing/here";
	images_configure(&bad);
	ok(store_open(&fault) < 0 && fault.code == ERR_INTERNAL && strstr(fault.msg, "/proc/nothing/here"));
	images_configure(&cfg);
	ok(store_open(&fault) == 0);
}

int main(void)
{
	arena = arena_new();
	cfg.root = mkdtemp(root);
	images_configure(&cfg);
	unpack_open();
	gc_open();
	ok(pull_open(&fault) == 0);
	an_empty_store();
	found_by_any_name();
	short_names();
	a_tag_moves();
	pinned();
	after_a_restart();
	removed_with_its_layers();
	a_snapshot_holds_its_layers();
	a_pulls_layers_wait_an_hour();
	and_a_minute_on_a_full_disk();
	half_things_go_at_the_start();
	an_image_without_its_layer_is_set_aside();
	killed_while_a_tag_moved();
	blobs_are_verified();
	a_thousand_layers();
	partial_files_of_old();
	on_request();
	what_cannot_go_ends_the_sweep();
	nothing_goes_before_all_is_read();
	a_layer_whose_record_cannot_be_read();
	a_root_that_cannot_be();
	ok(system(arena_printf(arena, "rm -rf %s", root)) == 0);
	arena_free(arena);
	return tap_end();
}
