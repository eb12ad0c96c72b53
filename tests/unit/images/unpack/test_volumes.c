/* test_volumes.c - the content of an image's VOLUMEs, copied out of its layers. */
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "images/unpack/shift.h"
#include "tests/fakes/layer.h"
#include "tests/fakes/pack.h"
#include "tests/tap.h"

static void make_layers(void)
{
	struct buf t = { 0 };

	PACK(&t, "data/", .type = '5', .mode = 0700, .uid = 1);
	PACK(&t, "data/old", .data = "lower");
	PACK(&t, "data/gone", .data = "x");
	PACK(&t, "data/o/", .type = '5');
	PACK(&t, "data/o/hidden", .data = "x");
	PACK(&t, "data/sub/", .type = '5');
	PACK(&t, "data/sub/low", .data = "low", .uid = 7);
	PACK(&t, "real/", .type = '5');
	PACK(&t, "real/in", .data = "linked");
	PACK(&t, "file", .data = "x");
	PACK(&t, "out", .type = '2', .link = "../../../../../../../etc");
	PACK(&t, "way", .type = '2', .link = "/real");
	pack_end(&t);
	ok(layer_tar("low", &t));
	layer_place("low", true);
	PACK(&t, "data/", .type = '5', .mode = 02750, .uid = 1000, .gid = 70000, .mtime = 77);
	PACK(&t, "data/.wh.gone");
	PACK(&t, "data/o/", .type = '5');
	PACK(&t, "data/o/.wh..wh..opq");
	PACK(&t, "data/new", .data = "upper", .mode = 04755, .uid = 1000, .mtime = 55);
	PACK(&t, "data/twin", .type = '1', .link = "data/new");
	PACK(&t, "data/sub/", .type = '5', .mode = 0711);
	PACK(&t, "data/sub/link", .type = '2', .link = "low");
	PACK(&t, "data/sub/pipe", .type = '6');
	pack_end(&t);
	ok(layer_tar("up", &t));
	layer_place("up", true);
}

/* Runs the job for up to three paths; the name of the copy is `name`. */
static bool copies(const char *name, const char *uids, const char *max, const char *a, const char *b, const char *c)
{
	const char *argv[] = { "volumes", "--parents=low:up", "--max-bytes", max, "--min-free", "1MiB", "--uids", uids,
			       "--gids", uids, "--", layer_root, name, a, b, c, NULL };

	return layer_job(argv);
}

static void what_the_image_shows(void)
{
	struct stat st;

	ok(copies("v", "", "1000000", "/data", "/nowhere/at/all", "way/"));
	is_str(layer_text("v", "0/old"), "lower");
	is_str(layer_text("v", "0/new"), "upper");
	is_str(layer_text("v", "0/sub/low"), "low");
	is_str(layer_link("v", "0/sub/link"), "low");
	is_str(layer_text("v", "2/in"), "linked");
	ok(S_ISFIFO(layer_stat("v", "0/sub/pipe").st_mode));
	ok(!layer_has("v", "0/gone") && layer_has("v", "0/o") && !layer_has("v", "0/o/hidden"));
	st = layer_stat("v", "0");
	ok((st.st_mode & 07777) == 02750 && st.st_uid == 1000 && st.st_gid == 70000 && st.st_mtime == 77);
	st = layer_stat("v", "0/new");
	ok((st.st_mode & 07777) == 04755 && st.st_uid == 1000 && st.st_mtime == 55 && st.st_nlink == 2);
	ok(layer_stat("v", "0/twin").st_ino == st.st_ino && (layer_stat("v", "0/sub").st_mode & 0777) == 0711);
	st = layer_stat("v", "1");
	ok(S_ISDIR(st.st_mode) && (st.st_mode & 07777) == 0755 && st.st_uid == 0);
}

static void shifted_owners(void)
{
	static struct shift s;
	struct err e;

	ok(copies("s", "0 200000 5000\n5000 300000 1\n", "1000000", "/data", "/empty", NULL));
	ok(layer_stat("s", "0").st_uid == 201000 && layer_stat("s", "0").st_gid == 200000); /* 70000: not mapped */
	ok(layer_stat("s", "0/new").st_uid == 201000 && (layer_stat("s", "0/new").st_mode & 07777) == 04755);
	ok(layer_stat("s", "1").st_uid == 200000);
	ok(shift_parse("0 200000 5000\n5000 300000 1", &s, &e) == 0 && shift_id(&s, 5000) == 300000);
	ok(shift_id(&s, 4999) == 204999 && shift_id(&s, 5001) == 200000);
	ok(shift_parse("", &s, &e) == 0 && shift_id(&s, 9) == 9 && shift_parse(NULL, &s, &e) == 0);
	ok(shift_parse("0 1", &s, &e) < 0 && shift_parse("0 1 2 3", &s, &e) < 0 && shift_parse("0 1 0", &s, &e) < 0);
}

static void what_is_refused(void)
{
	ok(!copies("f", "", "1000000", "/file", NULL, NULL));
	ok(layer_says("error INVALID_ARGUMENT VOLUME \"/file\": the image has a file there"));
	ok(!copies("u", "", "1000000", "/../x", NULL, NULL) && layer_says("VOLUME \"/../x\": not a path in the image"));
	ok(!copies("m", "", "9000", "/data", NULL, NULL) && layer_says("error RESOURCE_EXHAUSTED"));
	ok(layer_left_nothing("f") && layer_left_nothing("u") && layer_left_nothing("m"));
	ok(copies("e", "", "1000000", "/out", NULL, NULL) && !layer_has("e", "0/passwd")); /* the image's /etc */
}

int main(void)
{
	if (!layer_open())
		return printf("1..0 # SKIP needs root\n"), 0;
	make_layers();
	what_the_image_shows();
	shifted_owners();
	what_is_refused();
	layer_close();
	return tap_end();
}
