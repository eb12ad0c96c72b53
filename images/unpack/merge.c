/* merge.c - see merge.h. */
#include "images/unpack/merge.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "images/unpack/copy.h"
#include "images/unpack/dirs.h"
#include "images/path.h"
#include "images/tree.h"
#include "reactor/log.h"
#include "reactor/own.h"

struct merge {
	int tree;
	const struct view *parents;
	struct view full; /* the parents and the tree on top */
	int *layers;      /* of `full` */
	struct report *report;
	const struct space *min_free;
};

static int merge_mark(int tree, const char *path, struct err *e)
{
	auto_fd int fd = path_open(tree, path, O_RDONLY | O_DIRECTORY);

	if (fd < 0 && (errno == ENOENT || errno == ENOTDIR || errno == ELOOP))
		return 0; /* a later entry replaced the directory */
	if (fd < 0 || fsetxattr(fd, "trusted.overlay.opaque", "y", 1, 0) < 0)
		return err_os(e, ERR_INTERNAL, "make %s opaque", log_quote(path));
	return 0;
}

int merge_mark_opaque(int tree, const struct report *r, struct err *e)
{
	for (struct map_slot *s = map_next(&r->opaque, NULL); s; s = map_next(&r->opaque, s))
		if (merge_mark(tree, s->key, e) < 0)
			return -1;
	return 0;
}

/* The report comes from the confined half: the path may be anything. It is opened by O_PATH, which has no effect on a
 * device or a pipe. */
static int set_ima(int tree, const struct report_ima *x, uint64_t *left_out, struct err *e)
{
	auto_fd int fd = path_open(tree, x->path, O_PATH);
	char self[32];
	struct stat st;

	if (fd < 0 && errno != ENOENT && errno != ENOTDIR && errno != ELOOP)
		return err_os(e, ERR_INTERNAL, "open %s", log_quote(x->path));
	if (fd < 0 || fstat(fd, &st) < 0 || !S_ISREG(st.st_mode))
		return 0;
	snprintf(self, sizeof(self), "/proc/self/fd/%d", fd);
	if (setxattr(self, "security.ima", x->value, x->size, 0) == 0)
		return 0;
	if (errno != EPERM && errno != ENOTSUP && errno != EINVAL)
		return err_os(e, ERR_INTERNAL, "set security.ima of %s", log_quote(x->path));
	++*left_out;
	return 0;
}

int merge_set_ima(int tree, const struct report *r, uint64_t *left_out, struct err *e)
{
	for (size_t i = 0; i < r->nima; i++)
		if (r->ima[i].path && set_ima(tree, &r->ima[i], left_out, e) < 0)
			return -1;
	return 0;
}

/* ---- hard links ---- */

/* Makes the directories above `path`. The parents have them, for `path` was found in a parent. */
static int make_dirs_above(struct merge *m, const char *path, struct err *e)
{
	char dir[PATH_MAX];

	for (const char *slash = strchr(path, '/'); slash; slash = strchr(slash + 1, '/')) {
		const char *base;
		auto_fd int up = -1;

		memcpy(dir, path, (size_t)(slash - path));
		dir[slash - path] = '\0';
		up = path_open_dir(m->tree, dir, &base);
		if (up >= 0 && mkdirat(up, base, 0755) == 0)
			report_invented(m->report, dir);
		else if (up < 0 || errno != EEXIST)
			return err_os(e, ERR_INTERNAL, "make directory %s", log_quote(dir));
	}
	return 0;
}

static int merge_copy_up(struct merge *m, const struct view_hit *hit, struct err *e)
{
	const char *base;
	auto_fd int from = path_open_dir(m->layers[hit->layer], hit->path, &base);
	auto_fd int to = -1;

	if (space_check(m->min_free, m->tree, e) < 0 || make_dirs_above(m, hit->path, e) < 0)
		return -1;
	to = path_open_dir(m->tree, hit->path, &base);
	if (from < 0 || to < 0)
		return err_os(e, ERR_INTERNAL, "copy %s from a lower layer", log_quote(hit->path));
	return copy_object(from, base, &hit->st, to, NULL, e);
}

/* Links `path` to `target`, both in the tree. An object that has the name `path` is replaced. */
static int make_link(struct merge *m, const char *path, const char *target, struct err *e)
{
	const char *from_name, *to_name;
	auto_fd int from = path_open_dir(m->tree, target, &from_name);
	auto_fd int to = path_open_dir(m->tree, path, &to_name);
	struct stat a, b;

	if (from < 0 || to < 0)
		return err_os(e, ERR_INTERNAL, "link %s", log_quote(path));
	if (fstatat(to, to_name, &a, AT_SYMLINK_NOFOLLOW) == 0) {
		if (fstatat(from, from_name, &b, AT_SYMLINK_NOFOLLOW) == 0 && a.st_ino == b.st_ino)
			return 0;
		if (tree_remove(to, to_name, e) < 0)
			return -1;
	}
	if (linkat(from, from_name, to, to_name, 0) < 0)
		return err_os(e, ERR_INTERNAL, "link %s", log_quote(path));
	return 0;
}

static int finish_link(struct merge *m, const struct report_link *l, struct err *e)
{
	struct view_hit hit;
	int r = view_find(&m->full, l->target, &hit);

	if (r < 0)
		return err_os(e, ERR_INTERNAL, "look for %s in the lower layers", log_quote(l->target));
	if (r == 0)
		return err_set(e, ERR_INVALID_ARGUMENT, "%s: the hard link's target %s is in no layer",
			       log_quote(l->path), log_quote(l->target));
	if (S_ISDIR(hit.st.st_mode))
		return err_set(e, ERR_INVALID_ARGUMENT, "%s: a hard link to a directory", log_quote(l->path));
	if (hit.layer < m->parents->n && merge_copy_up(m, &hit, e) < 0)
		return -1;
	return make_link(m, l->path, hit.path, e);
}

/* ---- an opaque root ---- */

static int hide_name(struct merge *m, const char *name, struct err *e)
{
	struct view_hit hit;
	int r = view_look(m->parents, name, &hit);
	struct stat st;

	if (r < 0)
		return err_os(e, ERR_INTERNAL, "look for %s in the lower layers", log_quote(name));
	if (r == 0)
		return 0;
	if (fstatat(m->tree, name, &st, AT_SYMLINK_NOFOLLOW) == 0)
		return S_ISDIR(st.st_mode) ? merge_mark(m->tree, name, e) : 0;
	return mknodat(m->tree, name, S_IFCHR, makedev(0, 0)) < 0 ? err_os(e, ERR_INTERNAL, "make whiteout") : 0;
}

static DIR *open_listing(int root, const char *path)
{
	int fd = path_open(root, path, O_RDONLY | O_DIRECTORY);
	DIR *d = fd < 0 ? NULL : fdopendir(fd);

	if (fd >= 0 && !d)
		close(fd);
	return d;
}

static bool is_dots(const char *name)
{
	return strcmp(name, ".") == 0 || strcmp(name, "..") == 0;
}

static int merge_hide_all(struct merge *m, struct err *e)
{
	for (size_t i = 0; i < m->parents->n; i++) {
		auto_dir DIR *d = open_listing(m->layers[i], "");
		struct dirent *n;

		if (!d)
			return err_os(e, ERR_INTERNAL, "read a lower layer");
		while ((n = readdir(d)))
			if (!is_dots(n->d_name) && hide_name(m, n->d_name, e) < 0)
				return -1;
	}
	return 0;
}

/* ---- invented directories ---- */

static int take_attributes(struct merge *m, const char *path, struct err *e)
{
	auto_fd int to = path_open(m->tree, path, O_RDONLY | O_DIRECTORY);
	auto_fd int from = -1;
	struct view_hit hit;
	int r;

	if (to < 0)
		return 0; /* a later entry replaced the directory */
	r = view_look(m->parents, path, &hit);
	if (r < 0)
		return err_os(e, ERR_INTERNAL, "look for %s in the lower layers", log_quote(path));
	if (r == 0 || !S_ISDIR(hit.st.st_mode))
		return 0;
	from = path_open(m->layers[hit.layer], path, O_RDONLY | O_DIRECTORY);
	if (from < 0)
		return err_os(e, ERR_INTERNAL, "open %s of a lower layer", log_quote(path));
	return copy_attributes(from, to, false, NULL, e) < 0 ? err_wrap(e, "%s", log_quote(path)) : 0;
}

static int merge_finish_all(struct merge *m, struct err *e)
{
	const struct report *r = m->report;

	for (size_t i = 0; i < r->nlinks; i++)
		if (r->links[i].path && finish_link(m, &r->links[i], e) < 0)
			return -1;
	if (r->opaque_root && merge_hide_all(m, e) < 0)
		return -1;
	/* Last, because files that are made in a directory change its times. */
	for (struct map_slot *s = map_next(&r->invented, NULL); s; s = map_next(&r->invented, s))
		if (take_attributes(m, s->key, e) < 0)
			return -1;
	return 0;
}

int merge_finish(int tree, const struct view *parents, struct report *r, const struct space *min_free, struct err *e)
{
	auto_free int *layers = own_must(calloc(parents->n + 1, sizeof(*layers)));
	struct merge m = { .tree = tree, .parents = parents, .layers = layers, .report = r, .min_free = min_free };

	if (parents->n > 0)
		memcpy(layers, parents->layers, parents->n * sizeof(*layers));
	layers[parents->n] = tree;
	m.full = (struct view){ layers, parents->n + 1 };
	return merge_finish_all(&m, e);
}

/* ---- cloning ---- */

struct clone {
	int from, to;
	struct arena *arena;
	const char **dirs; /* found so far, each after its parent */
	size_t n, room;
};

static void add_dir(struct clone *c, const char *path)
{
	if (c->n == c->room) {
		c->room = c->room ? 2 * c->room : 64;
		c->dirs = own_must(realloc(c->dirs, c->room * sizeof(*c->dirs)));
	}
	c->dirs[c->n++] = arena_strdup(c->arena, path);
}

static bool is_dir(int dir, const struct dirent *n)
{
	struct stat st;

	if (n->d_type != DT_UNKNOWN)
		return n->d_type == DT_DIR;
	return fstatat(dir, n->d_name, &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISDIR(st.st_mode);
}

static int clone_name(struct clone *c, int from, int to, const char *dir, const struct dirent *n, struct err *e)
{
	const char *name = n->d_name;
	char path[PATH_MAX];

	if (path_join(path, dir, name) < 0)
		return err_os(e, ERR_INTERNAL, "clone %s", log_quote(name));
	if (!is_dir(from, n))
		return linkat(from, name, to, name, 0) < 0 ? err_os(e, ERR_INTERNAL, "link %s", log_quote(path)) : 0;
	add_dir(c, path);
	return mkdirat(to, name, 0700) < 0 ? err_os(e, ERR_INTERNAL, "make directory %s", log_quote(path)) : 0;
}

static int clone_dir(struct clone *c, const char *dir, struct err *e)
{
	auto_dir DIR *d = open_listing(c->from, dir);
	auto_fd int to = path_open(c->to, dir, O_PATH | O_DIRECTORY);
	struct dirent *n;

	if (!d || to < 0)
		return err_os(e, ERR_INTERNAL, "clone %s", log_quote(dir));
	while ((errno = 0, n = readdir(d)))
		if (!is_dots(n->d_name) && clone_name(c, dirfd(d), to, dir, n, e) < 0)
			return -1;
	return errno ? err_os(e, ERR_INTERNAL, "read %s", log_quote(dir)) : 0;
}

static int clone_attributes(struct clone *c, const char *dir, struct err *e)
{
	auto_fd int from = path_open(c->from, dir, O_RDONLY | O_DIRECTORY);
	auto_fd int to = path_open(c->to, dir, O_RDONLY | O_DIRECTORY);

	if (from < 0 || to < 0)
		return err_os(e, ERR_INTERNAL, "open %s", log_quote(dir));
	return copy_attributes(from, to, true, NULL, e);
}

int merge_clone(int from, int to, struct err *e)
{
	struct clone c = { .from = from, .to = to, .arena = arena_new() };
	int r = 0;

	add_dir(&c, "");
	for (size_t i = 0; i < c.n && r == 0; i++)
		r = clone_dir(&c, c.dirs[i], e);
	for (size_t i = 0; i < c.n && r == 0; i++)
		r = clone_attributes(&c, c.dirs[i], e);
	free(c.dirs);
	arena_free(c.arena);
	return r;
}
