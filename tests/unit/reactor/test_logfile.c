/* test_logfile.c - where a log is opened: not through the links of a pod that may write in its log directory. */
#include "reactor/logfile.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/tap.h"

static char top[] = "/tmp/test_logfile.XXXXXX";
static struct arena *arena;

static const char *at(const char *name)
{
	return arena_printf(arena, "%s/%s", top, name);
}

/* Opens the log, writes a byte, and tells which file has got it. */
static bool opens(const char *dir, const char *name, const char *file)
{
	struct err e;
	struct stat before, after;
	int fd = logfile_open(logfile_join(arena, at(dir), name), &e);
	bool same;

	if (fd < 0) {
		printf("# %s\n", e.msg);
		return false;
	}
	same = fstat(fd, &before) == 0 && stat(at(file), &after) == 0 && before.st_ino == after.st_ino &&
	       logfile_append(fd, "x", 1, &e) == 0;
	close(fd);
	return same;
}

static bool refuses(const char *dir, const char *name, const char *why)
{
	struct err e;
	int fd = logfile_open(logfile_join(arena, at(dir), name), &e);

	if (fd >= 0) {
		close(fd);
		return false;
	}
	printf("# %s\n", e.msg);
	return e.code == ERR_INTERNAL && strstr(e.msg, why);
}

static int64_t size_of(const char *file)
{
	struct stat st;

	return stat(at(file), &st) == 0 ? st.st_size : -1;
}

static void the_path_says_where_links_end(void)
{
	is_str(logfile_join(arena, "/var/log/pods/x", "ctr/0.log"), "/var/log/pods/x//ctr/0.log");
	is_str(logfile_join(arena, "/var//log/pods///x//", "//ctr///0.log"), "/var/log/pods/x//ctr/0.log");
	is_str(logfile_join(arena, "/", "0.log"), "//0.log");
	is_str(logfile_shown(arena, "/var/log/pods/x//ctr/0.log"), "/var/log/pods/x/ctr/0.log");
	is_str(logfile_shown(arena, "//0.log"), "/0.log");
	is_str(logfile_shown(arena, ""), "");
}

static void directories_are_made(void)
{
	struct stat st;

	ok(opens("pods/x", "ctr/0.log", "pods/x/ctr/0.log"));
	ok(stat(at("pods/x/ctr/0.log"), &st) == 0 && (st.st_mode & 07777) == 0640);
	ok(stat(at("pods/x/ctr"), &st) == 0 && (st.st_mode & 07777) == 0755);
	ok(opens("pods/x", "a/b/c/0.log", "pods/x/a/b/c/0.log"));
	ok(opens("pods/x", "0.log", "pods/x/0.log"));
}

/* The kubelet renames the file and asks for the next one. */
static void rotation(void)
{
	ok(opens("pods/x", "ctr/0.log", "pods/x/ctr/0.log"));
	ok(rename(at("pods/x/ctr/0.log"), at("pods/x/ctr/0.log.20260102-030405")) == 0);
	ok(opens("pods/x", "ctr/0.log", "pods/x/ctr/0.log"));
	ok(size_of("pods/x/ctr/0.log") == 1 && size_of("pods/x/ctr/0.log.20260102-030405") == 2);
}

/* The owner of the node may have /var/log, or /var/log/pods, on another disk. */
static void links_above_are_followed(void)
{
	ok(mkdir(at("disk"), 0755) == 0 && symlink("disk", at("varlog")) == 0);
	ok(opens("varlog/x", "ctr/0.log", "disk/x/ctr/0.log"));
}

static void links_below_are_not(void)
{
	ok(mkdir(at("host"), 0755) == 0 && close(open(at("host/secret"), O_CREAT | O_WRONLY | O_CLOEXEC, 0600)) == 0);
	ok(mkdir(at("pods/y"), 0755) == 0 && mkdir(at("pods/y/ctr"), 0755) == 0);
	ok(symlink(at("host/secret"), at("pods/y/ctr/0.log")) == 0);
	ok(refuses("pods/y", "ctr/0.log", "symbolic links"));
	ok(symlink(at("host/new"), at("pods/y/ctr/1.log")) == 0);
	ok(refuses("pods/y", "ctr/1.log", "symbolic links"));
	ok(symlink(at("host"), at("pods/y/linked")) == 0);
	ok(refuses("pods/y", "linked/secret", "symbolic links"));
	ok(refuses("pods/y", "linked/new", "symbolic links"));
	ok(symlink("../x", at("pods/y/inner")) == 0);
	ok(refuses("pods/y", "inner/0.log", "symbolic links"));
	ok(symlink(at("host"), at("pods/z")) == 0); /* the log directory itself */
	ok(refuses("pods/z", "secret", "symbolic links"));
	ok(refuses("pods/z", "sub/new", "symbolic links"));
	ok(size_of("host/secret") == 0 && size_of("host/new") < 0 && size_of("host/sub") < 0);
}

static void only_a_regular_file(void)
{
	ok(mkfifo(at("pods/x/fifo.log"), 0644) == 0);
	ok(refuses("pods/x", "fifo.log", "Invalid argument"));
	ok(mkdir(at("pods/x/dir.log"), 0755) == 0);
	ok(refuses("pods/x", "dir.log", "Is a directory"));
	if (mknod(at("pods/x/null.log"), S_IFCHR | 0666, 1 << 8 | 3) == 0) /* not without CAP_MKNOD */
		ok(refuses("pods/x", "null.log", "Invalid argument"));
}

/* A record of an earlier version has no mark. */
static void a_path_without_the_mark(void)
{
	struct err e;
	int fd = logfile_open(at("pods/x/0.log"), &e);

	ok(fd >= 0);
	close(fd);
	ok(logfile_open(at("pods/y/ctr/0.log"), &e) < 0);
	ok(logfile_open(at("pods/y/linked/secret"), &e) < 0);
}

int main(void)
{
	if (!mkdtemp(top))
		return 1;
	arena = arena_new();
	the_path_says_where_links_end();
	directories_are_made();
	rotation();
	links_above_are_followed();
	links_below_are_not();
	only_a_regular_file();
	a_path_without_the_mark();
	ok(system(arena_printf(arena, "rm -rf %s", top)) == 0);
	arena_free(arena);
	return tap_end();
}
