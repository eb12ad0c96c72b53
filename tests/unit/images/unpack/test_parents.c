/* test_parents.c - layers that need the layers below them: finished at once when these are known, else by a merge. */
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mount.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "tests/fakes/layer.h"
#include "tests/fakes/pack.h"
#include "tests/tap.h"

/* base: a lowest layer as of Debian. mid: above it, with whiteouts and opaque directories. */
static void make_parents(void)
{
	struct buf t = { 0 };

	PACK(&t, "tmp/", .type = '5', .mode = 01777, .mtime = 111);
	PACK(&t, "usr/", .type = '5');
	PACK(&t, "usr/bin/", .type = '5', .mode = 0711, .uid = 2, .gid = 3, .mtime = 222);
	PACK(&t, "usr/bin/tool", .data = "tool of base", .mode = 04755, .uid = 9, .mtime = 333);
	PACK(&t, "usr/bin/alias", .type = '2', .link = "tool", .mtime = 334);
	pack_pax(&t, "SCHILY.xattr.user.mark", "base", -1);
	PACK(&t, "usr/share/", .type = '5', .mode = 0750);
	PACK(&t, "usr/share/old", .data = "old");
	PACK(&t, "bin", .type = '2', .link = "usr/bin");
	PACK(&t, "gone/", .type = '5', .mode = 0700);
	PACK(&t, "gone/file", .data = "gone");
	pack_end(&t);
	ok(layer_tar("base", &t) && layer_says("self_contained=1"));
	layer_place("base", true);
	PACK(&t, "usr/", .type = '5');
	PACK(&t, "usr/share/", .type = '5', .mode = 0755);
	PACK(&t, "usr/share/.wh..wh..opq");
	PACK(&t, ".wh.gone");
	pack_end(&t);
	ok(layer_tar("mid", &t) && layer_says("self_contained=1"));
	layer_place("mid", true);
}

static struct buf leaning_layer(void)
{
	struct buf t = { 0 };

	PACK(&t, "tmp/f", .data = "f", .mtime = 7);
	PACK(&t, "usr/bin/copy", .type = '1', .link = "usr/bin/tool");
	PACK(&t, "usr/bin/again", .type = '1', .link = "bin/tool"); /* the same file, through the parents' symlink */
	PACK(&t, "usr/bin/third", .type = '1', .link = "usr/bin/copy"); /* the target does not exist yet */
	PACK(&t, "usr/bin/sym", .type = '1', .link = "usr/bin/alias");
	PACK(&t, "usr/share/new", .data = "new");
	PACK(&t, "gone/file2", .data = "anew");
	pack_end(&t);
	return t;
}

/* The result that both ways must have. */
static void looks_finished(const char *name)
{
	struct stat st = layer_stat(name, "tmp");

	ok((st.st_mode & 07777) == 01777 && st.st_mtime == 111);
	st = layer_stat(name, "usr/bin");
	ok((st.st_mode & 07777) == 0711 && st.st_uid == 2 && st.st_gid == 3 && st.st_mtime == 222);
	st = layer_stat(name, "usr/bin/copy");
	ok(S_ISREG(st.st_mode) && (st.st_mode & 07777) == 04755 && st.st_uid == 9 && st.st_mtime == 333);
	is_str(layer_text(name, "usr/bin/copy"), "tool of base");
	ok(st.st_ino == layer_stat(name, "usr/bin/tool").st_ino &&
	   st.st_ino == layer_stat(name, "usr/bin/again").st_ino);
	ok(st.st_ino == layer_stat(name, "usr/bin/third").st_ino && st.st_nlink >= 4);
	is_str(layer_link(name, "usr/bin/sym"), "tool");
	/* The middle layer's `share`, not that of the base, which it hides. */
	ok((layer_stat(name, "usr/share").st_mode & 07777) == 0755);
	is_str(layer_xattr(name, "usr/share", "user.mark"), "");
	/* The directory was deleted in a lower layer, so none of its old files is visible. */
	ok((layer_stat(name, "gone").st_mode & 07777) == 0755);
}

static void at_once_when_the_parents_are_known(void)
{
	struct buf t = leaning_layer();

	layer_lie.parents = "base:mid";
	ok(layer_tar("once", &t));
	ok(layer_says("self_contained=0 finished=1"));
	looks_finished("once");
}

static void by_a_merge_when_they_come_later(void)
{
	struct buf t = leaning_layer();
	const char *merge[] = { "merge",           layer_root, "chain", "--from=raw", "--parents=base:mid",
				"--min-free=1MiB", NULL };
	const char *other[] = {
		"merge", layer_root, "chain2", "--from=raw", "--parents=base", "--min-free=1MiB", NULL
	};
	const char *none[] = { "merge", layer_root, "chain3", "--from=raw", "--parents=mid", "--min-free=1MiB", NULL };
	char path[256];

	ok(layer_tar("raw", &t));
	ok(layer_says("self_contained=0 finished=0"));
	ok((layer_stat("raw", "tmp").st_mode & 07777) == 0755 && !layer_has("raw", "usr/bin/copy"));
	layer_place("raw", false);
	ok(layer_job(merge) && layer_says("finished=1"));
	looks_finished("chain");
	/* The unfinished layer is unchanged and is used for other parents. */
	ok(layer_job(other));
	is_str(layer_xattr("chain2", "usr/share", "user.mark"), "base");
	ok((layer_stat("chain2", "gone").st_mode & 07777) == 0700);
	ok(!layer_job(none) && layer_says("error INVALID_ARGUMENT") && layer_says("is in no layer"));
	ok(layer_left_nothing("chain3"));
	snprintf(path, sizeof(path), "%s/layers/raw/fs/usr/bin/copy", layer_root);
	ok(access(path, F_OK) < 0);
}

static void a_hard_link_to_a_directory_below(void)
{
	struct buf t = { 0 };

	PACK(&t, "h", .type = '1', .link = "usr/bin");
	pack_end(&t);
	layer_lie.parents = "base";
	ok(!layer_tar("hdir", &t) && layer_says("error INVALID_ARGUMENT \"h\": a hard link to a directory"));
}

/* overlayfs ignores the opaque mark on a root, so each name gets a whiteout. */
static void an_opaque_root_hides_all_names(void)
{
	struct buf t = { 0 };

	PACK(&t, ".wh..wh..opq");
	PACK(&t, "usr/", .type = '5');
	PACK(&t, "usr/only", .data = "mine");
	pack_end(&t);
	layer_lie.parents = "base:mid";
	ok(layer_tar("opaque", &t));
	ok(layer_says("self_contained=0 finished=1"));
	ok(layer_is_whiteout("opaque", "tmp") && layer_is_whiteout("opaque", "bin") && !layer_has("opaque", "gone"));
	is_str(layer_xattr("opaque", "usr", "trusted.overlay.opaque"), "y");
	is_str(layer_text("opaque", "usr/only"), "mine");
}

static void a_later_entry_takes_the_place_of_what_was_lacking(void)
{
	struct buf t = { 0 };

	PACK(&t, "usr/bin/x", .type = '1', .link = "usr/bin/tool");
	PACK(&t, "usr/bin/x", .data = "own");
	PACK(&t, "usr/bin/", .type = '5');
	PACK(&t, "usr/", .type = '5');
	pack_end(&t);
	ok(layer_tar("taken", &t) && layer_says("self_contained=1 finished=1"));
	is_str(layer_text("taken", "usr/bin/x"), "own");
}

/* The same files through a real overlay mount. */
static void overlayfs_agrees(void)
{
	char options[1024], path[512];
	struct stat st;
	struct buf t = leaning_layer();

	layer_lie.parents = "base:mid";
	ok(layer_tar("top", &t));
	layer_place("top", true);
	snprintf(path, sizeof(path), "%s/view", layer_root);
	mkdir(path, 0755);
	snprintf(options, sizeof(options), "lowerdir=%s/layers/top:%s/layers/mid:%s/layers/base", layer_root,
		 layer_root, layer_root);
	if (mount("overlay", path, "overlay", MS_RDONLY, options) < 0) {
		printf("# no overlayfs here\n");
		return;
	}
	snprintf(path, sizeof(path), "%s/view/tmp", layer_root);
	ok(stat(path, &st) == 0 && (st.st_mode & 07777) == 01777);
	snprintf(path, sizeof(path), "%s/view/usr/share/old", layer_root);
	ok(access(path, F_OK) < 0);
	snprintf(path, sizeof(path), "%s/view/gone/file", layer_root);
	ok(access(path, F_OK) < 0);
	snprintf(path, sizeof(path), "%s/view/gone/file2", layer_root);
	ok(access(path, F_OK) == 0);
	snprintf(path, sizeof(path), "%s/view/bin/third", layer_root);
	ok(stat(path, &st) == 0 && st.st_nlink == 4);
	snprintf(path, sizeof(path), "%s/view", layer_root);
	ok(umount(path) == 0);
}

int main(void)
{
	if (!layer_open())
		return printf("1..0 # SKIP needs root\n"), 0;
	make_parents();
	at_once_when_the_parents_are_known();
	by_a_merge_when_they_come_later();
	a_hard_link_to_a_directory_below();
	an_opaque_root_hides_all_names();
	a_later_entry_takes_the_place_of_what_was_lacking();
	overlayfs_agrees();
	layer_close();
	return tap_end();
}
