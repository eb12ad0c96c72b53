/* test_boot.c - which boot this is, where the disk does not tell it. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "reactor/boot.h"
#include "reactor/log.h"
#include "tests/fakes/disk.h"
#include "tests/tap.h"

static char root[] = "/tmp/test_boot.XXXXXX", path[64];

static void put(const char *text)
{
	FILE *f = fopen(path, "we");

	fputs(text, f);
	fclose(f);
}

/* First of all, since an id that was read is kept. */
static void the_kernels_id_cannot_be_read(void)
{
	struct err e;

	disk_fails("boot_id", EIO, 0);
	ok(boot_open(root, &e) < 0 && e.code == ERR_INTERNAL && strstr(e.msg, "random/boot_id"));
	is_str(boot_id(), "");
	disk_fails("boot_id", ENOMEM, 0);
	ok(boot_open(root, &e) < 0 && e.code == ERR_RESOURCE_EXHAUSTED);
	disk_fails("", 0, 0);
	ok(boot_open(root, &e) == 0 && strlen(boot_id()) == 36);
}

static void the_last_id_cannot_be_read(void)
{
	struct err e;

	put("01234567-89ab-cdef-0123-456789abcdef\n");
	disk_fails(path, EIO, 0);
	ok(boot_open(root, &e) < 0 && strstr(e.msg, path) && !boot_is_new());
	disk_fails("", 0, 0);
	ok(boot_open(root, &e) == 0 && boot_is_new());
	ok(boot_note(&e) == 0 && !boot_is_new());
	ok(boot_open(root, &e) == 0 && !boot_is_new());
	unlink(path);
}

static void what_is_no_file_says_nothing(void)
{
	struct err e;

	ok(mkdir(path, 0700) == 0 && boot_open(root, &e) == 0 && !boot_is_new() && rmdir(path) == 0);
	ok(symlink("boot", path) == 0 && boot_open(root, &e) == 0 && !boot_is_new() && unlink(path) == 0);
}

int main(void)
{
	log_open("test", LOG_LEVEL_ERROR);
	ok(mkdtemp(root) != NULL);
	snprintf(path, sizeof(path), "%s/boot", root);
	the_kernels_id_cannot_be_read();
	the_last_id_cannot_be_read();
	what_is_no_file_says_nothing();
	ok(rmdir(root) == 0);
	return tap_end();
}
