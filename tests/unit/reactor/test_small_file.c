/* test_small_file.c - files that are read whole, and that are replaced in one step. */
#include <errno.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "reactor/own.h"
#include "reactor/small_file.h"
#include "tests/tap.h"

static char dir[] = "/tmp/test_small_file.XXXXXX", path[64], tmp[64], other[64];

static bool has(const char *file, const char *text)
{
	struct err e;
	size_t len;
	auto_free char *got = small_file_read(file, 100, &len, ERR_INTERNAL, &e);

	return got && len == strlen(text) && strcmp(got, text) == 0;
}

static int put(const char *text, struct err *e)
{
	return small_file_put(path, text, strlen(text), ERR_INTERNAL, e);
}

static void a_file_is_replaced(void)
{
	struct stat st;
	struct err e;

	ok(put("first\n", &e) == 0 && has(path, "first\n"));
	ok(stat(path, &st) == 0 && (st.st_mode & 07777) == 0600);
	ok(put("second\n", &e) == 0 && has(path, "second\n") && access(tmp, F_OK) < 0);
	ok(put("", &e) == 0 && has(path, ""));
}

/* A FIFO would hold the loop, since nobody reads it, and a link would have another file written. */
static void what_stands_in_the_place_of_the_new_one(void)
{
	struct err e;

	ok(mkfifo(tmp, 0600) == 0 && put("a", &e) == 0 && has(path, "a") && access(tmp, F_OK) < 0);
	ok(symlink(other, tmp) == 0 && put("b", &e) == 0 && has(path, "b") && access(other, F_OK) < 0);
	ok(mkdir(tmp, 0700) == 0 && put("c", &e) == 0 && has(path, "c"));
	ok(mkfifo(other, 0600) == 0 && rename(other, path) == 0 && put("d", &e) == 0 && has(path, "d"));
}

static void what_is_named_when_it_fails(void)
{
	char in[80];
	struct err e;

	snprintf(in, sizeof(in), "%s/in", tmp);
	ok(mkdir(tmp, 0700) == 0 && mkdir(in, 0700) == 0);
	ok(put("e", &e) < 0 && e.code == ERR_INTERNAL && strstr(e.msg, tmp) && has(path, "d"));
	ok(rmdir(in) == 0 && rmdir(tmp) == 0 && unlink(path) == 0 && mkdir(path, 0700) == 0);
	ok(put("f", &e) < 0 && strstr(e.msg, path) && unlink(tmp) == 0 && rmdir(path) == 0);
	ok(symlink("/dev/full", path) == 0 && put("g", &e) == 0 && has(path, "g") && unlink(path) == 0);
}

static void what_is_not_read(void)
{
	struct err e;
	size_t len;

	ok(mkfifo(path, 0600) == 0 && !small_file_read(path, 100, &len, ERR_INTERNAL, &e) && strstr(e.msg, path));
	unlink(path);
	ok(!small_file_read(path, 100, &len, ERR_NOT_FOUND, &e) && e.code == ERR_NOT_FOUND && strstr(e.msg, path));
	ok(put("0123456789", &e) == 0 && !small_file_read(path, 9, &len, ERR_INTERNAL, &e) && strstr(e.msg, "9 bytes"));
	unlink(path);
}

int main(void)
{
	ok(mkdtemp(dir) != NULL);
	snprintf(path, sizeof(path), "%s/file", dir);
	snprintf(tmp, sizeof(tmp), "%s/file.tmp", dir);
	snprintf(other, sizeof(other), "%s/other", dir);
	a_file_is_replaced();
	what_stands_in_the_place_of_the_new_one();
	what_is_named_when_it_fails();
	what_is_not_read();
	ok(rmdir(dir) == 0);
	return tap_end();
}
