/* test_sandbox_files.c - the files of a sandbox in a real directory; as root also its tmpfs, in a mount namespace of
 * the test. */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdlib.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "procs/sandbox_files.h"
#include "reactor/own.h"
#include "tests/tap.h"

static char top[] = "/tmp/test-sandbox-files-XXXXXX";
static struct arena *arena;
static struct sandbox s;
static struct sandbox_files files;
static bool mounts; /* the test may mount */

static const char *at(const char *name)
{
	return arena_printf(arena, "%s/%s", strcmp(name, "shm") == 0 ? s.dir : sandbox_files_dir(&s), name);
}

static const char *text_of(const char *path)
{
	static char text[4096];
	auto_fd int fd = open(path, O_RDONLY);
	ssize_t n = fd < 0 ? -1 : read(fd, text, sizeof(text) - 1);

	text[n < 0 ? 0 : n] = '\0';
	return n < 0 ? "(cannot be read)" : text;
}

static void put(const char *path, const char *text)
{
	FILE *f = fopen(path, "w");

	fputs(text, f);
	fclose(f);
}

static void fresh(void)
{
	auto_json json_t *nothing = json_object();
	struct err e;

	fields_from_json(sandbox_config_fields, &s.config, nothing, arena, &e);
	s.config.security.ns.ipc = mounts ? NS_POD : NS_NODE;
	s.process_label = s.mount_label = s.netns_path = "";
	s.dir = arena_printf(arena, "%s/sandboxes/one", top);
	s.files = arena_printf(arena, "%s/sandbox-files/one", top);
	files = (struct sandbox_files){ .hostname = "web-0", .hosts = arena_printf(arena, "%s/hosts", top),
		.resolv_conf = arena_printf(arena, "%s/resolv.conf", top) };
}

static int make_all(const struct sandbox *of, const struct sandbox_files *f, struct err *e)
{
	struct sandbox_files with = *f;
	int ret;

	with.lookup = lookup_new("test");
	sandbox_files_look(with.lookup, of, f->hosts, f->resolv_conf);
	ret = sandbox_files_begin(of, e) < 0 ? -1 : sandbox_files_make(of, &with, e);
	lookup_free(with.lookup);
	return ret;
}

static void the_nodes_files_are_copied(void)
{
	struct err e;
	struct stat st;

	fresh();
	put(files.hosts, "127.0.0.1 localhost\n");
	put(files.resolv_conf, "nameserver 192.0.2.1\n");
	umask(077);
	ok(make_all(&s, &files, &e) == 0);
	umask(022);
	is_str(text_of(at("hostname")), "web-0\n");
	is_str(text_of(at("hosts")), "127.0.0.1 localhost\n");
	is_str(text_of(at("resolv.conf")), "nameserver 192.0.2.1\n");
	ok(stat(at("hosts"), &st) == 0 && (st.st_mode & 0777) == 0644);
	ok(stat(s.dir, &st) == 0 && (st.st_mode & 07777) == 0700);
	ok(chmod(s.dir, 0711) == 0 && sandbox_files_close(&s, &e) == 0);
	ok(stat(s.dir, &st) == 0 && (st.st_mode & 07777) == 0700);
	ok(sandbox_files_remove(&s, &e) == 0);
	ok(access(s.dir, F_OK) < 0 && errno == ENOENT);
	ok(sandbox_files_remove(&s, &e) == 0); /* a second removal is no error */
	unlink(files.hosts);
	unlink(files.resolv_conf);
}

static void a_node_without_them_gives_empty_ones(void)
{
	struct err e;

	fresh();
	ok(make_all(&s, &files, &e) == 0);
	is_str(text_of(at("hosts")), "");
	is_str(text_of(at("resolv.conf")), "");
	ok(sandbox_files_remove(&s, &e) == 0);
}

static void dns_config_wins_also_when_it_is_empty(void)
{
	const char *servers[] = { "10.0.0.10", "fd00::a" }, *searches[] = { "ns.svc", "svc" },
		   *options[] = { "ndots:5", "edns0" };
	struct err e;

	fresh();
	put(files.resolv_conf, "nameserver 192.0.2.1\n");
	s.config.dns = (struct dns_config){
		.set = true, .servers = { servers, 2 }, .searches = { searches, 2 }, .options = { options, 2 }
	};
	ok(make_all(&s, &files, &e) == 0);
	is_str(text_of(at("resolv.conf")),
	       "search ns.svc svc\nnameserver 10.0.0.10\nnameserver fd00::a\noptions ndots:5 edns0\n");
	ok(sandbox_files_remove(&s, &e) == 0);
	s.config.dns = (struct dns_config){ .set = true };
	ok(make_all(&s, &files, &e) == 0);
	is_str(text_of(at("resolv.conf")), "");
	ok(sandbox_files_remove(&s, &e) == 0);
	s.config.dns = (struct dns_config){ .set = false };
	ok(make_all(&s, &files, &e) == 0);
	is_str(text_of(at("resolv.conf")), "nameserver 192.0.2.1\n");
	ok(sandbox_files_remove(&s, &e) == 0);
	unlink(files.resolv_conf);
}

static void the_pin_is_found_by_a_link(void)
{
	struct err e;

	fresh();
	is_str(sandbox_files_pin(s.dir, arena), "");
	s.netns_path = "/run/netns/crisp-one";
	ok(make_all(&s, &files, &e) == 0);
	is_str(sandbox_files_pin(s.dir, arena), "/run/netns/crisp-one");
	ok(sandbox_files_remove(&s, &e) == 0 && access(s.dir, F_OK) < 0);
	is_str(sandbox_files_pin(s.dir, arena), "");
}

/* Another program's file is in the directory. */
static void what_cannot_be_removed_is_told(void)
{
	struct err e;

	fresh();
	ok(make_all(&s, &files, &e) == 0);
	put(arena_printf(arena, "%s/foreign", s.dir), "");
	ok(sandbox_files_remove(&s, &e) < 0 && e.code == ERR_INTERNAL && strstr(e.msg, s.dir));
	unlink(arena_printf(arena, "%s/foreign", s.dir));
	ok(sandbox_files_remove(&s, &e) == 0 && access(s.dir, F_OK) < 0);
}

/* A bind mount of the directory of shm upon itself: one umount would take the upper copy only. */
static void stacked_mounts_of_shm(void)
{
	struct err e;

	if (!mounts)
		return;
	fresh();
	ok(make_all(&s, &files, &e) == 0);
	ok(mount(at("shm"), at("shm"), NULL, MS_BIND, NULL) == 0);
	ok(sandbox_files_remove(&s, &e) == 0 && access(s.dir, F_OK) < 0);
}

static void shm_is_a_tmpfs_of_64_mib(void)
{
	struct statvfs fs;
	struct stat st;
	struct err e;

	if (!mounts)
		return;
	fresh();
	ok(make_all(&s, &files, &e) == 0);
	ok(statvfs(at("shm"), &fs) == 0 && fs.f_blocks * fs.f_frsize == 64 << 20);
	ok((fs.f_flag & (ST_NOEXEC | ST_NOSUID | ST_NODEV)) == (ST_NOEXEC | ST_NOSUID | ST_NODEV));
	ok(stat(at("shm"), &st) == 0 && (st.st_mode & 07777) == 01777);
	ok(sandbox_files_remove(&s, &e) == 0);
	ok(access(s.dir, F_OK) < 0);
	s.config.security.ns.ipc = NS_NODE;
	ok(make_all(&s, &files, &e) == 0 && access(at("shm"), F_OK) < 0);
	ok(sandbox_files_remove(&s, &e) == 0);
}

static void what_is_no_file_is_an_error_that_names_it(void)
{
	struct err e;

	fresh();
	files.resolv_conf = top;
	ok(make_all(&s, &files, &e) < 0 && e.code == ERR_INTERNAL && strstr(e.msg, "test-sandbox-files") &&
	   strstr(e.msg, "regular file"));
	ok(sandbox_files_remove(&s, &e) == 0);
	s.dir = "/proc/nowhere/one";
	ok(make_all(&s, &files, &e) < 0 && strstr(e.msg, "make /proc/nowhere"));
	ok(sandbox_files_remove(&s, &e) == 0);
}

/* A record of an earlier version names no directory for them: they are where shm is. */
static void an_older_sandbox_has_them_beside_shm(void)
{
	struct err e;

	fresh();
	s.files = "";
	ok(make_all(&s, &files, &e) == 0);
	ok(access(arena_printf(arena, "%s/hostname", s.dir), F_OK) == 0);
	ok(access(arena_printf(arena, "%s/sandbox-files/one", top), F_OK) < 0);
	ok(sandbox_files_remove(&s, &e) == 0);
	ok(access(s.dir, F_OK) < 0);
}

static const char *discarded = "";

static int discard_it(const char *path, struct err *e)
{
	(void)e;
	discarded = path;
	return 0;
}

static void large_files_are_discarded(void)
{
	auto_free char *bytes = own_must(calloc(1, 2 << 20));
	int fd;
	struct err e;

	fresh();
	ok(make_all(&s, &files, &e) == 0);
	fd = open(at("hosts"), O_WRONLY);
	ok(fd >= 0 && write(fd, bytes, 2 << 20) == 2 << 20 && close(fd) == 0);
	sandbox_files_open(discard_it);
	ok(sandbox_files_remove(&s, &e) == 0);
	is_str(discarded, s.files);
	ok(access(s.dir, F_OK) < 0 && access(s.files, F_OK) == 0);
	sandbox_files_open(NULL);
	ok(sandbox_files_remove(&s, &e) == 0);
	ok(access(s.files, F_OK) < 0);
}

/* Of three containers the oldest one that runs has the bytes. */
static void their_bytes_are_counted_once(void)
{
	struct container of[3] = { { .state = CONTAINER_RUNNING, .created_at_ns = 9 },
		{ .state = CONTAINER_RUNNING, .created_at_ns = 8 }, { .created_at_ns = 7 } };
	struct err e;

	fresh();
	ok(make_all(&s, &files, &e) == 0);
	list_init(&s.containers);
	for (size_t i = 0; i < 3; i++) {
		of[i].sandbox = &s;
		list_append(&s.containers, &of[i].of_sandbox);
	}
	ok(sandbox_files_share(&of[0]) == 0 && of[2].state != CONTAINER_RUNNING && sandbox_files_share(&of[2]) == 0);
	ok(sandbox_files_share(&of[1]) >= 512 && sandbox_files_share(&of[1]) <= 3 * 65536);
	of[1].state = CONTAINER_EXITED;
	ok(sandbox_files_share(&of[1]) == 0 && sandbox_files_share(&of[0]) >= 512);
	ok(sandbox_files_remove(&s, &e) == 0);
}

static const char *label_of(const char *name)
{
	static char label[100];
	ssize_t n = getxattr(at(name), "security.selinux", label, sizeof(label) - 1);

	label[n < 0 ? 0 : n] = '\0';
	return label;
}

/* The tmpfs is left out: only a kernel with SELinux knows the option. */
static void they_bear_the_pods_label(void)
{
	struct err e;

	fresh();
	s.config.security.ns.ipc = NS_NODE;
	s.mount_label = "a:b:c:s0:c1,c2";
	if (setxattr(top, "security.selinux", "x", 2, 0) < 0) {
		printf("# no labels here: %s\n", strerror(errno));
		return;
	}
	ok(make_all(&s, &files, &e) == 0);
	is_str(label_of("hosts"), "a:b:c:s0:c1,c2");
	is_str(label_of("resolv.conf"), "a:b:c:s0:c1,c2");
	ok(unlink(at("hosts")) == 0 && sandbox_files_label(&s, "d:e:f:s0", &e) == 0);
	is_str(label_of("hostname"), "d:e:f:s0");
	ok(sandbox_files_label(&s, "", &e) == 0);
	is_str(label_of("resolv.conf"), "d:e:f:s0");
	ok(sandbox_files_remove(&s, &e) == 0);
}

int main(void)
{
	arena = arena_new();
	mounts = geteuid() == 0 && unshare(CLONE_NEWNS) == 0 && mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0;
	ok(mkdtemp(top) != NULL);
	the_nodes_files_are_copied();
	an_older_sandbox_has_them_beside_shm();
	large_files_are_discarded();
	their_bytes_are_counted_once();
	a_node_without_them_gives_empty_ones();
	dns_config_wins_also_when_it_is_empty();
	shm_is_a_tmpfs_of_64_mib();
	the_pin_is_found_by_a_link();
	what_cannot_be_removed_is_told();
	stacked_mounts_of_shm();
	what_is_no_file_is_an_error_that_names_it();
	they_bear_the_pods_label();
	ok(rmdir(arena_printf(arena, "%s/sandboxes", top)) == 0);
	ok(rmdir(arena_printf(arena, "%s/sandbox-files", top)) == 0 && rmdir(top) == 0);
	arena_free(arena);
	return tap_end();
}
