/* checkpoint_stage.c - see checkpoint_stage.h. */
#include "handlers/checkpoint_stage.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "images/config.h"
#include "images/unpack.h"
#include "reactor/fault.h"
#include "reactor/log.h"
#include "reactor/loop.h"
#include "reactor/own.h"

static const char *directory(struct arena *a)
{
	return arena_printf(a, "%s/checkpoints", images_config()->root);
}

const char *checkpoint_stage_new(const char *id, bool make, struct arena *a, struct err *e)
{
	const char *dir = directory(a),
		   *path = arena_printf(a, "%s/%.12s-%llx", dir, id, (unsigned long long)loop_real_ns());

	if (EFFECT(mkdir(dir, 0700)) < 0 && errno != EEXIST) {
		err_os(e, ERR_INTERNAL, "make %s", dir);
		return NULL;
	}
	if (make && EFFECT(mkdir(path, 0700)) < 0) {
		err_os(e, ERR_INTERNAL, "make %s", path);
		return NULL;
	}
	return path;
}

void checkpoint_stage_drop(const char *path)
{
	if (*path)
		unpack_remove_tree(path);
}

struct wanted {
	const char *path;
	bool found;
};

static void is_wanted(void *arg, struct container *c)
{
	struct wanted *w = arg;

	w->found = w->found || (c->state == CONTAINER_CREATED && strcmp(c->restore, w->path) == 0);
}

void checkpoint_stages_sweep(void)
{
	struct arena *a = arena_new();
	const char *dir = directory(a);
	auto_dir DIR *d = opendir(dir);
	struct dirent *entry;

	while (d && (entry = readdir(d))) {
		struct wanted w = { arena_printf(a, "%s/%s", dir, entry->d_name), false };

		if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
			continue;
		container_each(is_wanted, &w);
		if (w.found)
			continue;
		log_warn("orphan checkpoint=%s", entry->d_name);
		unpack_remove_tree(w.path);
	}
	arena_free(a);
}
