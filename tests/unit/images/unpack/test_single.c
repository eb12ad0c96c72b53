/* test_single.c - a blob of an artifact becomes the one file of its layer. */
#include <string.h>

#include "tests/fakes/layer.h"
#include "tests/tap.h"

static bool unpacked(const char *name, const char *file, const char *text, size_t len)
{
	struct buf blob = { 0 };
	bool good;

	buf_append(&blob, text, len);
	layer_lie.file = file;
	good = layer_run(name, &blob, &blob);
	buf_free(&blob);
	return good;
}

static void the_blob_as_it_is(void)
{
	static const char gzip[] = "\x1f\x8b\x08\0 this is not unpacked";
	struct stat st;

	ok(unpacked("a", "-model .bin", gzip, sizeof(gzip)));
	ok(layer_says("bytes=4096 inodes=1 self_contained=1 finished=1") && layer_says(" digest=sha256:"));
	st = layer_stat("a", "-model .bin");
	ok(S_ISREG(st.st_mode) && (st.st_mode & 07777) == 0644 && st.st_uid == 0 && st.st_gid == 0 &&
	   st.st_size == sizeof(gzip));
	ok(memcmp(layer_text("a", "-model .bin"), gzip, sizeof(gzip)) == 0);
	st = layer_stat("a", "");
	ok((st.st_mode & 07777) == 0755);
	ok(unpacked("b", ".wh.x", "", 0)); /* no whiteout: the name has no meaning here */
	ok(layer_stat("b", ".wh.x").st_size == 0 && layer_says("bytes=0 inodes=1"));
}

static void below_directories(void)
{
	struct stat st;

	ok(unpacked("deep", "conf/a b/app.yaml", "x: 1", 4));
	ok(layer_says("bytes=12288 inodes=3 self_contained=1 finished=1"));
	is_str(layer_text("deep", "conf/a b/app.yaml"), "x: 1");
	st = layer_stat("deep", "conf/a b");
	ok(S_ISDIR(st.st_mode) && (st.st_mode & 07777) == 0755 && st.st_uid == 0);
}

static char much[3000000];

static void in_pieces(void)
{
	memset(much, 'm', sizeof(much));
	layer_lie.kept = 1000000;
	ok(unpacked("half", "m", much, sizeof(much)));
	ok(layer_stat("half", "m").st_size == sizeof(much));
	layer_lie.kept = 7;
	layer_lie.grows = layer_lie.raw = true;
	ok(unpacked("grows", "m", much, sizeof(much)));
	ok(layer_stat("grows", "m").st_size == sizeof(much));
}

static bool refused(const char *file, const char *why)
{
	return !unpacked("bad", file, "0123456789", 10) && layer_says(why) && layer_left_nothing("bad");
}

static void nothing_is_left_of_what_is_refused(void)
{
	char name[257] = "";

	ok(refused("", "error INVALID_ARGUMENT \"\" is no name of a file"));
	ok(refused("..", "error INVALID_ARGUMENT \"..\" is no name of a file"));
	ok(refused("a/../b", "error INVALID_ARGUMENT \"a/../b\" is no name of a file"));
	ok(refused("../b", "error INVALID_ARGUMENT"));
	ok(refused("a/", "error INVALID_ARGUMENT"));
	ok(refused("/etc/x", "error INVALID_ARGUMENT"));
	memset(name, 'n', 256);
	ok(refused(name, "is no name of a file"));
	layer_lie.max_bytes = 100000;
	ok(!unpacked("bad", "f", much, sizeof(much)) && layer_left_nothing("bad"));
	ok(layer_says("error RESOURCE_EXHAUSTED \"f\" has more than 100000 bytes (images.max_layer_bytes)"));
	layer_lie.min_free = "4096TiB";
	ok(refused("f", "error RESOURCE_EXHAUSTED"));
	layer_lie.digest = "sha256:1111111111111111111111111111111111111111111111111111111111111111";
	ok(refused("f", "error DATA_LOSS the blob's digest is"));
	layer_lie.size = 11;
	ok(refused("f", "error DATA_LOSS the blob ends after 10 of 11 bytes"));
	layer_lie.size = 9;
	ok(refused("a/f", "error DATA_LOSS the blob is longer than the 9 bytes"));
	layer_lie.max_bytes = 4; /* less than the process has to say */
	ok(refused("f", "error RESOURCE_EXHAUSTED \"f\" has more than 4 bytes (images.max_layer_bytes)"));
}

int main(void)
{
	if (!layer_open())
		return printf("1..0 # SKIP needs root\n"), 0;
	the_blob_as_it_is();
	below_directories();
	in_pieces();
	nothing_is_left_of_what_is_refused();
	layer_close();
	return tap_end();
}
