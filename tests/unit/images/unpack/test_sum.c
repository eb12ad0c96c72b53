/* test_sum.c - the sum of a layer is the same whether its files are read or their contents are known. That the program
 * gives the sum of its files is checked by layer_run() for each layer of all tests. */
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "images/unpack/contents.h"
#include "images/unpack/sum.h"
#include "reactor/own.h"
#include "tests/fakes/layer.h"
#include "tests/fakes/pack.h"
#include "tests/tap.h"

enum { BIG = 5 * CONTENT_BLOCK + 777 };

static uint8_t big[BIG];

/* Islands in zeros: inside of a block, over the end of one, a block of zeros, and zeros up to the end. */
static void fill_big(void)
{
	static const struct { size_t at, n; } islands[] = {
		{ 5, 1 },
		{ 4096, 9000 },
		{ CONTENT_BLOCK - 3, 7 },
		{ 3 * CONTENT_BLOCK, CONTENT_BLOCK },
		{ BIG - 700, 1 },
	};

	for (size_t i = 0; i < sizeof(islands) / sizeof(*islands); i++)
		for (size_t k = 0; k < islands[i].n; k++)
			big[islands[i].at + k] = (uint8_t)(1 + (k * 7 + i) % 255);
}

static uint64_t in_parts(size_t part)
{
	struct content c = { 0 };

	for (size_t at = 0; at < BIG; at += part)
		content_add(&c, at, big + at, part < BIG - at ? part : BIG - at);
	return content_end(&c, BIG);
}

/* Only the bytes that are not zero, one by one. */
static uint64_t without_zeros(void)
{
	struct content c = { 0 };

	for (size_t at = 0; at < BIG; at++)
		if (big[at])
			content_add(&c, at, big + at, 1);
	return content_end(&c, BIG);
}

static void parts_and_holes_do_not_matter(void)
{
	static const size_t parts[] = { 1, 7, 512, 4095, CONTENT_BLOCK - 1, CONTENT_BLOCK, CONTENT_BLOCK + 1, 200000 };
	uint64_t whole = in_parts(BIG);

	ok(whole != 0);
	for (size_t i = 0; i < sizeof(parts) / sizeof(*parts); i++)
		ok(in_parts(parts[i]) == whole);
	ok(without_zeros() == whole);
	ok(content_end(&(struct content){ 0 }, BIG) == 0);
	big[BIG - 1] ^= 1;
	ok(in_parts(512) != whole);
	big[BIG - 1] ^= 1;
}

static void the_last_one_counts(void)
{
	struct contents c = { 0 };
	uint64_t crc = 0;

	contents_sort(&c);
	ok(!contents_find(&c, 0, &crc));
	for (uint64_t i = 0; i < 3000; i++)
		contents_add(&c, i * 7919 % 1000 + 1, i);
	contents_sort(&c);
	ok(c.n == 1000 && !contents_find(&c, 0, &crc) && !contents_find(&c, 1001, &crc));
	ok(contents_find(&c, 1, &crc) && crc == 2000);
	ok(contents_find(&c, 2999 * 7919 % 1000 + 1, &crc) && crc == 2999);
	contents_free(&c);
}

static void too_many_files(void)
{
	struct contents c = { 0 };
	uint64_t crc;

	for (uint64_t i = 0; i < CONTENTS_FILES_MAX; i++)
		contents_add(&c, i, i);
	ok(c.n == CONTENTS_FILES_MAX && c.room == CONTENTS_FILES_MAX);
	contents_add(&c, 3, 0);
	contents_add(&c, 4, 0);
	contents_sort(&c);
	ok(c.n == 0 && c.full && !contents_find(&c, 3, &crc) && !contents_find(&c, 5, &crc));
	contents_free(&c);
}

/* A file that the table knows is not read, others are. */
static void what_is_known_is_not_read(void)
{
	char read[DIGEST_SIZE], known[DIGEST_SIZE], wrong[DIGEST_SIZE];
	struct contents c = { 0 };
	struct buf t = { 0 };
	struct err e;
	int fd;

	PACK(&t, "big", .data = (const char *)big, .size = BIG);
	PACK(&t, "other", .data = "other");
	pack_end(&t);
	ok(layer_tar("known", &t));
	fd = open(layer_path("known", ""), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	contents_add(&c, layer_stat("known", "big").st_ino, 1);
	contents_sort(&c);
	ok(sum_tree(fd, false, NULL, read, &e) == 0 && sum_tree(fd, false, &c, wrong, &e) == 0);
	ok(strcmp(read, wrong) != 0);
	contents_add(&c, layer_stat("known", "big").st_ino, in_parts(BIG));
	contents_sort(&c);
	ok(sum_tree(fd, false, &c, known, &e) == 0);
	is_str(known, read);
	contents_free(&c);
	close(fd);
}

/* Names that come again and again, so that the numbers of inodes do too. */
static void files_that_are_replaced(void)
{
	auto_free char *zeros = own_must(calloc(1, BIG));
	struct buf t = { 0 };
	char text[64];

	for (int i = 0; i < 40; i++) {
		snprintf(text, sizeof(text), "text %d", i);
		PACK(&t, "d/", .type = '5');
		PACK(&t, "d/a", .data = text);
		PACK(&t, "d/b", .data = (const char *)big, .size = BIG - (size_t)i);
		PACK(&t, "link", .type = '1', .link = "d/a");
		PACK(&t, "d/.wh.gone");
		PACK(&t, "d/a", .data = i % 2 ? "" : "short");
		PACK(&t, "d/b", .type = '2', .link = "nowhere");
		PACK(&t, i % 3 ? "e" : "d", .data = text + 1);
		PACK(&t, "f", .data = text + 2);
	}
	PACK(&t, "zeros", .data = zeros, .size = BIG);
	pack_end(&t);
	ok(layer_tar("restless", &t));
	is_str(layer_text("restless", "d"), "ext 39");
	is_str(layer_text("restless", "link"), "text 39");
}

static void files_of_the_layer_below(void)
{
	struct buf t = { 0 };

	PACK(&t, "below", .data = "of the layer below");
	PACK(&t, "below too", .data = "of that layer too");
	pack_end(&t);
	ok(layer_tar("below", &t));
	layer_place("below", true);
	PACK(&t, "linked", .data = "goes");
	PACK(&t, "linked", .type = '1', .link = "below");
	PACK(&t, "linked too", .type = '1', .link = "below too"); /* copied when the number of `linked` is free */
	pack_end(&t);
	layer_lie.parents = "below";
	ok(layer_tar("above", &t));
	is_str(layer_text("above", "linked"), "of the layer below");
	is_str(layer_text("above", "linked too"), "of that layer too");
}

int main(void)
{
	fill_big();
	parts_and_holes_do_not_matter();
	the_last_one_counts();
	too_many_files();
	if (layer_open()) {
		what_is_known_is_not_read();
		files_that_are_replaced();
		files_of_the_layer_below();
		layer_close();
	}
	return tap_end();
}
