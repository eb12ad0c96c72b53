/* volumes.c - see volumes.h. */
#include "images/unpack/volumes.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "images/unpack/copy.h"
#include "images/unpack/extract.h"
#include "images/path.h"
#include "reactor/arena.h"
#include "reactor/log.h"
#include "reactor/map.h"
#include "reactor/own.h"

enum { SPACE_EVERY_BYTES = 8 << 20, SPACE_EVERY_INODES = 512, BLOCK_BYTES = 4096 };

/* A directory that is copied; the first is the volume itself. */
struct copied {
	const char *from; /* canonical, in the view */
	const char *to;   /* below spec->to */
};

struct filling {
	const struct volumes_spec *spec;
	struct volumes_made *made;
	struct arena *arena;
	struct copied *dirs; /* each after the one that holds it */
	size_t n, room;
	struct map links;    /* "<layer> <inode>" of a file with several names -> where its first name is */
	uint64_t unchecked_bytes, unchecked_inodes;
};

static int fill_account(struct filling *f, uint64_t bytes, struct err *e)
{
	const struct volumes_spec *s = f->spec;

	f->made->bytes += bytes;
	f->made->inodes++;
	f->unchecked_bytes += bytes;
	f->unchecked_inodes++;
	if (f->made->bytes > s->max_bytes)
		return err_set(e, ERR_RESOURCE_EXHAUSTED, "the VOLUMEs of the image have more than max_layer_bytes, "
			       "%" PRIu64, s->max_bytes);
	if (f->made->inodes > EXTRACT_INODES_MAX)
		return err_set(e, ERR_RESOURCE_EXHAUSTED, "the VOLUMEs of the image have more than %d files",
			       EXTRACT_INODES_MAX);
	if (f->unchecked_bytes < SPACE_EVERY_BYTES && f->unchecked_inodes < SPACE_EVERY_INODES)
		return 0;
	f->unchecked_bytes = f->unchecked_inodes = 0;
	return space_check(&s->min_free, s->to, e);
}

static const char *fill_join(struct filling *f, const char *dir, const char *name)
{
	return *dir ? arena_printf(f->arena, "%s/%s", dir, name) : arena_strdup(f->arena, name);
}

static int fill_add_dir(struct filling *f, const char *from, const char *to, struct err *e)
{
	if (mkdirat(f->spec->to, to, 0700) < 0)
		return err_os(e, ERR_INTERNAL, "make directory %s", log_quote(to));
	if (f->n == f->room) {
		f->room = f->room ? 2 * f->room : 64;
		f->dirs = own_must(realloc(f->dirs, f->room * sizeof(*f->dirs)));
	}
	f->dirs[f->n++] = (struct copied){ from, to };
	return fill_account(f, BLOCK_BYTES, e);
}

/* 1: the file is a further name of one that is copied already. */
static int fill_link(struct filling *f, const struct view_hit *hit, const char *to, struct err *e)
{
	const char *key, *first;

	if (hit->st.st_nlink < 2)
		return 0;
	key = arena_printf(f->arena, "%zu %ju", hit->layer, (uintmax_t)hit->st.st_ino);
	first = map_get(&f->links, key);
	if (!first) {
		map_put(&f->links, key, (void *)to);
		return 0;
	}
	if (linkat(f->spec->to, first, f->spec->to, to, 0) < 0)
		return err_os(e, ERR_INTERNAL, "link %s", log_quote(to));
	return 1;
}

static int fill_file(struct filling *f, int from_dir, int to_dir, const char *name, const struct view_hit *hit,
		     const char *to, struct err *e)
{
	const struct copy_owner owner = { f->spec->uids, f->spec->gids };
	uint64_t bytes = S_ISREG(hit->st.st_mode) ? (uint64_t)hit->st.st_size : 0;
	int r = fill_link(f, hit, to, e);

	if (r != 0)
		return r < 0 ? -1 : 0;
	if (fill_account(f, (bytes + BLOCK_BYTES - 1) & -(uint64_t)BLOCK_BYTES, e) < 0)
		return -1;
	return copy_object(from_dir, name, &hit->st, to_dir, &owner, e);
}

/* The names of one directory of one layer, but those that a higher layer has or hides. */
static int fill_from_layer(struct filling *f, size_t layer, struct copied at, struct err *e)
{
	auto_fd int to = path_open(f->spec->to, at.to, O_PATH | O_DIRECTORY);
	int fd = path_open(f->spec->view->layers[layer], at.from, O_RDONLY | O_DIRECTORY);
	auto_dir DIR *list = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *n;

	if (fd < 0 && (errno == ENOENT || errno == ENOTDIR || errno == ELOOP))
		return 0;
	if (!list || to < 0)
		return err_os(e, ERR_INTERNAL, "read %s of a layer", log_quote(at.from));
	while ((errno = 0, n = readdir(list))) {
		const char *path = fill_join(f, at.from, n->d_name), *into = fill_join(f, at.to, n->d_name);
		struct view_hit hit;
		int r;

		if (strcmp(n->d_name, ".") == 0 || strcmp(n->d_name, "..") == 0)
			continue;
		if (strlen(path) >= PATH_MAX)
			return err_set(e, ERR_INVALID_ARGUMENT, "%.200s...: the name is too long", path);
		r = view_look(f->spec->view, path, &hit);
		if (r < 0)
			return err_os(e, ERR_INTERNAL, "look for %s", log_quote(path));
		if (r == 0 || hit.layer != layer)
			continue;
		if (S_ISDIR(hit.st.st_mode) ? fill_add_dir(f, path, into, e) < 0
					    : fill_file(f, dirfd(list), to, n->d_name, &hit, into, e) < 0)
			return -1;
	}
	return errno ? err_os(e, ERR_INTERNAL, "read %s of a layer", log_quote(at.from)) : 0;
}

/* After the files: they change the times. */
static int fill_attributes(struct filling *f, const struct copied *d, struct err *e)
{
	const struct copy_owner owner = { f->spec->uids, f->spec->gids };
	const struct view *v = f->spec->view;
	auto_fd int from = -1, to = path_open(f->spec->to, d->to, O_RDONLY | O_DIRECTORY);
	struct view_hit hit;

	if (view_look(v, d->from, &hit) == 1)
		from = path_open(v->layers[hit.layer], d->from, O_RDONLY | O_DIRECTORY);
	if (from < 0 || to < 0)
		return err_os(e, ERR_INTERNAL, "open %s of a layer", log_quote(d->from));
	return copy_attributes(from, to, false, &owner, e);
}

static int fill_tree(struct filling *f, const char *from, const char *to, struct err *e)
{
	f->n = 0;
	if (fill_add_dir(f, from, to, e) < 0)
		return -1;
	for (size_t i = 0; i < f->n; i++)
		for (size_t layer = 0; layer < f->spec->view->n; layer++)
			if (fill_from_layer(f, layer, f->dirs[i], e) < 0)
				return -1;
	for (size_t i = 0; i < f->n; i++)
		if (fill_attributes(f, &f->dirs[i], e) < 0)
			return -1;
	return 0;
}

static int fill_empty(struct filling *f, const char *to, struct err *e)
{
	const struct volumes_spec *s = f->spec;

	if (mkdirat(s->to, to, 0755) < 0 ||
	    fchownat(s->to, to, shift_id(s->uids, 0), shift_id(s->gids, 0), AT_SYMLINK_NOFOLLOW) < 0)
		return err_os(e, ERR_INTERNAL, "make directory %s", to);
	return fill_account(f, BLOCK_BYTES, e);
}

static int fill_volume(struct filling *f, const char *raw, const char *to, struct err *e)
{
	char path[PATH_MAX], last[PATH_MAX];
	struct view_hit hit;
	int r;

	/* With "/." a symlink in the last place is followed too, as the runtime follows it. */
	if (path_clean(raw, path, e) < 0 || path_join(last, path, ".") < 0)
		return err_set(e, ERR_INVALID_ARGUMENT, "VOLUME %s: not a path in the image", log_quote(raw));
	r = view_find(f->spec->view, last, &hit);
	if (r < 0)
		return err_os(e, ERR_INTERNAL, "look for %s", log_quote(raw));
	if (r == 0)
		return fill_empty(f, to, e);
	if (!S_ISDIR(hit.st.st_mode))
		return err_set(e, ERR_INVALID_ARGUMENT, "VOLUME %s: the image has a file there", log_quote(raw));
	return fill_tree(f, arena_strdup(f->arena, hit.path), to, e);
}

int volumes_fill(const struct volumes_spec *spec, struct volumes_made *out, struct err *e)
{
	struct filling f = { .spec = spec, .made = out, .arena = arena_new() };
	int r = space_check(&spec->min_free, spec->to, e);

	*out = (struct volumes_made){ 0 };
	for (int i = 0; i < spec->n && r == 0; i++)
		r = fill_volume(&f, spec->paths[i], arena_printf(f.arena, "%d", i), e);
	map_free(&f.links);
	free(f.dirs);
	arena_free(f.arena);
	return r;
}
