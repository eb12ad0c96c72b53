/* test_tree.c - removing, measuring and labelling trees: any depth, no link followed, mounts entered only for
 * labels. */
#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <sched.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "images/tree.h"
#include "tests/fakes/layer.h"
#include "tests/missing.h"
#include "tests/tap.h"

static char at[256];
static struct err fault;

static const char *in_root(const char *name)
{
	snprintf(at, sizeof(at), "%s/%s", layer_root, name);
	return at;
}

static bool remove_tree(const char *name)
{
	char path[256];
	const char *argv[] = { "remove", path, NULL };

	snprintf(path, sizeof(path), "%s/%s", layer_root, name);
	return layer_tree_job(argv);
}

static bool is_gone(const char *name)
{
	return access(in_root(name), F_OK) < 0 && errno == ENOENT;
}

static void put(const char *path, size_t n)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	static char block[4096];

	for (; n > 0; n -= sizeof(block))
		if (write(fd, block, sizeof(block)) < 0)
			abort();
	close(fd);
}

static void deeper_than_any_path(void)
{
	int root = open(layer_root, O_RDONLY | O_DIRECTORY | O_CLOEXEC), fd = root;
	char name[64];

	memset(name, 'd', sizeof(name) - 1);
	name[sizeof(name) - 1] = '\0';
	mkdirat(fd, "deep", 0700);
	fd = openat(fd, "deep", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	for (int i = 0; i < 3000; i++) {
		int next;

		mkdirat(fd, name, 0700);
		mkdirat(fd, "side", 0);
		next = openat(fd, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		close(fd);
		fd = next;
	}
	close(fd);
	close(root);
	{
		const char *argv[] = { "usage", in_root("deep"), NULL };

		ok(layer_tree_job(argv) && layer_says(" inodes=6001 "));
	}
	ok(remove_tree("deep") && is_gone("deep"));
}

static void links_are_removed_not_followed(void)
{
	char outside[256];

	mkdir(in_root("outside"), 0755);
	put(in_root("outside/precious"), 4096);
	snprintf(outside, sizeof(outside), "%s/outside", layer_root);
	mkdir(in_root("tree"), 0755);
	ok(symlink(outside, in_root("tree/link")) == 0);
	ok(symlink("../outside/precious", in_root("tree/file")) == 0);
	ok(remove_tree("tree") && is_gone("tree"));
	ok(access(in_root("outside/precious"), F_OK) == 0);
	ok(symlink(outside, in_root("link")) == 0);
	ok(remove_tree("link") && is_gone("link") && access(in_root("outside/precious"), F_OK) == 0);
	ok(remove_tree("outside/precious") && remove_tree("outside") && is_gone("outside"));
	ok(remove_tree("never/was") && remove_tree("never"));
}

static void a_mount_inside_is_reported_and_spared(void)
{
	mkdir(in_root("tree"), 0755);
	mkdir(in_root("tree/mnt"), 0755);
	mkdir(in_root("tree/other"), 0755);
	ok(mount("tmpfs", in_root("tree/mnt"), "tmpfs", 0, NULL) == 0);
	put(in_root("tree/mnt/precious"), 4096);
	ok(!remove_tree("tree") && layer_says("error INTERNAL") && layer_says("\"mnt\""));
	ok(access(in_root("tree/mnt/precious"), F_OK) == 0 && is_gone("tree/other"));
	ok(umount(in_root("tree/mnt")) == 0);
	ok(remove_tree("tree") && is_gone("tree"));
}

static bool set_flags(const char *path, int flags)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC), all = 0, r = ioctl(fd, FS_IOC_GETFLAGS, &all);

	all |= flags;
	r = r < 0 ? r : ioctl(fd, FS_IOC_SETFLAGS, &all);
	close(fd);
	return r == 0;
}

static void immutable_things_go_too(void)
{
	mkdir(in_root("tree"), 0755);
	mkdir(in_root("tree/d"), 0);
	put(in_root("tree/d/file"), 4096);
	put(in_root("tree/d/log"), 4096);
	if (!set_flags(in_root("tree/d/file"), FS_IMMUTABLE_FL)) {
		printf("# no flags on this file system\n");
	} else {
		ok(set_flags(in_root("tree/d/log"), FS_APPEND_FL) && set_flags(in_root("tree/d"), FS_IMMUTABLE_FL));
	}
	ok(remove_tree("tree") && is_gone("tree"));
}

static void usage_counts_each_inode_once(void)
{
	const char *argv[] = { "usage", NULL, NULL };
	char one[256], two[256];

	mkdir(in_root("tree"), 0755);
	put(in_root("tree/a"), 1 << 20);
	snprintf(one, sizeof(one), "%s/tree/a", layer_root);
	snprintf(two, sizeof(two), "%s/tree/b", layer_root);
	ok(link(one, two) == 0);
	put(in_root("tree/c"), 8192);
	argv[1] = in_root("tree");
	ok(layer_tree_job(argv) && layer_says("inodes=3 "));
	ok(strtoull(layer_answer + strlen("ok bytes="), NULL, 10) / 65536 == (1 << 20) / 65536);
	ok(remove_tree("tree"));
	argv[1] = in_root("nothing");
	ok(!layer_tree_job(argv) && layer_says("error INTERNAL measure"));
}

/* ---- labels ---- */

#define LABEL "a_u:object_r:b_t:s0:c1,c2"

static const char *label_of(const char *name)
{
	static char label[300];
	ssize_t n = lgetxattr(in_root(name), "security.selinux", label, sizeof(label) - 1);

	label[n < 0 ? 0 : n] = '\0';
	return label;
}

static int label(const char *name)
{
	char path[256];

	snprintf(path, sizeof(path), "%s/%s", layer_root, name);
	return tree_label(path, LABEL, &fault);
}

static void a_tree_and_what_is_mounted_in_it_is_labelled(void)
{
	struct stat before, after;

	mkdir(in_root("outside"), 0755);
	put(in_root("outside/precious"), 0);
	mkdir(in_root("tree"), 0755);
	if (setxattr(in_root("tree"), "security.selinux", "old", 4, 0) < 0) {
		printf("# no labels here: %s\n", strerror(errno));
		ok(remove_tree("tree") && remove_tree("outside"));
		return;
	}
	mkdir(in_root("tree/sub"), 0755);
	mkdir(in_root("tree/mnt"), 0755);
	put(in_root("tree/sub/file"), 0);
	ok(mkfifo(in_root("tree/sub/fifo"), 0600) == 0);
	ok(symlink("../outside", in_root("tree/link")) == 0);
	ok(mount("tmpfs", in_root("tree/mnt"), "tmpfs", 0, NULL) == 0);
	put(in_root("tree/mnt/file"), 0);
	ok(label("tree") == 0);
	for (const char *const *p = (const char *const[]){ "tree", "tree/sub", "tree/sub/file", "tree/sub/fifo",
							   "tree/link", "tree/mnt", "tree/mnt/file", NULL }; *p; p++)
		is_str(label_of(*p), LABEL);
	is_str(label_of("outside"), "");
	is_str(label_of("outside/precious"), "");
	stat(in_root("tree/sub/file"), &before);
	ok(label("tree") == 0 && stat(in_root("tree/sub/file"), &after) == 0);
	ok(before.st_ctim.tv_sec == after.st_ctim.tv_sec && before.st_ctim.tv_nsec == after.st_ctim.tv_nsec);
	ok(umount(in_root("tree/mnt")) == 0);
	ok(label("tree/sub/file") == 0 && label("tree/link") == 0);
	is_str(label_of("outside"), "");
	ok(remove_tree("tree") && remove_tree("outside"));
}

static void labels_where_there_are_none(void)
{
	ok(tree_label("/proc/self/fdinfo", LABEL, &fault) == 0); /* a file system without labels */
	ok(label("nothing") < 0 && fault.code == ERR_INTERNAL && strstr(fault.msg, "walk "));
	ok(tree_label("relative", LABEL, &fault) < 0 && tree_label("/", LABEL, &fault) < 0);
}

static void labelling_is_a_job_too(void)
{
	const char *path = missing("below/tree"), *argv[] = { "label", LABEL, path, NULL };
	char want[700];

	snprintf(want, sizeof(want), "error INTERNAL relabel %s: open %.*s: No such file", path,
		 (int)(strrchr(path, '/') - path), path);
	ok(!layer_tree_job(argv) && layer_says(want));
}

static void sync_is_a_job_too(void)
{
	const char *argv[] = { "sync", layer_root, NULL };
	const char *path = missing("tree"), *bad[] = { "sync", path, NULL };
	char want[400];

	snprintf(want, sizeof(want), "error INTERNAL sync %s: No such file", path);
	ok(layer_tree_job(argv));
	ok(!layer_tree_job(bad) && layer_says(want));
}

int main(void)
{
	if (!layer_open())
		return printf("1..0 # SKIP needs root\n"), 0;
	if (unshare(CLONE_NEWNS) < 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
		return printf("1..0 # SKIP needs a mount namespace\n"), 0;
	deeper_than_any_path();
	links_are_removed_not_followed();
	a_mount_inside_is_reported_and_spared();
	immutable_things_go_too();
	usage_counts_each_inode_once();
	sync_is_a_job_too();
	a_tree_and_what_is_mounted_in_it_is_labelled();
	labels_where_there_are_none();
	labelling_is_a_job_too();
	layer_close();
	return tap_end();
}
