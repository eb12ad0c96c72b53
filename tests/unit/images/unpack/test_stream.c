/* test_stream.c - from the blob to plain bytes: formats, members, digests, sizes, a resume, errors of damaged blobs. */
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

#include "reactor/own.h"
#include "tests/fakes/layer.h"
#include "tests/fakes/pack.h"
#include "tests/tap.h"


static struct buf tar_of(const char *text, size_t noise)
{
	struct buf t = { 0 }, data = { 0 };
	uint32_t x = 1;

	for (size_t i = 0; i < noise; i += 4) {
		x = x * 1664525 + 1013904223;
		buf_append(&data, &x, 4);
	}
	PACK(&t, "f", .data = text);
	if (noise)
		PACK(&t, "noise", .data = (const char *)data.at, .size = data.len);
	pack_end(&t);
	buf_free(&data);
	return t;
}

static void three_formats(void)
{
	struct buf t = tar_of("hello", 3 << 20), gz = { 0 }, zst = { 0 };

	pack_gzip(&gz, &t);
	pack_zstd(&zst, &t);
	ok(layer_run("plain", &t, &t));
	ok(layer_run("gzip", &gz, &t));
	ok(layer_run("zstd", &zst, &t));
	is_str(layer_text("plain", "f"), "hello");
	is_str(layer_text("gzip", "f"), "hello");
	is_str(layer_text("zstd", "f"), "hello");
	ok(layer_stat("gzip", "noise").st_size == 3 << 20 && layer_stat("zstd", "noise").st_size == 3 << 20);
	buf_free(&t);
	buf_free(&gz);
	buf_free(&zst);
}

/* As pigz -i and estargz write it. */
static void many_members_and_frames(void)
{
	struct buf t = tar_of("parts", 300000), gz = { 0 }, zst = { 0 };

	for (size_t at = 0, n; at < t.len; at += n) {
		struct buf part = { 0 };

		n = at % 7 == 0 ? 1 : 777;
		if (n > t.len - at)
			n = t.len - at;
		buf_append(&part, t.at + at, n);
		pack_gzip(&gz, &part);
		pack_zstd(&zst, &part);
		buf_free(&part);
	}
	ok(layer_run("members", &gz, &t));
	ok(layer_run("frames", &zst, &t));
	buf_append(&gz, "\0\0\0\0\0\0\0\0\0", 9);
	ok(layer_run("padded", &gz, &t));
	buf_append(&gz, "x", 1);
	ok(!layer_run("garbage", &gz, &t) && layer_says("INVALID_ARGUMENT gzip: bytes after the end"));
	buf_append(&zst, "xxxx", 4);
	ok(!layer_run("zgarbage", &zst, &t) && layer_says("INVALID_ARGUMENT zstd:"));
	buf_free(&t);
	buf_free(&gz);
	buf_free(&zst);
}

static void what_is_kept_comes_first(void)
{
	struct buf t = tar_of("resumed", 1 << 20), gz = { 0 };

	pack_gzip(&gz, &t);
	layer_lie.kept = gz.len / 3;
	ok(layer_run("resume", &gz, &t));
	is_str(layer_text("resume", "f"), "resumed");
	layer_lie.kept = gz.len;
	ok(layer_run("all", &gz, &t));
	buf_free(&t);
	buf_free(&gz);
}

static void a_file_that_grows(void)
{
	struct buf t = tar_of("grown", 1 << 20), gz = { 0 };

	pack_gzip(&gz, &t);
	for (int i = 0; i < 8; i++) {
		char name[16];

		snprintf(name, sizeof(name), "grown%d", i);
		layer_lie.kept = (size_t)(i / 2) * (gz.len / 3);
		layer_lie.grows = true;
		layer_lie.raw = i % 2;
		ok(layer_run(name, &gz, &t));
		is_str(layer_text(name, "f"), "grown");
	}
	layer_lie.grows = true;
	layer_lie.cut = gz.len / 2; /* crispd died */
	ok(!layer_run("grown", &gz, &t) && layer_says("error DATA_LOSS the blob ends after"));
	buf_free(&t);
	buf_free(&gz);
}

static void wrong_digests_and_sizes(void)
{
	static const char other[] = "sha256:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";
	struct buf t = tar_of("x", 0), gz = { 0 };

	pack_gzip(&gz, &t);
	layer_lie.digest = other;
	ok(!layer_run("d1", &gz, &t) && layer_says("error DATA_LOSS the blob's digest is sha256:"));
	layer_lie.diff_id = other;
	ok(!layer_run("d2", &gz, &t) && layer_says("error DATA_LOSS the layer's diff_id is sha256:"));
	layer_lie.diff_id = other;
	ok(!layer_run("d3", &t, &t) && layer_says("error DATA_LOSS the layer's diff_id"));
	layer_lie.size = (int64_t)gz.len - 1;
	ok(!layer_run("d4", &gz, &t) && layer_says("error DATA_LOSS the blob is longer than"));
	layer_lie.size = (int64_t)gz.len + 1;
	ok(!layer_run("d5", &gz, &t) && layer_says("error DATA_LOSS the blob ends after"));
	ok(layer_left_nothing("d1") && layer_left_nothing("d2") && layer_left_nothing("d4") &&
	   layer_left_nothing("d5"));
	buf_free(&t);
	buf_free(&gz);
}

/* A blob that is cut at any byte is an error of the transfer (DATA_LOSS), not of the layer. */
static void a_cut_stream_is_data_loss(void)
{
	struct buf t = tar_of("x", 2000), gz = { 0 }, zst = { 0 };
	int lost = 0, runs = 0;

	pack_gzip(&gz, &t);
	pack_zstd(&zst, &t);
	for (size_t cut = 1; cut < gz.len; cut += cut < 12 ? 1 : 211, runs++) {
		layer_lie.cut = cut;
		lost += !layer_run("cut", &gz, &t) && layer_says("error DATA_LOSS the blob ends after");
	}
	for (size_t cut = 1; cut < zst.len; cut += 501, runs++) {
		layer_lie.cut = cut;
		lost += !layer_run("cut", &zst, &t) && layer_says("error DATA_LOSS the blob ends after");
	}
	for (size_t cut = 1; cut < t.len; cut += 511, runs++) {
		layer_lie.cut = cut;
		lost += !layer_run("cut", &t, &t) && layer_says("error DATA_LOSS the blob ends after");
	}
	for (size_t left = 1; left < 6; left++, runs += 2) {
		layer_lie.cut = gz.len - left;
		lost += !layer_run("cut", &gz, &t) && layer_says("error DATA_LOSS the blob ends after");
		layer_lie.cut = zst.len - left;
		lost += !layer_run("cut", &zst, &t) && layer_says("error DATA_LOSS the blob ends after");
	}
	ok(lost == runs && runs > 20);
	ok(layer_left_nothing("cut"));
	buf_free(&t);
	buf_free(&gz);
	buf_free(&zst);
}

static void a_bent_byte_is_named(void)
{
	struct buf t = tar_of("x", 5000), gz = { 0 }, bent = { 0 };

	/* Damaged in the transfer: the manifest has the digest of the good blob. */
	pack_gzip(&gz, &t);
	buf_append(&bent, gz.at, gz.len);
	bent.at[bent.len - 6] ^= 1;
	layer_lie.digest = "sha256:bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb";
	ok(!layer_run("bent", &bent, &t) && layer_says("error DATA_LOSS the blob's digest"));
	ok(layer_says("(gzip: checksum does not match)"));
	/* Damaged in the registry: the digest is right, and the layer itself is bad. */
	ok(!layer_run("broken", &bent, &t));
	ok(layer_says("error INVALID_ARGUMENT gzip: checksum does not match"));
	ok(layer_left_nothing("bent") && layer_left_nothing("broken"));
	buf_free(&t);
	buf_free(&gz);
	buf_free(&bent);
}

static void an_endless_member_ends_at_the_limit(void)
{
	struct buf t = { 0 }, gz = { 0 };
	auto_free char *zeros = own_must(calloc(1, 8 << 20));

	for (int i = 0; i < 8; i++)
		PACK(&t, "bomb", .data = zeros, .size = 8 << 20);
	pack_end(&t);
	pack_gzip(&gz, &t);
	layer_lie.max_bytes = 10 << 20;
	ok(!layer_run("bomb", &gz, &t));
	ok(layer_says(
		"error RESOURCE_EXHAUSTED the layer unpacks to more than 10485760 bytes (images.max_layer_bytes)"));
	layer_lie.min_free = "99%";
	ok(!layer_run("full", &gz, &t) && layer_says("error RESOURCE_EXHAUSTED only "));
	ok(layer_says("(images.min_free)"));
	layer_lie.max_bytes = 100; /* less than the process has to say */
	ok(!layer_run("tiny", &gz, &t));
	ok(layer_says("error RESOURCE_EXHAUSTED the layer unpacks to more than 100 bytes (images.max_layer_bytes)"));
	layer_lie.min_free = "lots";
	ok(!layer_run("conf", &gz, &t) &&
	   layer_says("error INVALID_ARGUMENT images.min_free: \"lots\" is not a size"));
	ok(layer_left_nothing("bomb") && layer_left_nothing("full") && layer_left_nothing("conf"));
	buf_free(&t);
	buf_free(&gz);
}

int main(void)
{
	if (!layer_open())
		return printf("1..0 # SKIP needs root\n"), 0;
	three_formats();
	many_members_and_frames();
	what_is_kept_comes_first();
	a_file_that_grows();
	wrong_digests_and_sizes();
	a_cut_stream_is_data_loss();
	a_bent_byte_is_named();
	an_endless_member_ends_at_the_limit();
	layer_close();
	return tap_end();
}
