/* test_hostile.c - hostile and damaged layers: each is refused with the name of the entry and leaves no files. */
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "reactor/own.h"
#include "tests/fakes/layer.h"
#include "tests/fakes/pack.h"
#include "tests/tap.h"

/* Ends the tar, unpacks it, and expects this answer. */
static bool refused(struct buf *t, const char *answer)
{
	bool good;

	pack_end(t);
	good = !layer_run("bad", t, t) && layer_says(answer) && layer_left_nothing("bad") &&
	       layer_noise[0] == '\0';
	buf_free(t);
	return good;
}

static void names_that_lead_out(void)
{
	struct buf t = { 0 };

	PACK(&t, "../escaped", .data = "x");
	ok(refused(&t, "error INVALID_ARGUMENT \"../escaped\" leads out of the layer"));
	PACK(&t, "a/../../escaped", .data = "x");
	ok(refused(&t, "error INVALID_ARGUMENT \"a/../../escaped\" leads out of the layer"));
	PACK(&t, "/../../escaped", .type = '5');
	ok(refused(&t, "error INVALID_ARGUMENT"));
	PACK(&t, "h", .type = '1', .link = "../../../../../../etc/passwd");
	ok(refused(&t, "error INVALID_ARGUMENT \"h\": hard link: \"../../../../../../etc/passwd\" leads out"));
}

static void links_that_lead_out(void)
{
	struct buf t = { 0 };
	char dir[256], link[300];

	/* The symlink is followed with the layer's root as "/", so the file is made in the layer. */
	snprintf(dir, sizeof(dir), "%s/outside", layer_root);
	ok(mkdir(dir, 0755) == 0);
	PACK(&t, "out", .type = '2', .link = dir);
	PACK(&t, "out/file", .data = "x");
	PACK(&t, "up", .type = '2', .link = "../../../../../../../../../../tmp");
	PACK(&t, "up/crisp-unpack-escaped", .data = "x");
	pack_end(&t);
	ok(layer_tar("inside", &t));
	snprintf(link, sizeof(link), "%s/file", dir + 1);
	ok(layer_has("inside", link) && layer_has("inside", "tmp/crisp-unpack-escaped"));
	snprintf(link, sizeof(link), "%s/file", dir);
	ok(access(link, F_OK) < 0 && access("/tmp/crisp-unpack-escaped", F_OK) < 0);

	/* A file replaces a symlink of the same name and is not written through it. */
	PACK(&t, "f", .type = '2', .link = "/etc/crisp-unpack-escaped");
	PACK(&t, "f", .data = "x");
	pack_end(&t);
	ok(layer_tar("own", &t));
	ok(S_ISREG(layer_stat("own", "f").st_mode) && access("/etc/crisp-unpack-escaped", F_OK) < 0);

	PACK(&t, "a", .type = '2', .link = "b");
	PACK(&t, "b", .type = '2', .link = "a");
	PACK(&t, "a/x", .data = "x");
	ok(refused(&t, "too many symbolic links"));
	PACK(&t, "dir/", .type = '5');
	PACK(&t, "h", .type = '1', .link = "dir");
	ok(refused(&t, "error INVALID_ARGUMENT \"h\": a hard link to a directory"));
	PACK(&t, "file", .data = "x");
	PACK(&t, "file/in", .data = "x");
	ok(refused(&t, "is not a directory, but there are entries inside it"));
	PACK(&t, "link", .type = '2', .link = "");
	ok(refused(&t, "a symbolic link to nothing"));
}

static void hard_links_out_of_the_layer(void)
{
	struct buf t = { 0 };

	/* /etc/passwd of the host is not /etc/passwd of the layer. */
	PACK(&t, "p", .type = '1', .link = "/etc/passwd");
	pack_end(&t);
	layer_lie.parents = "";
	ok(!layer_tar("lowest", &t));
	ok(layer_says("error INVALID_ARGUMENT \"p\": the hard link's target \"etc/passwd\" is in no layer"));
	PACK(&t, "etc", .type = '2', .link = "/etc");
	PACK(&t, "p", .type = '1', .link = "etc/passwd");
	ok(refused(&t, "the hard link's target is below something that is no directory"));
}

static void whiteouts_of_nothing(void)
{
	struct buf t = { 0 };

	PACK(&t, "d/.wh.");
	ok(refused(&t, "error INVALID_ARGUMENT \"d/.wh.\": a whiteout of no name"));
	PACK(&t, "d/.wh..");
	ok(refused(&t, "a whiteout of no name"));
	PACK(&t, "d/.wh...");
	ok(refused(&t, "a whiteout of no name"));
	PACK(&t, "d/.wh.x/y");
	ok(refused(&t, "an entry inside a whiteout"));
}

static void marks_of_overlayfs(void)
{
	struct buf t = { 0 };

	pack_pax(&t, "SCHILY.xattr.trusted.overlay.redirect", "/etc", -1);
	PACK(&t, "d/", .type = '5');
	ok(refused(&t, "error INVALID_ARGUMENT \"d\": a layer may not set trusted.overlay attributes"));
	pack_pax(&t, "SCHILY.xattr.trusted.overlay.opaque", "y", -1);
	PACK(&t, "l", .type = '2', .link = "x");
	ok(refused(&t, "trusted.overlay"));
}

static void floods(void)
{
	struct buf t = { 0 };
	char name[32];

	for (int i = 0; i < 5000; i++) {
		snprintf(name, sizeof(name), "dev/%d", i);
		PACK(&t, name, .type = '3', .major = 8);
	}
	ok(refused(&t, "error RESOURCE_EXHAUSTED more than 4096 device nodes in one layer"));
}

/* Sparse files with wrong maps; the last map is right, but the file has a petabyte. */
static void sparse_files_that_are_none(void)
{
	static const struct {
		const char *map, *size, *answer;
	} lies[] = {
		{ "0\n", "10", "" },
		{ "1\n5\n6\n", "10", "error INVALID_ARGUMENT tar: \"hole\": bad sparse map" },
		{ "2\n5\n0\n4\n0\n", "10", "error INVALID_ARGUMENT tar: \"hole\": bad sparse map" },
		{ "1\n0\n5\n", "10", "a sparse map that is not as long as the data" },
		{ "1\n18446744073709551615\n1\n", "10", "bad sparse map" },
		{ "99999999\n", "10", "too many pieces in a sparse file" },
		{ "x\n", "10", "bad sparse map" },
		{ "", "10", "bad sparse map" },
		{ "1\n1000000000000000\n0\n", "1000000000000000",
		  "error RESOURCE_EXHAUSTED \"hole\": larger than images" },
	};
	struct buf t = { 0 };
	char map[512];

	for (size_t i = 0; i < sizeof(lies) / sizeof(lies[0]); i++) {
		memset(map, 0, sizeof(map));
		strcpy(map, lies[i].map);
		pack_pax(&t, "GNU.sparse.major", "1", -1);
		pack_pax(&t, "GNU.sparse.minor", "0", -1);
		pack_pax(&t, "GNU.sparse.realsize", lies[i].size, -1);
		PACK(&t, "hole", .data = map, .size = sizeof(map));
		if (*lies[i].answer) {
			ok(refused(&t, lies[i].answer));
			continue;
		}
		pack_end(&t);
		ok(layer_tar("hole", &t) && layer_stat("hole", "hole").st_size == 10);
	}
}

static void names_without_end(void)
{
	char name[4096] = "", dir[4096];
	struct buf t = { 0 };
	size_t n = 0;

	while (n < 3900) {
		memset(name + n, 'n', 200);
		n += 201;
		name[n - 1] = '/';
	}
	for (int i = 0; i < 18000; i++) {
		snprintf(dir, sizeof(dir), "%.*s%d", (int)n, name, i);
		PACK(&t, "h", .type = '1', .link = dir);
	}
	ok(refused(&t, "error RESOURCE_EXHAUSTED directory and link names of more than"));
}

static void broken_tars(void)
{
	struct buf t = { 0 };
	auto_free char *name = own_must(calloc(1, 6000));

	PACK(&t, "f", .data = "x");
	t.at[150] ^= 1;
	ok(refused(&t, "error INVALID_ARGUMENT tar: a header's checksum does not match"));
	PACK(&t, "f", .data = "x");
	memset(buf_room(&t, 512), 0, 512);
	buf_added(&t, 512);
	PACK(&t, "hidden", .data = "behind a single zero block");
	ok(refused(&t, "error INVALID_ARGUMENT tar: an entry after the end of the archive"));
	PACK(&t, "f", .type = 'V');
	ok(refused(&t, "entries of type 0x56 are not supported"));
	pack_pax(&t, "path", "a\0b", 3);
	PACK(&t, "f");
	ok(refused(&t, "error INVALID_ARGUMENT tar: a NUL in a name"));
	pack_pax(&t, "size", "99999999999999999999", -1);
	PACK(&t, "f");
	ok(refused(&t, "a malformed number in a pax header"));
	pack_pax(&t, "uid", "-1", -1);
	PACK(&t, "f");
	ok(refused(&t, "a malformed number in a pax header"));
	PACK(&t, "f", .type = 'x', .data = "999 path=x\n");
	ok(refused(&t, "a pax record is malformed"));
	PACK(&t, "f", .type = 'x', .data = "9 path=x\n");
	ok(refused(&t, "the archive ends after an extended header"));
	memset(name, 'n', 300);
	PACK(&t, name, .data = "x");
	ok(refused(&t, "the name is too long"));
	for (int i = 0; i < 5990; i += 2)
		memcpy(name + i, "d/", 2);
	PACK(&t, name, .data = "x");
	ok(refused(&t, "the name is too long"));
	memset(buf_room(&t, 1000), 0xff, 1000);
	buf_added(&t, 1000);
	ok(refused(&t, "error INVALID_ARGUMENT tar:"));
}

static void a_message_is_one_line(void)
{
	struct buf t = { 0 };

	PACK(&t, "../\nok bytes=1 inodes=1", .data = "x");
	ok(refused(&t, "error INVALID_ARGUMENT \"../\\x0aok bytes=1"));
	ok(strchr(layer_answer, '\n') == layer_answer + strlen(layer_answer) - 1);
}

int main(void)
{
	if (!layer_open())
		return printf("1..0 # SKIP needs root\n"), 0;
	names_that_lead_out();
	links_that_lead_out();
	hard_links_out_of_the_layer();
	whiteouts_of_nothing();
	marks_of_overlayfs();
	floods();
	sparse_files_that_are_none();
	names_without_end();
	broken_tars();
	a_message_is_one_line();
	layer_close();
	return tap_end();
}
