/* test_snapshot.c - container root file systems, mounted for real in a mount namespace of the test's own, both ways. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sched.h>
#include <stdlib.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <sys/wait.h>
#include <unistd.h>

#include "images/config.h"
#include "images/overlay.h"
#include "images/snapshot.h"
#include "images/store.h"
#include "reactor/arena.h"
#include "reactor/fault.h"
#include "reactor/loop.h"
#include "reactor/own.h"
#include "tests/fakes/clock.h"
#include "tests/fakes/disk.h"
#include "tests/fakes/unpack.h"
#include "tests/tap.h"

static char root[PATH_MAX];
static struct arena *arena;
static struct err fault;
static const char *target;

static const char *below(const char *path)
{
	return arena_printf(arena, "%s/%s", root, path);
}

static void put(const char *path, const char *text)
{
	FILE *f = own_must(fopen(path, "w"));

	fputs(text, f);
	fclose(f);
}

static const char *content(const char *path)
{
	char text[64] = "";
	FILE *f = fopen(path, "r");

	if (!f || !fgets(text, sizeof(text), f))
		snprintf(text, sizeof(text), "(nothing)");
	if (f)
		fclose(f);
	return arena_strdup(arena, text);
}

static bool exists(const char *path)
{
	return access(path, F_OK) == 0;
}

/* n layers, each with one file that only it has, and with its name in the file `top`. */
static struct strings layers(size_t n)
{
	struct strings s = { arena_zalloc(arena, n * sizeof(*s.at)), n };

	for (size_t i = 0; i < n; i++) {
		s.at[i] = arena_printf(arena, "12345678-%011zu", i); /* 20 bytes: the longest name */
		mkdir(below(arena_printf(arena, "layers/%s", s.at[i])), 0755);
		put(below(arena_printf(arena, "layers/%s/own%zu", s.at[i], i)), "x");
		put(below(arena_printf(arena, "layers/%s/top", s.at[i])), s.at[i]);
	}
	return s;
}

static const char *in_target(const char *name)
{
	return arena_printf(arena, "%s/%s", target, name);
}

static int prepare_and_mount(const char *id, size_t n)
{
	struct strings s = layers(n);

	return snapshot_prepare(id, &s, &fault) < 0 ? -1 : snapshot_mount(id, -1, "", target, &fault);
}

static void unmounted_and_removed(const char *id)
{
	ok(snapshot_unmount(target, &fault) == 0);
	ok(snapshot_remove(id, &fault) == 0);
	ok(!snapshot_exists(id) && !exists(below(arena_printf(arena, "snapshots/%s", id))) &&
		!exists(below(arena_printf(arena, "snapshots/%s.json", id))));
}

static void the_layers_show_and_writes_go_up(void)
{
	ok(prepare_and_mount("c1", 3) == 0);
	is_str(content(in_target("top")), "12345678-00000000002");
	ok(exists(in_target("own0")) && exists(in_target("own2")));
	put(in_target("top"), "mine");
	put(in_target("new"), "y");
	ok(unlink(in_target("own0")) == 0);
	is_str(content(below("snapshots/c1/fs/new")), "y");
	is_str(content(below("layers/12345678-00000000002/top")), "12345678-00000000002");
	ok(exists(below("layers/12345678-00000000000/own0")));
	ok(snapshot_unmount(target, &fault) == 0);
	ok(snapshot_mount("c1", -1, "", target, &fault) == 0); /* volatile, and still mountable again */
	is_str(content(in_target("top")), "mine");
	ok(!exists(in_target("own0")));
	unmounted_and_removed("c1");
}

/* A user namespace with 0 as 70000, of a child that waits for the end of its stdin. */
static int make_userns(pid_t *pid)
{
	int ends[2], go[2], fd;
	char c;

	if (pipe(ends) < 0 || pipe(go) < 0)
		return -1;
	*pid = fork();
	if (*pid == 0) {
		close(ends[1]);
		if (unshare(CLONE_NEWUSER) < 0 || write(go[1], "", 1) != 1)
			_exit(1);
		_exit(read(ends[0], &c, 1) != 0);
	}
	close(ends[0]);
	ok(read(go[0], &c, 1) == 1);
	put(arena_printf(arena, "/proc/%d/uid_map", (int)*pid), "0 70000 1000");
	put(arena_printf(arena, "/proc/%d/gid_map", (int)*pid), "0 80000 1000");
	fd = open(arena_printf(arena, "/proc/%d/ns/user", (int)*pid), O_RDONLY);
	close(ends[1]);
	close(go[0]);
	close(go[1]);
	waitpid(*pid, NULL, 0);
	return fd;
}

static bool owned(const char *path, uid_t uid, gid_t gid)
{
	struct stat st;

	return lstat(path, &st) == 0 && st.st_uid == uid && st.st_gid == gid;
}

static void owners_are_shifted_for_a_user_namespace(void)
{
	struct strings s = layers(3), one = layers(1), none = { 0 };
	pid_t pid;
	int userns = make_userns(&pid);

	ok(snapshot_probe_userns(userns, &fault) == 0);
	ok(chown(below("layers/12345678-00000000001/own1"), 7, 8) == 0);
	ok(chown(below("layers/12345678-00000000000/own0"), 5000, 5000) == 0);
	ok(snapshot_prepare("u1", &s, &fault) == 0 && snapshot_mount("u1", userns, "", target, &fault) == 0);
	ok(owned(target, 70000, 80000) && owned(in_target("top"), 70000, 80000) &&
	   owned(in_target("own1"), 70007, 80008));
	ok(owned(in_target("own0"), 65534, 65534)); /* an id that the namespace does not have */
	put(in_target("top"), "copied up");
	ok(owned(in_target("top"), 70000, 80000) && owned(below("snapshots/u1/fs/top"), 70000, 80000));
	ok(owned(below("layers/12345678-00000000002/top"), 0, 0));
	unmounted_and_removed("u1");
	ok(snapshot_prepare("u2", &none, &fault) == 0 && snapshot_mount("u2", userns, "", target, &fault) == 0);
	ok(owned(target, 70000, 80000));
	unmounted_and_removed("u2");
	ok(snapshot_mount_readonly(&one, userns, "", target, &fault) == 0 && owned(in_target("top"), 70000, 80000));
	ok(open(in_target("new"), O_WRONLY | O_CREAT, 0600) < 0 && errno == EROFS);
	ok(snapshot_unmount(target, &fault) == 0);
	ok(snapshot_mount_readonly(&s, userns, "", target, &fault) == 0 && owned(in_target("own1"), 70007, 80008));
	ok(snapshot_unmount(target, &fault) == 0);
	close(userns);
	userns = open("/proc/self/ns/user", O_RDONLY); /* no namespace to shift into */
	ok(snapshot_probe_userns(userns, &fault) < 0 && fault.code == ERR_INTERNAL);
	close(userns);
}

static void one_layer_and_none(void)
{
	ok(prepare_and_mount("c2", 1) == 0);
	is_str(content(in_target("top")), "12345678-00000000000");
	unmounted_and_removed("c2");
	ok(prepare_and_mount("c3", 0) == 0);
	put(in_target("new"), "y");
	is_str(content(in_target("new")), "y");
	unmounted_and_removed("c3");
}

static void as_many_as_docker_makes(void)
{
	ok(prepare_and_mount("c4", 127) == 0);
	is_str(content(in_target("top")), "12345678-00000000126");
	ok(exists(in_target("own0")) && exists(in_target("own63")) && exists(in_target("own126")));
	unmounted_and_removed("c4");
}

static void mistakes_are_told(void)
{
	struct strings none = { 0 }, lost = { (const char *[]){ "nowhere" }, 1 };

	ok(snapshot_prepare("../x", &none, &fault) < 0 && fault.code == ERR_INVALID_ARGUMENT);
	ok(snapshot_prepare("", &none, &fault) < 0);
	ok(snapshot_prepare("lost", &lost, &fault) < 0 && strstr(fault.msg, "nowhere") && !snapshot_exists("lost"));
	ok(snapshot_mount("unknown", -1, "", target, &fault) < 0 && fault.code == ERR_INTERNAL);
	ok(prepare_and_mount("c5", 1) == 0);
	ok(snapshot_prepare("c5", &none, &fault) < 0 && fault.code == ERR_ALREADY_EXISTS);
	ok(snapshot_mount("c5", -1, "", target, &fault) < 0 && strstr(fault.msg, "is a mount already"));
	unmounted_and_removed("c5");
	ok(snapshot_unmount(target, &fault) == 0 && snapshot_unmount(below("nothing"), &fault) == 0);
	ok(snapshot_remove("unknown", &fault) == 0);
	ok(snapshot_prepare("c6", &none, &fault) == 0 && snapshot_mount("c6", -1, "", below("nothing"), &fault) < 0);
	ok(strstr(fault.msg, "mount snapshot c6: "));
	ok(snapshot_remove("c6", &fault) == 0);
}

static void an_image_volume(void)
{
	struct strings s = layers(3), one = layers(1), none = { 0 };

	ok(snapshot_mount_readonly(&s, -1, "", target, &fault) == 0);
	is_str(content(in_target("top")), "12345678-00000000002");
	ok(open(in_target("new"), O_CREAT | O_WRONLY, 0600) < 0 && errno == EROFS);
	ok(snapshot_mount_readonly(&s, -1, "", target, &fault) < 0);
	ok(snapshot_unmount(target, &fault) == 0);
	ok(snapshot_mount_readonly(&one, -1, "", target, &fault) == 0);
	is_str(content(in_target("top")), "12345678-00000000000");
	ok(open(in_target("top"), O_WRONLY) < 0 && errno == EROFS);
	ok(snapshot_unmount(target, &fault) == 0);
	ok(snapshot_mount_readonly(&none, -1, "", target, &fault) == 0 && !exists(in_target("top")));
	ok(snapshot_unmount(target, &fault) == 0);
}

static void note_last_layer(void *arg, const struct strings *layers)
{
	if (layers->n == 3)
		*(bool *)arg = strcmp(layers->at[2], "12345678-00000000002") == 0;
}

static void note_most_layers(void *arg, const struct strings *layers)
{
	size_t *most = arg;

	*most = layers->n > *most ? layers->n : *most;
}

static void layers_of_image_volumes_are_in_use(void)
{
	struct strings one = layers(1), three = layers(3);
	bool used = false;
	size_t most = 0;

	ok(snapshot_prepare("borrows", &one, &fault) == 0);
	snapshot_each_layers(note_last_layer, &used);
	ok(!used && snapshot_borrow("borrows", &three, &fault) == 0);
	for (int i = 0; i < 100; i++) /* one image, mounted at many paths */
		ok(snapshot_borrow("borrows", &three, &fault) == 0);
	snapshot_each_layers(note_most_layers, &most);
	ok(most == 3);
	snapshot_each_layers(note_last_layer, &used);
	ok(used);
	used = false;
	ok(snapshot_open(root, &fault) == 0); /* as after a restart */
	snapshot_each_layers(note_last_layer, &used);
	ok(used && snapshot_borrow("nobody", &three, &fault) < 0);
	ok(snapshot_remove("borrows", &fault) == 0);
}

static void the_root_directory_is_the_images(void)
{
	struct strings s = layers(2);
	struct stat st;

	chmod(below("layers/12345678-00000000001"), 0711);
	ok(chown(below("layers/12345678-00000000001"), 12, 34) == 0);
	ok(prepare_and_mount("c7", 2) == 0 && s.n == 2);
	ok(stat(target, &st) == 0 && (st.st_mode & 07777) == 0711 && st.st_uid == 12 && st.st_gid == 34);
	unmounted_and_removed("c7");
}

static void usage_is_measured_at_most_every_ten_seconds(void)
{
	struct strings none = { 0 };
	uint64_t bytes, inodes;
	int64_t at;

	ok(snapshot_prepare("u1", &none, &fault) == 0 && snapshot_prepare("u2", &none, &fault) == 0);
	snapshot_usage("u1", &bytes, &inodes, &at);
	ok(bytes == 0 && at == 0);
	snapshot_usage("u2", &bytes, &inodes, &at);
	ok(snapshot_remove("u1", &fault) == 0); /* it was being measured; the next one is measured then */
	clock_run();
	snapshot_usage("u2", &bytes, &inodes, &at);
	ok(bytes == 4096 && inodes == 7 && at > 0);
	clock_advance(9000);
	snapshot_usage("u2", &bytes, &inodes, &at);
	ok(at == loop_real_ns() - INT64_C(9000000000));
	clock_advance(1000);
	snapshot_usage("u2", &bytes, &inodes, &at);
	clock_run();
	snapshot_usage("u2", &bytes, &inodes, &at);
	ok(at == loop_real_ns());
	snapshot_usage("nobody", &bytes, &inodes, &at);
	ok(bytes == 0 && at == 0);
	ok(snapshot_remove("u2", &fault) == 0);
}

static void count(void *arg, const char *id)
{
	(void)id;
	++*(int *)arg;
}

static void find_first_layer(void *arg, const struct strings *layers)
{
	*(bool *)arg |= layers->n > 0 && strcmp(layers->at[0], "12345678-00000000000") == 0;
}

static bool first_layer_is_used(void)
{
	bool used = false;

	snapshot_each_layers(find_first_layer, &used);
	return used;
}

static void after_a_restart(void)
{
	struct strings s = layers(2);
	int n = 0;

	ok(snapshot_prepare("r1", &s, &fault) == 0 && snapshot_prepare("r2", &s, &fault) == 0);
	ok(system(arena_printf(arena, "rm -rf %s", below("snapshots/r2"))) == 0);
	ok(snapshot_open(root, &fault) == 0);
	snapshot_each(count, &n);
	ok(n == 1 && snapshot_exists("r1") && !snapshot_exists("r2"));
	disk_fails("snapshots/r1.json", EIO, 0); /* no damage */
	ok(snapshot_open(root, &fault) == 0 && snapshot_any_lost());
	ok(exists(below("snapshots/r1.json")) && exists(below("snapshots/r1")));
	disk_fails("snapshots/r1$", EIO, 0);
	ok(snapshot_open(root, &fault) == 0 && snapshot_exists("r1") && !snapshot_any_lost());
	disk_fails("", 0, 0);
	ok(first_layer_is_used());
	ok(snapshot_mount("r1", -1, "", target, &fault) == 0);
	unmounted_and_removed("r1");
	ok(!first_layer_is_used());
}

/* The directory cannot be renamed away: the record stays, so that the next start knows whose the directory is. */
static void a_directory_that_stays_has_its_record(void)
{
	char faults[PATH_MAX], point[PATH_MAX + 64];
	struct strings s = layers(2);
	FILE *order;

	snprintf(faults, sizeof(faults), "%s", below("faults"));
	ok(mkdir(faults, 0700) == 0 && setenv("CRISP_FAULTS", faults, 1) == 0 && fault_open("test", &fault) == 0);
	ok(snapshot_prepare("d1", &s, &fault) == 0);
	snprintf(point, sizeof(point), "%s/test.discard.discard.rename.before", faults);
	order = fopen(point, "we");
	ok(order && fputs("1 err EIO\n", order) >= 0 && fclose(order) == 0);
	ok(snapshot_remove("d1", &fault) < 0 && strstr(fault.msg, "remove snapshot d1"));
	ok(snapshot_exists("d1") && exists(below("snapshots/d1")) && exists(below("snapshots/d1.json")));
	ok(snapshot_open(root, &fault) == 0 && snapshot_exists("d1"));
	ok(snapshot_remove("d1", &fault) == 0);
	ok(!exists(below("snapshots/d1")) && !exists(below("snapshots/d1.json")));
}

static void more_than_a_page_holds(void)
{
	overlay_force(OVERLAY_MOUNT);
	ok(prepare_and_mount("c8", 250) < 0 && strstr(fault.msg, "do not fit into the one page"));
	ok(snapshot_remove("c8", &fault) == 0);
	overlay_force(OVERLAY_FSOPEN);
	ok(prepare_and_mount("c9", 499) == 0);
	is_str(content(in_target("top")), "12345678-00000000498");
	unmounted_and_removed("c9");
}

static void both_ways(void (*story)(void))
{
	enum overlay_way found = overlay_way();

	story();
	overlay_force(OVERLAY_MOUNT);
	story();
	overlay_force(found);
}

/* A mount namespace for the test: its mounts end with the process. */
static bool own_world(void)
{
	snprintf(root, sizeof(root), "/tmp/test_snapshot.XXXXXX");
	if (geteuid() != 0 || unshare(CLONE_NEWNS) < 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
		return false;
	return mkdtemp(root) && mount("tmpfs", root, "tmpfs", 0, NULL) == 0;
}

static void opened(void)
{
	struct images_config *cfg = arena_zalloc(arena, sizeof(*cfg));

	*cfg = (struct images_config){ .root = root, .registry_config_path = "", .min_free = "0" };
	images_configure(cfg);
	ok(store_open(&fault) == 0);
	ok(snapshot_open(root, &fault) == 0);
	ok(snapshot_is_open() && !exists(below("overlay-probe")));
	target = below("mnt");
	mkdir(target, 0755);
}

int main(void)
{
	char world[PATH_MAX];

	if (!own_world()) {
		printf("1..0 # SKIP needs root and a mount namespace\n");
		return 0;
	}
	arena = arena_new();
	snprintf(world, sizeof(world), "%s", root);
	snprintf(root + strlen(root), sizeof(root) - strlen(root), "/%0200d", 0);
	mkdir(root, 0755);
	opened();
	both_ways(the_layers_show_and_writes_go_up);
	both_ways(owners_are_shifted_for_a_user_namespace);
	both_ways(one_layer_and_none);
	both_ways(as_many_as_docker_makes);
	both_ways(an_image_volume);
	layers_of_image_volumes_are_in_use();
	mistakes_are_told();
	the_root_directory_is_the_images();
	usage_is_measured_at_most_every_ten_seconds();
	after_a_restart();
	a_directory_that_stays_has_its_record();
	if (overlay_way() == OVERLAY_FSOPEN)
		more_than_a_page_holds();
	umount2(world, MNT_DETACH);
	ok(rmdir(world) == 0);
	arena_free(arena);
	return tap_end();
}
