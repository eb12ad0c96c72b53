/* test_dir.c - directories that are closed to other users. */
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "reactor/arena.h"
#include "reactor/dir.h"
#include "reactor/log.h"
#include "tests/tap.h"

static char top[] = "/tmp/test-dir-XXXXXX";
static struct arena *arena;

static struct stat seen(const char *path)
{
	struct stat st = { 0 };

	ok(stat(path, &st) == 0);
	return st;
}

static void made_and_closed(void)
{
	const char *path = arena_printf(arena, "%s/new", top);
	struct err e;

	umask(0);
	ok(dir_close(path, DIR_NO_GROUP, &e) == 0);
	umask(022);
	ok(seen(path).st_mode == (S_IFDIR | 0700));
	ok(dir_close(path, DIR_NO_GROUP, &e) == 0);
	ok(seen(path).st_mode == (S_IFDIR | 0700));
	ok(rmdir(path) == 0);
}

static void what_was_open_is_closed(void)
{
	const char *path = arena_printf(arena, "%s/old", top), *link = arena_printf(arena, "%s/link", top);
	struct err e;

	ok(mkdir(path, 0755) == 0 && chmod(path, 01777) == 0 && symlink(path, link) == 0);
	ok(dir_close(link, DIR_NO_GROUP, &e) == 0);
	ok(seen(path).st_mode == (S_IFDIR | 0700));
	if (geteuid() == 0) {
		ok(chown(path, 1234, 1234) == 0 && dir_close(path, DIR_NO_GROUP, &e) == 0);
		ok(seen(path).st_uid == 0);
	}
	ok(unlink(link) == 0 && rmdir(path) == 0);
}

static void a_group_passes_through(void)
{
	const char *path = arena_printf(arena, "%s/pod", top);
	struct err e;

	if (geteuid() != 0) {
		printf("# only root gives a directory to a group\n");
		return;
	}
	ok(dir_close(path, 200000, &e) == 0);
	ok(seen(path).st_mode == (S_IFDIR | 0710) && seen(path).st_gid == 200000 && seen(path).st_uid == 0);
	ok(dir_close(path, 0, &e) == 0); /* a user namespace whose group 0 is the node's */
	ok(seen(path).st_mode == (S_IFDIR | 0710) && seen(path).st_gid == 0);
	ok(rmdir(path) == 0);
}

static void what_is_no_directory_is_named(void)
{
	const char *path = arena_printf(arena, "%s/nothing/new", top);
	struct err e;

	ok(dir_close(path, DIR_NO_GROUP, &e) < 0 && e.code == ERR_INTERNAL && strstr(e.msg, path));
	ok(dir_close("/dev/null", DIR_NO_GROUP, &e) < 0 && strstr(e.msg, "/dev/null"));
}

int main(void)
{
	log_open("test", LOG_LEVEL_ERROR);
	arena = arena_new();
	ok(mkdtemp(top) != NULL);
	made_and_closed();
	what_was_open_is_closed();
	a_group_passes_through();
	what_is_no_directory_is_named();
	ok(rmdir(top) == 0);
	arena_free(arena);
	return tap_end();
}
