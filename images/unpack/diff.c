/* diff.c - archive_diff() and archive_layer() of archive.h.
 *
 * Directories wait in a list of paths, so only one is open at a time and the depth has no limit. A path longer than
 * PATH_MAX is an error. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "images/space.h"
#include "images/unpack/archive.h"
#include "images/unpack/intake.h"
#include "images/path.h"
#include "images/unpack/tarout.h"
#include "images/unpack/view.h"
#include "images/unpack/whiteout.h"
#include "reactor/arena.h"
#include "reactor/log.h"
#include "reactor/map.h"
#include "reactor/own.h"

enum { XATTRS_MAX = 64 << 10, XATTR_COUNT_MAX = 256, DELETED_MAX = 16 << 20 };

struct todo {
	struct todo *next;
	char path[];
};

struct diff {
	int upper;
	struct view below;
	struct tarout tar;
	struct arena *arena;
	struct map links;   /* "dev:ino" of a file with several names -> its first one */
	struct buf deleted; /* the JSON array, open at its end */
	struct todo *todo;  /* directories, a stack */
	struct answer *out;
	bool whole;          /* archive_layer(): what is hidden is in the tar */
	char path[PATH_MAX]; /* of the entry at work, canonical */
	struct stat st;
	char names[XATTRS_MAX], values[XATTRS_MAX];
	struct tar_xattr xattrs[XATTR_COUNT_MAX];
};

static int diff_os_fail(struct diff *d, struct err *e, const char *what)
{
	return err_os(e, ERR_INTERNAL, "%s: %s", log_quote(d->path), what);
}

static void diff_push(struct diff *d, const char *path)
{
	struct todo *t = own_must(malloc(sizeof(*t) + strlen(path) + 1));

	strcpy(t->path, path);
	t->next = d->todo;
	d->todo = t;
}

/* ---- deleted.files ---- */

static size_t utf8_length(const uint8_t *p)
{
	static const uint32_t least[] = { 0, 0, 0x80, 0x800, 0x10000 };
	size_t n = p[0] < 0x80             ? 1
		   : (p[0] & 0xe0) == 0xc0 ? 2
		   : (p[0] & 0xf0) == 0xe0 ? 3
		   : (p[0] & 0xf8) == 0xf0 ? 4
					   : 0;
	uint32_t v = n == 1 ? p[0] : n == 0 ? 0 : (uint32_t)p[0] & (0x7fu >> n);

	for (size_t i = 1; i < n; i++) {
		if ((p[i] & 0xc0) != 0x80)
			return 0;
		v = v << 6 | (p[i] & 0x3f);
	}
	return v < least[n] || v > 0x10ffff || (v >= 0xd800 && v < 0xe000) ? 0 : n;
}

static bool is_utf8(const char *s)
{
	for (size_t n; *s; s += n)
		if ((n = utf8_length((const uint8_t *)s)) == 0)
			return false;
	return true;
}

static void put_json(struct buf *b, const char *path)
{
	buf_puts(b, b->len > 1 ? ",\"/" : "\"/");
	for (; *path; path++) {
		if ((unsigned char)*path < 0x20 || *path == '"' || *path == '\\')
			buf_printf(b, "\\u%04x", (unsigned char)*path);
		else
			buf_append(b, path, 1);
	}
	buf_puts(b, "\"");
}

static int put_whiteout_of(struct diff *d, const char *dir, const char *hidden, struct err *e)
{
	struct tar_entry n = { .type = TAR_FILE, .link = "", .mode = 0600 };
	char name[2 * PATH_MAX];

	snprintf(name, sizeof(name), "%s%s.wh.%s", dir, *dir ? "/" : "", hidden);
	n.name = name;
	return tarout_entry(&d->tar, &n, e);
}

static int put_whiteout(struct diff *d, const char *path, struct err *e)
{
	char dir[PATH_MAX];

	path_dir(path, dir);
	return put_whiteout_of(d, dir, path_base(path), e);
}

static int diff_deleted(struct diff *d, const char *path, struct err *e)
{
	if (d->whole || !is_utf8(path))
		return put_whiteout(d, path, e);
	if (d->deleted.len > DELETED_MAX)
		return err_set(e, ERR_RESOURCE_EXHAUSTED, "the list of deleted files has more than %d bytes",
			       DELETED_MAX);
	put_json(&d->deleted, path);
	return 0;
}

/* An opaque directory hides every name that the layers below show in it. The names that the upper part does not have
 * again go into the list of deleted files. */
static int hide_below(struct diff *d, int upper_dir, size_t layer, struct err *e)
{
	auto_fd int fd = path_open(d->below.layers[layer], d->path, O_RDONLY | O_DIRECTORY);
	auto_dir DIR *list = fd < 0 ? NULL : fdopendir(fd);
	char path[PATH_MAX];
	struct view_hit hit;
	struct dirent *n;

	if (list)
		fd = -1;
	while (list && (errno = 0, n = readdir(list))) {
		if (strcmp(n->d_name, ".") == 0 || strcmp(n->d_name, "..") == 0 ||
		    faccessat(upper_dir, n->d_name, F_OK, AT_SYMLINK_NOFOLLOW) == 0)
			continue;
		if (path_join(path, d->path, n->d_name) < 0 || view_look(&d->below, path, &hit) < 0)
			return diff_os_fail(d, e, "look below");
		/* Several layers may have the name; only the layer that shows it puts it on the list. */
		if (view_look(&d->below, path, &hit) == 1 && hit.layer == layer && diff_deleted(d, path, e) < 0)
			return -1;
	}
	return list && errno ? diff_os_fail(d, e, "list what is below") : 0;
}


/* ---- one entry ---- */

static bool is_kept(const struct diff *d, const char *name)
{
	return strncmp(name, "user.", 5) == 0 || strcmp(name, "security.capability") == 0 ||
	       (d->whole && strncmp(name, "system.posix_acl_", 17) == 0);
}

/* Only the attributes that have a meaning on other hosts too. ENOTSUP: the file system has no extended attributes. */
static int read_xattrs(struct diff *d, int fd, struct tar_entry *n, struct err *e)
{
	ssize_t len = flistxattr(fd, d->names, sizeof(d->names));
	size_t used = 0;

	if (len < 0)
		return errno == ENOTSUP ? 0 : diff_os_fail(d, e, "list extended attributes");
	for (const char *name = d->names; name < d->names + len; name += strlen(name) + 1) {
		ssize_t size;

		if (!is_kept(d, name))
			continue;
		size = fgetxattr(fd, name, d->values + used, sizeof(d->values) - used);
		if (size < 0)
			return diff_os_fail(d, e, "read extended attribute");
		if (n->nxattrs == XATTR_COUNT_MAX)
			return err_set(e, ERR_RESOURCE_EXHAUSTED, "%s: too many extended attributes",
				       log_quote(d->path));
		d->xattrs[n->nxattrs++] = (struct tar_xattr){ name, d->values + used, (size_t)size };
		used += (size_t)size;
	}
	n->xattrs = d->xattrs;
	return 0;
}

static struct tar_entry entry_of(const struct diff *d, enum tar_type type)
{
	return (struct tar_entry){
		.type = type,
		.name = d->path,
		.link = "",
		.mode = d->st.st_mode & 07777,
		.uid = d->st.st_uid,
		.gid = d->st.st_gid,
		.mtime = d->st.st_mtim,
	};
}

/* The first path under which this inode was written, or NULL: this is the first. */
static const char *seen_before(struct diff *d)
{
	char key[64];
	const char *first;

	if (d->st.st_nlink < 2)
		return NULL;
	snprintf(key, sizeof(key), "%llx:%llx", (unsigned long long)d->st.st_dev, (unsigned long long)d->st.st_ino);
	first = map_get(&d->links, key);
	if (!first)
		map_put(&d->links, arena_strdup(d->arena, key), arena_strdup(d->arena, d->path));
	return first;
}

static int diff_put_file(struct diff *d, int dir, const char *name, struct err *e)
{
	auto_fd int fd = openat(dir, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	struct tar_entry n;
	int r;

	if (fd < 0 || fstat(fd, &d->st) < 0)
		return diff_os_fail(d, e, "open");
	n = entry_of(d, TAR_FILE);
	n.size = (uint64_t)d->st.st_size;
	if (read_xattrs(d, fd, &n, e) < 0 || tarout_entry(&d->tar, &n, e) < 0)
		return -1;
	r = tarout_copy(&d->tar, fd, e);
	return r < 0   ? err_wrap(e, "%s", log_quote(d->path))
	       : r > 0 ? err_set(e, ERR_INTERNAL, "%s: it became shorter", log_quote(d->path))
		       : 0;
}

static int put_symlink(struct diff *d, int dir, const char *name, struct err *e)
{
	struct tar_entry n = entry_of(d, TAR_SYMLINK);
	char link[PATH_MAX];
	ssize_t len = readlinkat(dir, name, link, sizeof(link) - 1);

	if (len < 0)
		return diff_os_fail(d, e, "read link");
	link[len] = '\0';
	n.link = link;
	return tarout_entry(&d->tar, &n, e);
}

static int put_node(struct diff *d, enum tar_type type, struct err *e)
{
	struct tar_entry n = entry_of(d, type);

	n.major = major(d->st.st_rdev);
	n.minor = minor(d->st.st_rdev);
	return tarout_entry(&d->tar, &n, e);
}

static int put_other(struct diff *d, int dir, const char *name, struct err *e)
{
	const char *first = seen_before(d);

	if (first) {
		struct tar_entry n = entry_of(d, TAR_HARDLINK);

		n.link = first;
		return tarout_entry(&d->tar, &n, e);
	}
	switch (d->st.st_mode & S_IFMT) {
	case S_IFREG:
		return diff_put_file(d, dir, name, e);
	case S_IFLNK:
		return put_symlink(d, dir, name, e);
	case S_IFCHR:
		return put_node(d, TAR_CHAR, e);
	case S_IFBLK:
		return put_node(d, TAR_BLOCKDEV, e);
	case S_IFIFO:
		return put_node(d, TAR_FIFO, e);
	default:
		return 0; /* a socket: after a restore no process listens on it */
	}
}

static int diff_put_name(struct diff *d, const char *dir_path, int dir, const char *name, struct err *e)
{
	if (path_join(d->path, dir_path, name) < 0)
		return err_os(e, ERR_INTERNAL, "%.200s/%.200s", dir_path, name);
	if (fstatat(dir, name, &d->st, AT_SYMLINK_NOFOLLOW) < 0)
		return diff_os_fail(d, e, "look up");
	if (S_ISDIR(d->st.st_mode)) {
		diff_push(d, d->path);
		return 0;
	}
	if (whiteout_is_device(&d->st))
		return diff_deleted(d, d->path, e);
	d->out->inodes++;
	d->out->bytes += (uint64_t)d->st.st_blocks * 512;
	return put_other(d, dir, name, e);
}

/* ---- one directory ---- */

static int diff_put_dir(struct diff *d, int fd, struct err *e)
{
	struct tar_entry n;

	if (fstat(fd, &d->st) < 0)
		return diff_os_fail(d, e, "look up");
	n = entry_of(d, TAR_DIR);
	if (!*d->path)
		n.name = "./";
	if (read_xattrs(d, fd, &n, e) < 0 || tarout_entry(&d->tar, &n, e) < 0)
		return -1;
	d->out->inodes++;
	if (d->whole && whiteout_is_opaque(fd) && put_whiteout_of(d, d->path, ".wh..opq", e) < 0)
		return -1;
	for (size_t i = 0; whiteout_is_opaque(fd) && i < d->below.n; i++)
		if (hide_below(d, fd, i, e) < 0)
			return -1;
	return 0;
}

static int is_a_name(const struct dirent *n)
{
	return strcmp(n->d_name, ".") != 0 && strcmp(n->d_name, "..") != 0;
}

static int by_bytes(const struct dirent **x, const struct dirent **y)
{
	return strcmp((*x)->d_name, (*y)->d_name);
}

static int diff_walk_dir(struct diff *d, const char *path, struct err *e)
{
	auto_fd int fd = path_open(d->upper, path, O_RDONLY | O_DIRECTORY);
	struct dirent **names = NULL;
	int n = 0, r = 0;

	strcpy(d->path, path);
	if (fd < 0)
		return diff_os_fail(d, e, "open");
	if (diff_put_dir(d, fd, e) < 0)
		return -1;
	n = scandirat(fd, ".", &names, is_a_name, by_bytes);
	if (n < 0)
		return diff_os_fail(d, e, "list");
	for (int i = 0; i < n; i++) {
		r = r < 0 ? r : diff_put_name(d, path, fd, names[i]->d_name, e);
		free(names[i]);
	}
	free(names);
	return r;
}

static int diff_walk(struct diff *d, struct err *e)
{
	int r = 0;

	buf_puts(&d->deleted, "[");
	diff_push(d, "");
	while (d->todo) {
		struct todo *t = d->todo;

		d->todo = t->next;
		r = r < 0 ? r : diff_walk_dir(d, t->path, e);
		free(t);
	}
	buf_puts(&d->deleted, "]\n");
	return r < 0 ? r : tarout_end(&d->tar, e);
}

/* ---- the whole ---- */

static int write_deleted(struct diff *d, int to, struct err *e)
{
	auto_fd int fd = openat(to, "deleted.files", O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	ssize_t n = 0;

	while (fd >= 0 && n >= 0 && d->deleted.len > 0)
		n = buf_write(&d->deleted, fd);
	return fd < 0 || n < 0 ? err_os(e, ERR_INTERNAL, "write deleted.files") : 0;
}

static int diff_open(struct diff *d, const struct layer_spec *s, const char *upper, int fds[LAYER_PARENTS_MAX],
		     struct err *e)
{
	auto_fd int root = open(s->root, O_PATH | O_DIRECTORY | O_CLOEXEC);

	if (root < 0)
		return err_os(e, ERR_INTERNAL, "open %s", s->root);
	d->upper = open(upper, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (d->upper < 0)
		return err_os(e, ERR_INTERNAL, "open %s", upper);
	return layer_open_parents(root, s->parents, fds, &d->below.n, e);
}

static void diff_free(struct diff *d)
{
	if (d->upper >= 0)
		close(d->upper);
	tarout_close(&d->tar);
	buf_free(&d->deleted);
	map_free(&d->links);
	arena_free(d->arena);
	free(d);
}

static struct diff *diff_new(int tar, struct answer *out)
{
	struct diff *d = new_zero(struct diff);

	d->upper = -1;
	d->arena = arena_new();
	d->out = out;
	tarout_open(&d->tar, tar);
	return d;
}

int archive_layer(const struct layer_spec *s, const char *layer, const char *to, struct answer *out,
		  struct err *e)
{
	auto_fd int tar = open(to, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	struct space min_free;
	char path[PATH_MAX];
	struct diff *d;
	int r;

	if (tar < 0)
		return err_os(e, ERR_INTERNAL, "write %s", to);
	if (space_parse(s->min_free, &min_free, e) < 0 || space_check(&min_free, tar, e) < 0)
		return -1;
	snprintf(path, sizeof(path), "%s/layers/%s", s->root, layer);
	d = diff_new(tar, out);
	d->whole = true;
	d->upper = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	r = d->upper < 0 ? err_os(e, ERR_INTERNAL, "open %s", path) : diff_walk(d, e);
	diff_free(d);
	*out = (struct answer){ 0 };
	return r < 0 ? -1 : intake_digest(to, out, e);
}

int archive_diff(const struct layer_spec *s, const char *upper, const char *to, struct answer *out, struct err *e)
{
	auto_fd int dir = open(to, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	auto_fd int tar = dir < 0 ? -1 : openat(dir, "rootfs-diff.tar", O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	int fds[LAYER_PARENTS_MAX], r;
	struct diff *d;

	if (tar < 0)
		return err_os(e, ERR_INTERNAL, "write %s/rootfs-diff.tar", to);
	d = diff_new(tar, out);
	d->below.layers = fds;
	r = diff_open(d, s, upper, fds, e);
	if (r == 0)
		r = diff_walk(d, e);
	if (r == 0)
		r = write_deleted(d, dir, e);
	for (size_t i = 0; i < d->below.n; i++)
		close(fds[i]);
	diff_free(d);
	return r;
}
