/* test_layer.c - ordinary layers: every kind of entry is unpacked as it was packed. */
#include <sys/sysmacros.h>
#include <unistd.h>

#include "tests/fakes/layer.h"
#include "tests/fakes/pack.h"
#include "tests/tap.h"

static void all_kinds_of_entries(void)
{
	struct buf t = { 0 };
	struct stat st;

	PACK(&t, "etc/", .type = '5', .mode = 0750, .uid = 3, .gid = 4, .mtime = 1000);
	PACK(&t, "etc/passwd", .data = "root:x:0:0\n", .mode = 0600, .mtime = 1700000001);
	PACK(&t, "etc/su", .data = "#!", .mode = 04755, .uid = 1, .gid = 2, .mtime = 5);
	PACK(&t, "etc/same", .type = '1', .link = "etc/su");
	PACK(&t, "etc/link", .type = '2', .link = "../passwd", .uid = 7, .mtime = 9);
	PACK(&t, "etc/null", .type = '3', .major = 1, .minor = 3, .mode = 0666);
	PACK(&t, "etc/disk", .type = '4', .major = 8, .minor = 300, .mode = 0660, .gid = 6);
	PACK(&t, "etc/fifo", .type = '6', .mode = 0622);
	PACK(&t, "etc/empty", .mode = 01777);
	pack_end(&t);
	ok(layer_tar("kinds", &t));
	ok(layer_says("self_contained=1 finished=1"));
	st = layer_stat("kinds", "etc");
	ok(S_ISDIR(st.st_mode) && (st.st_mode & 07777) == 0750 && st.st_uid == 3 && st.st_gid == 4 &&
	   st.st_mtime == 1000);
	st = layer_stat("kinds", "etc/passwd");
	ok(S_ISREG(st.st_mode) && (st.st_mode & 07777) == 0600 && st.st_mtime == 1700000001);
	is_str(layer_text("kinds", "etc/passwd"), "root:x:0:0\n");
	st = layer_stat("kinds", "etc/su");
	ok((st.st_mode & 07777) == 04755 && st.st_uid == 1 && st.st_gid == 2 && st.st_nlink == 2);
	ok(layer_stat("kinds", "etc/same").st_ino == st.st_ino);
	st = layer_stat("kinds", "etc/link");
	ok(S_ISLNK(st.st_mode) && st.st_uid == 7 && st.st_mtime == 9);
	is_str(layer_link("kinds", "etc/link"), "../passwd");
	st = layer_stat("kinds", "etc/null");
	ok(S_ISCHR(st.st_mode) && st.st_rdev == makedev(1, 3) && (st.st_mode & 0777) == 0666);
	st = layer_stat("kinds", "etc/disk");
	ok(S_ISBLK(st.st_mode) && st.st_rdev == makedev(8, 300) && st.st_gid == 6);
	ok(S_ISFIFO(layer_stat("kinds", "etc/fifo").st_mode));
	ok((layer_stat("kinds", "etc/empty").st_mode & 07777) == 01777);
	st = layer_stat("kinds", "");
	ok((st.st_mode & 07777) == 0755 && st.st_uid == 0);
}

static void the_root_has_an_entry_too(void)
{
	struct buf t = { 0 };
	struct stat st;

	PACK(&t, "./", .type = '5', .mode = 01711, .uid = 5, .mtime = 77);
	PACK(&t, "./a", .data = "a");
	PACK(&t, "/b", .data = "b"); /* absolute names are relative to the layer's root, as for every other runtime */
	PACK(&t, "c//./d/../e", .data = "e");
	pack_end(&t);
	ok(layer_tar("root", &t));
	st = layer_stat("root", "");
	ok((st.st_mode & 07777) == 01711 && st.st_uid == 5 && st.st_mtime == 77);
	ok(layer_has("root", "a") && layer_has("root", "b") && layer_has("root", "c/e") && !layer_has("root", "c/d"));
}

static void long_names_and_large_ids(void)
{
	char name[3 * 240] = "", target[400];
	struct buf t = { 0 };

	for (int i = 0; i < 3; i++) {
		memset(name + strlen(name), 'a' + i, 200);
		strcat(name, "/");
		PACK(&t, name, .type = '5');
	}
	memset(target, 't', sizeof(target) - 1);
	target[sizeof(target) - 1] = '\0';
	strcat(name, "file");
	PACK(&t, name, .data = "deep", .uid = 4000000000, .gid = 3000000);
	PACK(&t, "link", .type = '2', .link = target);
	pack_end(&t);
	ok(layer_tar("long", &t));
	is_str(layer_text("long", name), "deep");
	ok(layer_stat("long", name).st_uid == 4000000000 && layer_stat("long", name).st_gid == 3000000);
	is_str(layer_link("long", "link"), target);
}

static void pax_says_it_better(void)
{
	static const char cap[] = "\x01\x00\x00\x02\x00\x04\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00";
	struct buf t = { 0 };
	struct stat st;

	pack_pax(&t, "path", "bin/nfd-e\xcc\x81-\xff", -1); /* decomposed, and not UTF-8: kept */
	pack_pax(&t, "mtime", "1700000000.123456789", -1);
	pack_pax(&t, "uid", "3000000000", -1);
	pack_pax(&t, "SCHILY.xattr.user.note", "a\nb=c", -1);
	pack_pax(&t, "SCHILY.xattr.security.capability", cap, sizeof(cap) - 1);
	pack_pax(&t, "SCHILY.xattr.security.selinux", "system_u", -1);
	pack_pax(&t, "comment", "nothing", -1);
	PACK(&t, "short", .data = "x", .mode = 0755);
	pack_pax(&t, "mtime", "-1.25", -1);
	PACK(&t, "bin/old");
	pack_pax(&t, "linkpath", "bin/old", -1);
	PACK(&t, "bin/older", .type = '1', .link = "wrong");
	pack_pax(&t, "SCHILY.xattr.user.dir", "yes", -1);
	PACK(&t, "bin", .type = '5');
	pack_end(&t);
	ok(layer_tar("pax", &t));
	ok(layer_says("self_contained=1") && layer_says("xattrs_left_out=1"));
	st = layer_stat("pax", "bin/nfd-e\xcc\x81-\xff");
	ok(st.st_uid == 3000000000 && st.st_mtim.tv_sec == 1700000000 && st.st_mtim.tv_nsec == 123456789);
	is_str(layer_xattr("pax", "bin/nfd-e\xcc\x81-\xff", "user.note"), "a\nb=c");
	ok(layer_xattr("pax", "bin/nfd-e\xcc\x81-\xff", "security.capability")[0] == 1);
	is_str(layer_xattr("pax", "bin", "user.dir"), "yes");
	st = layer_stat("pax", "bin/old");
	ok(st.st_mtim.tv_sec == -2 && st.st_mtim.tv_nsec == 750000000 && st.st_nlink == 2);
}

/* What containerd takes as well: images with it are in use. */
static void odd_but_harmless(void)
{
	struct buf t = { 0 };

	PACK(&t, "", .data = "no name");
	PACK(&t, "./", .data = "a root that is a file");
	PACK(&t, "f", .data = "x");
	pack_end(&t);
	PACK(&t, "hidden", .data = "behind the end");
	buf_append(&t, "rubbish", 7);
	ok(layer_tar("behind", &t) && layer_says("self_contained=1"));
	ok(layer_has("behind", "f") && !layer_has("behind", "hidden"));
	PACK(&t, "f", .data = "x");
	ok(layer_tar("endless", &t) && layer_has("endless", "f"));
	PACK(&t, "f", .data = "x");
	memset(buf_room(&t, 512), 0, 512);
	buf_added(&t, 512);
	ok(layer_tar("half", &t) && layer_has("half", "f"));
}

/* As Docker wrote layers of AUFS. */
static void the_link_store_of_aufs(void)
{
	struct buf t = { 0 };

	PACK(&t, ".wh..wh.aufs", .data = "");
	PACK(&t, ".wh..wh.orph", .type = '5');
	PACK(&t, ".wh..wh.plnk", .type = '5');
	PACK(&t, ".wh..wh.plnk/7.8", .data = "shared", .mode = 0640);
	PACK(&t, ".wh..wh.plnk/9.9", .type = '2', .link = "/etc");
	PACK(&t, "bin/", .type = '5');
	PACK(&t, "bin/one", .type = '1', .link = ".wh..wh.plnk/7.8");
	PACK(&t, "bin/two", .type = '1', .link = "/.wh..wh.plnk/7.8");
	pack_end(&t);
	ok(layer_tar("aufs", &t) && layer_says("self_contained=1"));
	is_str(layer_text("aufs", "bin/one"), "shared");
	ok(layer_stat("aufs", "bin/two").st_nlink == 2 && (layer_stat("aufs", "bin/two").st_mode & 0777) == 0640);
	ok(!layer_has("aufs", ".wh..wh.plnk"));
	PACK(&t, ".wh..wh.plnk", .type = '2', .link = "/");
	PACK(&t, ".wh..wh.plnk/x", .data = "x");
	pack_end(&t);
	ok(layer_tar("aufs2", &t) && layer_says("self_contained=1"));
	ok(!layer_has("aufs2", "x") && !layer_has("aufs2", ".wh..wh.plnk"));
}

static bool xattr_is(const char *layer, const char *path, const char *name, const char *value, size_t size)
{
	return memcmp(layer_xattr(layer, path, name), value, size) == 0;
}

static void security_attributes(void)
{
	/* user::rwx, user 7 r--, group::r-x, mask::r-x, other::---. linux/posix_acl_xattr.h */
	static const char acl[] = "\x02\0\0\0\x01\0\x07\0\xff\xff\xff\xff\x02\0\x04\0\x07\0\0\0"
				  "\x04\0\x05\0\xff\xff\xff\xff\x10\0\x05\0\xff\xff\xff\xff\x20\0\0\0\xff\xff\xff\xff";
	static const char ima[] = "\x04\x04hash of the file";
	struct buf t = { 0 };

	pack_pax(&t, "SCHILY.xattr.system.posix_acl_access", acl, sizeof(acl) - 1);
	pack_pax(&t, "SCHILY.xattr.security.ima", ima, sizeof(ima) - 1);
	PACK(&t, "f", .data = "x", .mode = 0750);
	pack_pax(&t, "SCHILY.xattr.system.posix_acl_default", acl, sizeof(acl) - 1);
	PACK(&t, "d", .type = '5', .mode = 0750);
	pack_pax(&t, "SCHILY.xattr.security.ima", "gone", -1);
	PACK(&t, "g", .data = "x");
	PACK(&t, "g", .data = "another");
	pack_pax(&t, "SCHILY.xattr.security.ima", "no file", -1);
	PACK(&t, "l", .type = '2', .link = "f");
	pack_end(&t);
	ok(layer_tar("acl", &t) && layer_says("self_contained=1") && layer_says("xattrs_left_out=1"));
	ok(xattr_is("acl", "f", "system.posix_acl_access", acl, sizeof(acl) - 1));
	ok(xattr_is("acl", "d", "system.posix_acl_default", acl, sizeof(acl) - 1));
	ok(xattr_is("acl", "f", "security.ima", ima, sizeof(ima) - 1));
	ok(!*layer_xattr("acl", "g", "security.ima") && !*layer_xattr("acl", "l", "security.ima"));
}

static void later_entries_win(void)
{
	struct buf t = { 0 };

	PACK(&t, "a", .data = "first");
	PACK(&t, "a", .data = "second");
	PACK(&t, "d/", .type = '5');
	PACK(&t, "d/in", .data = "gone");
	PACK(&t, "d", .data = "a file now");
	PACK(&t, "e", .data = "file");
	PACK(&t, "e/", .type = '5', .mode = 0700);
	PACK(&t, "e/in", .data = "kept");
	PACK(&t, "e/", .type = '5', .mode = 0711, .mtime = 42);
	PACK(&t, "l", .type = '2', .link = "a");
	PACK(&t, "l", .data = "no link");
	PACK(&t, "a", .type = '1', .link = "a");
	pack_end(&t);
	ok(layer_tar("later", &t));
	is_str(layer_text("later", "a"), "second");
	is_str(layer_text("later", "d"), "a file now");
	is_str(layer_text("later", "e/in"), "kept");
	ok((layer_stat("later", "e").st_mode & 07777) == 0711 && layer_stat("later", "e").st_mtime == 42);
	is_str(layer_text("later", "l"), "no link");
}

static void whiteouts(void)
{
	struct buf t = { 0 };

	PACK(&t, "d/", .type = '5');
	PACK(&t, "d/.wh.gone");
	PACK(&t, "d/both", .data = "stays");
	PACK(&t, "d/.wh.both"); /* it hides files of lower layers only */
	PACK(&t, "d/.wh.anew");
	PACK(&t, "d/anew", .data = "new");
	PACK(&t, "d/.wh.dir");
	PACK(&t, "d/dir/", .type = '5');
	PACK(&t, "d/rid/", .type = '5');
	PACK(&t, "d/.wh.rid");
	PACK(&t, "o/", .type = '5', .mtime = 12);
	PACK(&t, "o/.wh..wh..opq");
	PACK(&t, "o/in", .data = "in");
	PACK(&t, ".wh..wh.plnk/", .type = '5');
	PACK(&t, ".wh..wh.plnk/1.2", .data = "aufs");
	PACK(&t, ".wh..wh.aufs");
	pack_end(&t);
	ok(layer_tar("white", &t));
	ok(layer_says("self_contained=1"));
	ok(layer_is_whiteout("white", "d/gone") && !layer_has("white", "d/.wh.gone"));
	is_str(layer_text("white", "d/both"), "stays");
	is_str(layer_text("white", "d/anew"), "new");
	is_str(layer_xattr("white", "d/dir", "trusted.overlay.opaque"), "y");
	is_str(layer_xattr("white", "d/rid", "trusted.overlay.opaque"), "y");
	is_str(layer_xattr("white", "o", "trusted.overlay.opaque"), "y");
	ok(layer_has("white", "o/in") && !layer_has("white", "o/.wh..wh..opq") &&
	   layer_stat("white", "o").st_mtime == 12);
	ok(!layer_has("white", ".wh..wh.plnk") && !layer_has("white", ".wh..wh.aufs"));
}

static void links_of_the_layer_are_followed_inside_it(void)
{
	struct buf t = { 0 };

	PACK(&t, "usr/", .type = '5');
	PACK(&t, "usr/lib/", .type = '5');
	PACK(&t, "lib", .type = '2', .link = "usr/lib");
	PACK(&t, "lib/a", .data = "a");
	PACK(&t, "abs", .type = '2', .link = "/usr/lib");
	PACK(&t, "abs/b", .data = "b");
	PACK(&t, "up", .type = '2', .link = "../../../../usr/../usr/new"); /* the target does not exist yet */
	PACK(&t, "up/c", .data = "c");
	PACK(&t, "hard", .type = '1', .link = "lib/a");
	pack_end(&t);
	ok(layer_tar("follow", &t));
	is_str(layer_text("follow", "usr/lib/a"), "a");
	is_str(layer_text("follow", "usr/lib/b"), "b");
	is_str(layer_text("follow", "usr/new/c"), "c");
	ok(layer_stat("follow", "hard").st_ino == layer_stat("follow", "usr/lib/a").st_ino);
	ok(S_ISLNK(layer_stat("follow", "lib").st_mode));
	ok(layer_says("self_contained=0")); /* usr/new was invented */
}

static void setgid_directories_do_not_leak_their_group(void)
{
	struct buf t = { 0 };

	PACK(&t, "s/", .type = '5', .mode = 02775, .gid = 50);
	PACK(&t, "s/f", .data = "f");
	PACK(&t, "s/d/", .type = '5');
	pack_end(&t);
	ok(layer_tar("setgid", &t));
	ok((layer_stat("setgid", "s").st_mode & 07777) == 02775 && layer_stat("setgid", "s/f").st_gid == 0);
	ok(layer_stat("setgid", "s/d").st_gid == 0 && (layer_stat("setgid", "s/d").st_mode & 07777) == 0755);
}

static void a_tar_may_be_empty(void)
{
	struct buf t = { 0 }, nothing = { 0 };

	pack_end(&t);
	ok(layer_tar("empty", &t));
	ok(layer_tar("nothing", &nothing));
}

int main(void)
{
	if (!layer_open())
		return printf("1..0 # SKIP needs root\n"), 0;
	all_kinds_of_entries();
	the_root_has_an_entry_too();
	long_names_and_large_ids();
	pax_says_it_better();
	odd_but_harmless();
	the_link_store_of_aufs();
	security_attributes();
	later_entries_win();
	whiteouts();
	links_of_the_layer_are_followed_inside_it();
	setgid_directories_do_not_leak_their_group();
	a_tar_may_be_empty();
	layer_close();
	return tap_end();
}
