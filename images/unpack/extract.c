/* extract.c - see extract.h. A file costs openat, write, futimens and close; other calls are made only for attributes
 * that differ from those of a new file. The umask is 0. */
#include "images/unpack/extract.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "images/unpack/dirs.h"
#include "images/path.h"
#include "images/tree.h"
#include "images/unpack/whiteout.h"
#include "reactor/log.h"
#include "reactor/own.h"

enum { BLOCK_BYTES = 4096 };
enum { SPACE_EVERY_BYTES = 8 << 20, SPACE_EVERY_INODES = 512 };

struct extract {
	struct extract_spec spec;
	struct extracted *out;
	struct dirs dirs;
	struct tar *tar;
	const struct tar_entry *n; /* being extracted */
	char path[PATH_MAX];       /* canonical as text; after dirs_enter() also free of symlinks */
	const char *base;          /* its last component */
	uint64_t devices, unchecked_bytes, unchecked_inodes;
};

/* A system call failed on the current entry. */
static int extract_os_fail(struct extract *x, struct err *e, const char *what)
{
	return err_os(e, errno == EFBIG ? ERR_RESOURCE_EXHAUSTED : ERR_INTERNAL, "%s: %s", log_quote(x->path), what);
}

static int extract_refuse(struct extract *x, struct err *e, const char *why)
{
	return err_set(e, ERR_INVALID_ARGUMENT, "%s: %s", log_quote(x->path), why);
}

static int extract_account(struct extract *x, uint64_t bytes, uint64_t inodes, struct err *e)
{
	x->out->bytes += bytes;
	x->out->inodes += inodes;
	x->unchecked_bytes += bytes;
	x->unchecked_inodes += inodes;
	if (x->out->inodes > EXTRACT_INODES_MAX)
		return err_set(e, ERR_RESOURCE_EXHAUSTED, "more than %d files in one layer", EXTRACT_INODES_MAX);
	if (x->dirs.text_bytes + x->spec.report->text_bytes > EXTRACT_NAMES_MAX)
		return err_set(e, ERR_RESOURCE_EXHAUSTED, "directory and link names of more than %d bytes in one layer",
			       EXTRACT_NAMES_MAX);
	if (x->unchecked_bytes < SPACE_EVERY_BYTES && x->unchecked_inodes < SPACE_EVERY_INODES)
		return 0;
	x->unchecked_bytes = x->unchecked_inodes = 0;
	return space_check(&x->spec.min_free, x->spec.root, e);
}

/* ---- attributes ---- */

static bool is_ours_to_set(const char *name)
{
	return strncmp(name, "user.", 5) == 0 || strcmp(name, "security.capability") == 0 ||
	       strcmp(name, "system.posix_acl_access") == 0 || strcmp(name, "system.posix_acl_default") == 0;
}

/* fd -1: an object that cannot be opened without side effects; the attributes that are set here are not allowed on such
 * objects. */
static int set_xattrs(struct extract *x, int fd, struct err *e)
{
	for (size_t i = 0; i < x->n->nxattrs; i++) {
		const struct tar_xattr *a = &x->n->xattrs[i];

		if (strncmp(a->name, "trusted.overlay.", 16) == 0)
			return extract_refuse(x, e, "a layer may not set trusted.overlay attributes");
		if (x->n->type == TAR_FILE && !x->spec.files_only && strcmp(a->name, "security.ima") == 0) {
			report_ima(x->spec.report, x->path, a->value, a->size);
		} else if (fd < 0 || !is_ours_to_set(a->name)) {
			x->out->xattrs_left_out++;
		} else if (fsetxattr(fd, a->name, a->value, a->size, 0) < 0) {
			if (errno != ENOTSUP) /* tmpfs before 6.6 has no user.*, some file systems none at all */
				return extract_os_fail(x, e, "set extended attribute");
			x->out->xattrs_left_out++;
		}
	}
	return 0;
}

static bool needs_owner(const struct extract *x)
{
	return x->n->uid || x->n->gid || x->dirs.setgid;
}

/* chown(2) takes setuid, setgid and capabilities away, so it comes first. */
static int set_file_attributes(struct extract *x, int fd, struct err *e)
{
	const struct tar_entry *n = x->n;
	struct timespec times[2] = { n->mtime, n->mtime };

	if (needs_owner(x) && fchown(fd, n->uid, n->gid) < 0)
		return extract_os_fail(x, e, "set owner");
	if ((n->mode & 07000) && fchmod(fd, n->mode) < 0)
		return extract_os_fail(x, e, "set mode");
	if (set_xattrs(x, fd, e) < 0)
		return -1;
	return futimens(fd, times) < 0 ? extract_os_fail(x, e, "set time") : 0;
}

static int set_node_attributes(struct extract *x, struct err *e)
{
	const struct tar_entry *n = x->n;
	struct timespec times[2] = { n->mtime, n->mtime };
	int dir = x->dirs.fd;

	if (needs_owner(x) && fchownat(dir, x->base, n->uid, n->gid, AT_SYMLINK_NOFOLLOW) < 0)
		return extract_os_fail(x, e, "set owner");
	if (n->type != TAR_SYMLINK && (n->mode & 07000) && fchmodat(dir, x->base, n->mode, 0) < 0)
		return extract_os_fail(x, e, "set mode");
	if (set_xattrs(x, -1, e) < 0)
		return -1;
	return utimensat(dir, x->base, times, AT_SYMLINK_NOFOLLOW) < 0 ? extract_os_fail(x, e, "set time") : 0;
}

/* ---- making room ---- */

enum occupant { FREED, FREED_WHITEOUT, KEPT_DIR, SAME_FILE };

static bool same_inode(const struct stat *a, int dir, const char *name)
{
	struct stat b;

	return fstatat(dir, name, &b, AT_SYMLINK_NOFOLLOW) == 0 && a->st_dev == b.st_dev && a->st_ino == b.st_ino;
}

/* An older object has the entry's name. link_dir/link_name: the target of a hard link, which may be that object. */
static int make_room(struct extract *x, int link_dir, const char *link_name, enum occupant *was, struct err *e)
{
	struct stat st;

	if (fstatat(x->dirs.fd, x->base, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return extract_os_fail(x, e, "look up");
	*was = FREED;
	if (S_ISDIR(st.st_mode) && x->n->type == TAR_DIR) {
		*was = KEPT_DIR;
		return 0;
	}
	if (link_dir >= 0 && same_inode(&st, link_dir, link_name)) {
		*was = SAME_FILE;
		return 0;
	}
	if (whiteout_is_device(&st))
		*was = FREED_WHITEOUT;
	if (tree_remove(x->dirs.fd, x->base, e) < 0)
		return err_wrap(e, "replace %s", log_quote(x->path));
	return 0;
}

/* ---- the kinds of entries ---- */

static int write_at(struct extract *x, int fd, const uint8_t *p, size_t n, uint64_t at, struct err *e)
{
	while (n > 0) {
		ssize_t done = pwrite(fd, p, n, (off_t)at);

		if (done < 0 && errno == EINTR)
			continue;
		if (done < 0)
			return extract_os_fail(x, e, "write");
		p += done;
		n -= (size_t)done;
		at += (uint64_t)done;
	}
	return 0;
}

static int write_content(struct extract *x, int fd, struct err *e)
{
	struct content content = { 0 };
	uint64_t offset, end = 0, stored = 0;
	const uint8_t *p;
	ssize_t n;

	while ((n = tar_data(x->tar, &offset, &p, e)) > 0) {
		if (x->spec.contents)
			content_add(&content, offset, p, (size_t)n);
		if (write_at(x, fd, p, (size_t)n, offset, e) < 0 || extract_account(x, (uint64_t)n, 0, e) < 0)
			return -1;
		end = offset + (uint64_t)n;
		stored += (uint64_t)n;
	}
	if (n < 0)
		return -1;
	if (end < x->n->size && ftruncate(fd, (off_t)x->n->size) < 0)
		return extract_os_fail(x, e, "set size");
	if (x->spec.contents && contents_note(x->spec.contents, fd, &content, x->n->size) < 0)
		return extract_os_fail(x, e, "look at");
	return extract_account(x, -stored & (BLOCK_BYTES - 1), 1, e);
}

static int extract_file(struct extract *x, struct err *e)
{
	auto_fd int fd = -1;
	enum occupant was;

	if (x->n->size > x->spec.max_file_bytes)
		return err_set(e, ERR_RESOURCE_EXHAUSTED, "%s: larger than images.max_layer_bytes", log_quote(x->path));
	for (int attempt = 0;; attempt++) {
		fd = openat(x->dirs.fd, x->base, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC,
			    x->n->mode & 0777);
		if (fd >= 0)
			break;
		if (errno != EEXIST || attempt > 0)
			return extract_os_fail(x, e, "create");
		if (make_room(x, -1, NULL, &was, e) < 0)
			return -1;
	}
	return write_content(x, fd, e) < 0 || set_file_attributes(x, fd, e) < 0 ? -1 : 0;
}

static int make_node(struct extract *x)
{
	const struct tar_entry *n = x->n;
	dev_t dev = makedev(n->major, n->minor);
	mode_t mode = n->mode & 0777;

	switch (n->type) {
	case TAR_SYMLINK: return symlinkat(n->link, x->dirs.fd, x->base);
	case TAR_CHAR: return mknodat(x->dirs.fd, x->base, S_IFCHR | mode, dev);
	case TAR_BLOCKDEV: return mknodat(x->dirs.fd, x->base, S_IFBLK | mode, dev);
	default: return mknodat(x->dirs.fd, x->base, S_IFIFO | mode, 0);
	}
}

static int extract_node(struct extract *x, struct err *e)
{
	enum occupant was;

	if (x->n->type == TAR_SYMLINK && (!*x->n->link || strlen(x->n->link) >= PATH_MAX))
		return extract_refuse(x, e, "a symbolic link to nothing, or to a name that is too long");
	if ((x->n->type == TAR_CHAR || x->n->type == TAR_BLOCKDEV) && ++x->devices > EXTRACT_DEVICES_MAX)
		return err_set(e, ERR_RESOURCE_EXHAUSTED, "more than %d device nodes in one layer",
			       EXTRACT_DEVICES_MAX);
	for (int attempt = 0; make_node(x) < 0; attempt++) {
		if (errno != EEXIST || attempt > 0)
			return extract_os_fail(x, e, "create");
		if (make_room(x, -1, NULL, &was, e) < 0)
			return -1;
	}
	return set_node_attributes(x, e) < 0 ? -1 : extract_account(x, 0, 1, e);
}

static int set_dir_attributes(struct extract *x, const char *path, struct err *e)
{
	const struct tar_entry *n = x->n;
	auto_fd int fd = path_open(x->spec.root, path, O_RDONLY | O_DIRECTORY);

	if (fd < 0)
		return extract_os_fail(x, e, "open");
	if (fchown(fd, n->uid, n->gid) < 0)
		return extract_os_fail(x, e, "set owner");
	if (fchmod(fd, n->mode) < 0)
		return extract_os_fail(x, e, "set mode");
	dirs_time(&x->dirs, path, &n->mtime);
	return set_xattrs(x, fd, e);
}

static int extract_dir(struct extract *x, struct err *e)
{
	enum occupant was = FREED;

	for (int attempt = 0; mkdirat(x->dirs.fd, x->base, 0700) < 0; attempt++) {
		if (errno != EEXIST || attempt > 0)
			return extract_os_fail(x, e, "create");
		if (make_room(x, -1, NULL, &was, e) < 0)
			return -1;
		if (was == KEPT_DIR)
			break;
	}
	if (was == FREED_WHITEOUT)
		report_opaque(x->spec.report, x->path);
	report_named(x->spec.report, x->path);
	if (set_dir_attributes(x, x->path, e) < 0)
		return -1;
	return extract_account(x, was == KEPT_DIR ? 0 : BLOCK_BYTES, was != KEPT_DIR, e);
}

/* 1: made; 0: the layer does not have the target. */
static int try_link(struct extract *x, int dir, const char *name, struct err *e)
{
	enum occupant was;

	for (int attempt = 0; linkat(dir, name, x->dirs.fd, x->base, 0) < 0; attempt++) {
		if (errno == ENOENT)
			return 0;
		if (errno == EPERM)
			return extract_refuse(x, e, "a hard link to a directory");
		if (errno != EEXIST || attempt > 0)
			return extract_os_fail(x, e, "link");
		if (make_room(x, dir, name, &was, e) < 0)
			return -1;
		if (was == SAME_FILE)
			return 1;
	}
	return 1;
}

static int extract_link(struct extract *x, struct err *e)
{
	auto_fd int dir = -1;
	char target[PATH_MAX];
	const char *base;
	int r = 0;

	if (path_clean(x->n->link, target, e) < 0)
		return err_wrap(e, "%s: hard link", log_quote(x->path));
	if (!*target)
		return extract_refuse(x, e, "a hard link to nothing");
	dir = path_open_target(x->spec.root, target, &base);
	if (dir >= 0)
		r = try_link(x, dir, base, e);
	else if (errno != ENOENT)
		return extract_refuse(x, e, "the hard link's target is below something that is no directory");
	if (r == 0)
		report_link(x->spec.report, x->path, target);
	return r < 0 ? -1 : extract_account(x, 0, 0, e);
}

/* A whiteout hides what lower layers have under the name. An object of this layer with the same name stays: it hides
 * the lower ones by itself, and a directory does so when it is opaque. */
static int extract_whiteout(struct extract *x, const char *hidden, struct err *e)
{
	char path[PATH_MAX];
	struct stat st;

	if (path_join(path, x->dirs.path, hidden) < 0)
		return extract_refuse(x, e, "the name is too long");
	if (mknodat(x->dirs.fd, hidden, S_IFCHR, makedev(0, 0)) == 0)
		return extract_account(x, 0, 1, e);
	if (errno != EEXIST)
		return extract_os_fail(x, e, "make whiteout");
	if (fstatat(x->dirs.fd, hidden, &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISDIR(st.st_mode)) {
		report_opaque(x->spec.report, path);
		report_named(x->spec.report, path); /* it is opaque, so no lower directory gives it attributes */
	}
	return extract_account(x, 0, 0, e);
}

/* ---- one entry ---- */

/* An entry without a name, or of "." or "/". Writers that made one of another type meant nothing by it, and the root
 * stays a directory. */
static int extract_root(struct extract *x, struct err *e)
{
	if (x->n->type != TAR_DIR)
		return 0;
	return set_dir_attributes(x, "", e);
}

static int extract_special(struct extract *x, enum whiteout kind, const char *hidden, struct err *e)
{
	if (kind == WHITEOUT_OPAQUE)
		report_opaque(x->spec.report, x->dirs.path);
	return kind == WHITEOUT_NAME ? extract_whiteout(x, hidden, e) : 0;
}

static int extract_plain(struct extract *x, struct err *e)
{
	if (x->spec.files_only && x->n->type != TAR_FILE && x->n->type != TAR_DIR &&
	    !(x->spec.links && (x->n->type == TAR_SYMLINK || x->n->type == TAR_HARDLINK)))
		return extract_refuse(x, e, "neither a file nor a directory");
	report_unlink(x->spec.report, x->path);
	switch (x->n->type) {
	case TAR_FILE: return extract_file(x, e);
	case TAR_DIR: return extract_dir(x, e);
	case TAR_HARDLINK: return extract_link(x, e);
	default: return extract_node(x, e);
	}
}

/* AUFS kept the files that have several names in a directory of its own, and Docker's tars of that time have it: other
 * entries are hard links to its files. It exists until the last entry is read. (ARCHITECTURE X80) */
static const char link_store[] = ".wh..wh.plnk";

static bool is_link_store(const struct extract *x, const char *name)
{
	size_t n = sizeof(link_store) - 1;

	return x->n->type == TAR_FILE && strncmp(name, link_store, n) == 0 && name[n] == '/' &&
	       !strchr(name + n + 1, '/');
}

static int drop_link_store(struct extract *x, struct err *e)
{
	report_named(x->spec.report, link_store); /* no lower layer gives it attributes */
	return tree_remove(x->spec.root, link_store, e);
}

static int extract_entry(struct extract *x, struct err *e)
{
	char name[PATH_MAX], dir[PATH_MAX];
	enum whiteout kind;
	const char *hidden = NULL;
	uint64_t made = x->dirs.made;

	if (path_clean(x->n->name, name, e) < 0)
		return -1;
	strcpy(x->path, name);
	if (!*name)
		return extract_root(x, e);
	if (whiteout_of(name, &kind, &hidden, e) < 0)
		return -1;
	if (kind != WHITEOUT_NONE && x->spec.files_only)
		return extract_refuse(x, e, "neither a file nor a directory");
	if (kind == WHITEOUT_SKIP && !is_link_store(x, name))
		return 0;
	path_dir(name, dir);
	if (dirs_enter(&x->dirs, dir, &x->n->mtime, e) < 0)
		return err_wrap(e, "%s", log_quote(name));
	made = x->dirs.made - made;
	if (made > 0 && extract_account(x, made * BLOCK_BYTES, made, e) < 0)
		return -1;
	if (kind == WHITEOUT_OPAQUE || kind == WHITEOUT_NAME)
		return extract_special(x, kind, hidden, e);
	if (path_join(x->path, x->dirs.path, path_base(name)) < 0)
		return extract_refuse(x, e, "the name is too long");
	x->base = path_base(x->path);
	return extract_plain(x, e);
}

/* Hides a path of spec.hidden, as if the tar ended with a whiteout of it. */
static int extract_hide(struct extract *x, const char *raw, struct err *e)
{
	struct tar_entry entry = { .type = TAR_FILE, .link = "" };
	char path[PATH_MAX], dir[PATH_MAX], name[PATH_MAX + 8];

	if (path_clean(raw, path, e) < 0)
		return -1;
	if (!*path)
		return err_set(e, ERR_INVALID_ARGUMENT, "the root itself cannot be deleted");
	path_dir(path, dir);
	snprintf(name, sizeof(name), "%s%s.wh.%s", dir, *dir ? "/" : "", path_base(path));
	entry.name = name;
	x->n = &entry;
	return extract_entry(x, e);
}

static int extract_hide_all(struct extract *x, struct err *e)
{
	for (const char *p = x->spec.hidden; p && *p; p += strlen(p) + 1)
		if (extract_hide(x, p, e) < 0)
			return -1;
	return 0;
}

int extract_all(const struct extract_spec *spec, struct tar *t, struct extracted *out, struct err *e)
{
	struct extract *x = new_zero(struct extract);
	int r;

	x->spec = *spec;
	x->tar = t;
	x->out = out;
	*out = (struct extracted){ .inodes = 1, .bytes = BLOCK_BYTES };
	dirs_open(&x->dirs, spec->root, spec->report);
	r = space_check(&spec->min_free, spec->root, e);
	while (r == 0 && (r = tar_next(t, &x->n, e)) == 1)
		r = extract_entry(x, e);
	if (r == 0)
		r = drop_link_store(x, e);
	if (r == 0)
		r = extract_hide_all(x, e);
	if (r == 0)
		dirs_finish(&x->dirs);
	dirs_close(&x->dirs);
	free(x);
	return r;
}
