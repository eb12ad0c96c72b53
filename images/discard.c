/* discard.c - see discard.h. */
#include "images/discard.h"

#include <assert.h>
#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "images/unpack.h"
#include "reactor/fault.h"
#include "reactor/log.h"
#include "reactor/loop.h"
#include "reactor/own.h"

static char gone_dir[PATH_MAX];
static uint64_t serial;

int discard_open(const char *root, struct err *e)
{
	auto_dir DIR *d = NULL;

	snprintf(gone_dir, sizeof(gone_dir), "%s/gone", root);
	if (EFFECT(mkdir(gone_dir, 0700)) < 0 && errno != EEXIST)
		return err_os(e, ERR_INTERNAL, "make %s", gone_dir);
	d = opendir(gone_dir);
	if (!d)
		return err_os(e, ERR_INTERNAL, "open %s", gone_dir);
	for (struct dirent *f = readdir(d); f; f = readdir(d)) {
		char path[PATH_MAX + NAME_MAX + 2];

		if (*f->d_name == '.')
			continue;
		snprintf(path, sizeof(path), "%s/%s", gone_dir, f->d_name);
		unpack_remove_tree(path);
	}
	return 0;
}

int discard(const char *path, struct err *e)
{
	char to[PATH_MAX + 64];

	assert(*gone_dir); /* else the tree would go to the root of the machine */
	/* The time makes the name different from the names that an earlier crispd has given. */
	snprintf(to, sizeof(to), "%s/%" PRIx64 "-%" PRIx64, gone_dir, (uint64_t)loop_real_ns(), serial++);
	if (EFFECT(rename(path, to)) < 0)
		return errno == ENOENT ? 0 : err_os(e, ERR_INTERNAL, "rename %s away", path);
	unpack_remove_tree(to);
	return 0;
}
