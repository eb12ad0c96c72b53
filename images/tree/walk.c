/* walk.c - see tree.h.
 *
 * A level of the walk has the list of subdirectories that are still to be visited, read when the directory is entered,
 * and the directory's device and inode number, which are checked on the way back up. (ARCHITECTURE P25) */
#include "images/tree.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/xattr.h>

#include "images/path.h"
#include "reactor/list.h"
#include "reactor/log.h"
#include "reactor/own.h"

struct subdir {
	struct subdir *next;
	char name[];
};

struct level {
	struct level *up;
	struct subdir *todo; /* while the walk is below this level, it is in the first of these */
	dev_t dev;
	ino_t ino;
};

struct walk {
	bool remove;
	const char *label; /* or NULL */
	struct level *level; /* of the directory `fd` */
	int fd;
	struct tree_usage usage;
	struct inodes *seen; /* the inodes with more than one link; for tree_usage() only */
	int failures;
	struct err first;
};

/* ---- inodes with several links, seen once ---- */

struct inodes {
	struct { dev_t dev; ino_t ino; } *slots;
	size_t size, used;
};

static bool inodes_add(struct inodes *set, dev_t dev, ino_t ino)
{
	size_t i;

	if (set->used * 2 >= set->size) {
		struct inodes bigger = { .size = set->size ? 2 * set->size : 256 };

		bigger.slots = own_must(calloc(bigger.size, sizeof(*bigger.slots)));
		for (i = 0; i < set->size; i++)
			if (set->slots[i].ino)
				inodes_add(&bigger, set->slots[i].dev, set->slots[i].ino);
		free(set->slots);
		*set = bigger;
	}
	for (i = (ino * 0x9e3779b97f4a7c15u ^ dev) & (set->size - 1); set->slots[i].ino; i = (i + 1) & (set->size - 1))
		if (set->slots[i].ino == ino && set->slots[i].dev == dev)
			return false;
	set->slots[i].dev = dev;
	set->slots[i].ino = ino;
	set->used++;
	return true;
}

static void tree_count(struct walk *w, const struct stat *st)
{
	if (st->st_nlink > 1 && !S_ISDIR(st->st_mode) && !inodes_add(w->seen, st->st_dev, st->st_ino))
		return;
	w->usage.inodes++;
	w->usage.bytes += (uint64_t)st->st_blocks * 512;
}

/* ---- removing one name ---- */

static void tree_failed(struct walk *w, const char *what, const char *name)
{
	if (w->failures++ == 0)
		err_os(&w->first, ERR_INTERNAL, "%s %s", what, log_quote(name));
}

/* The flags of chattr +i and +a, which a container with CAP_LINUX_IMMUTABLE may have set. */
static bool take_flags_off(int fd)
{
	int flags;

	if (fd < 0 || ioctl(fd, FS_IOC_GETFLAGS, &flags) < 0 || !(flags & (FS_IMMUTABLE_FL | FS_APPEND_FL)))
		return false;
	flags &= ~(FS_IMMUTABLE_FL | FS_APPEND_FL);
	return ioctl(fd, FS_IOC_SETFLAGS, &flags) == 0;
}

static bool tree_unlock(int dir, const char *name)
{
	struct stat st;
	auto_fd int child = -1;
	bool changed = take_flags_off(dir);

	/* Devices and fifos are not opened: to open them has side effects, and they cannot have the flags. */
	if (fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) == 0 && (S_ISREG(st.st_mode) || S_ISDIR(st.st_mode)))
		child = openat(dir, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	return take_flags_off(child) || changed;
}

/* 0: removed. 1: a directory, which may not be empty; the caller walks it. -1: failed, and counted. */
static int remove_name(struct walk *w, int dir, const char *name, bool is_dir)
{
	int flag = is_dir ? AT_REMOVEDIR : 0;

	for (int attempt = 0;; attempt++) {
		if (unlinkat(dir, name, flag) == 0 || errno == ENOENT)
			return 0;
		if (!is_dir && errno == EISDIR)
			return 1;
		if (is_dir && (errno == ENOTEMPTY || errno == EEXIST))
			return 1;
		if (attempt > 0 || errno != EPERM || !tree_unlock(dir, name))
			break;
	}
	tree_failed(w, "remove", name);
	return -1;
}

/* ---- labels ---- */

#define LABEL_XATTR "security.selinux"

/* The path goes through the open directory's fd, so that only its last component could be a symlink, which the l-calls
 * do not follow. */
static void label_name(struct walk *w, int dir, const char *name)
{
	char path[32 + NAME_MAX + 1], now[512];
	size_t size = strlen(w->label) + 1;
	ssize_t n;

	snprintf(path, sizeof(path), "/proc/self/fd/%d/%s", dir, name);
	n = lgetxattr(path, LABEL_XATTR, now, sizeof(now));
	if (n > 0 && strnlen(now, (size_t)n) == size - 1 && memcmp(now, w->label, size - 1) == 0)
		return;
	if (lsetxattr(path, LABEL_XATTR, w->label, size, 0) < 0 && errno != ENOENT && errno != ENOTSUP)
		tree_failed(w, "label", name);
}

/* ---- the walk ---- */

static void tree_visit(struct walk *w, const char *name, bool is_dir)
{
	struct subdir *s;
	struct stat st;

	if (!w->remove) {
		if (fstatat(w->fd, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
			return;
		if (w->label)
			label_name(w, w->fd, name);
		else
			tree_count(w, &st);
		is_dir = S_ISDIR(st.st_mode);
	} else if (!is_dir && remove_name(w, w->fd, name, false) == 1) {
		is_dir = true;
	}
	if (!is_dir)
		return;
	s = own_must(malloc(sizeof(*s) + strlen(name) + 1));
	strcpy(s->name, name);
	s->next = w->level->todo;
	w->level->todo = s;
}

static int read_level(struct walk *w)
{
	auto_dir DIR *d = NULL;
	int copy = dup(w->fd);

	if (copy < 0)
		return -1;
	d = fdopendir(copy);
	if (!d) {
		close(copy);
		return -1;
	}
	for (struct dirent *n; (errno = 0, n = readdir(d));)
		if (strcmp(n->d_name, ".") != 0 && strcmp(n->d_name, "..") != 0)
			tree_visit(w, n->d_name, n->d_type == DT_DIR);
	return errno ? -1 : 0;
}

static void tree_drop_first(struct level *l)
{
	struct subdir *s = l->todo;

	l->todo = s->next;
	free(s);
}

/* Enters the directory `fd`, which the walk owns from now on. */
static int tree_enter(struct walk *w, int fd)
{
	struct level *l = new_zero(struct level);
	struct stat st;

	l->up = w->level;
	w->level = l;
	if (w->fd >= 0)
		close(w->fd);
	w->fd = fd;
	if (fstat(fd, &st) < 0)
		return -1;
	l->dev = st.st_dev;
	l->ino = st.st_ino;
	return read_level(w);
}

/* Goes back to the level above; the directory that is left is the first in that level's list. */
static int tree_leave(struct walk *w)
{
	struct level *l = w->level, *up = l->up;
	struct stat st;
	int fd;

	w->level = up;
	free(l);
	if (!up)
		return 0;
	fd = openat(w->fd, "..", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	close(w->fd);
	w->fd = fd;
	if (fd < 0 || fstat(fd, &st) < 0)
		return -1;
	if (st.st_dev != up->dev || st.st_ino != up->ino) {
		errno = ESTALE;
		return -1;
	}
	if (w->remove && remove_name(w, fd, up->todo->name, true) == 1)
		tree_failed(w, "remove", up->todo->name);
	tree_drop_first(up);
	return 0;
}

static int walk_down(struct walk *w)
{
	while (w->level) {
		const char *name;
		int fd;

		if (!w->level->todo) {
			if (tree_leave(w) < 0)
				return -1;
			continue;
		}
		name = w->level->todo->name;
		fd = w->label ? openat(w->fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)
			      : path_open(w->fd, name, O_RDONLY | O_DIRECTORY);
		if (fd >= 0) {
			if (tree_enter(w, fd) < 0)
				return -1;
			continue;
		}
		if (errno != ENOENT && errno != ENOTDIR && (w->remove || errno != EXDEV))
			tree_failed(w, "enter", name);
		tree_drop_first(w->level);
	}
	return 0;
}

static void walk_close(struct walk *w)
{
	while (w->level) {
		struct level *l = w->level;

		while (l->todo)
			tree_drop_first(l);
		w->level = l->up;
		free(l);
	}
	if (w->fd >= 0)
		close(w->fd);
}

static int tree_outcome(const struct walk *w, struct err *e)
{
	if (w->failures == 0)
		return 0;
	*e = w->first;
	return w->failures == 1 ? -1 : err_wrap(e, "%d failures, the first", w->failures);
}

int tree_remove(int dir_fd, const char *name, struct err *e)
{
	struct walk w = { .remove = true, .fd = -1 };
	int fd, r = remove_name(&w, dir_fd, name, false);

	if (r == 1 && (fd = path_open(dir_fd, name, O_RDONLY | O_DIRECTORY)) >= 0) {
		if (tree_enter(&w, fd) < 0 || walk_down(&w) < 0)
			tree_failed(&w, "walk", name);
		if (remove_name(&w, dir_fd, name, true) == 1)
			tree_failed(&w, "remove", name);
	} else if (r == 1) {
		tree_failed(&w, "enter", name);
	}
	walk_close(&w);
	return tree_outcome(&w, e);
}

int tree_usage(const char *path, struct tree_usage *out, struct err *e)
{
	struct inodes seen = { 0 };
	struct walk w = { .fd = -1, .seen = &seen };
	int fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	struct stat st;

	if (fd < 0 || fstat(fd, &st) < 0)
		return err_os(e, ERR_INTERNAL, "measure %s", path);
	tree_count(&w, &st);
	if (tree_enter(&w, fd) < 0 || walk_down(&w) < 0)
		tree_failed(&w, "walk", path);
	walk_close(&w);
	free(seen.slots);
	*out = w.usage;
	return tree_outcome(&w, e);
}

int tree_label(const char *path, const char *label, struct err *e)
{
	struct walk w = { .fd = -1, .label = label };
	auto_free char *up = own_must(strdup(path));
	char *slash = strrchr(up, '/');
	auto_fd int dir = -1;
	int fd;

	if (!slash || !slash[1])
		return err_set(e, ERR_INTERNAL, "label %s: not the absolute path of a tree", path);
	slash[0] = '\0';
	dir = open(*up ? up : "/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (dir < 0)
		return err_os(e, ERR_INTERNAL, "open %s", up);
	label_name(&w, dir, slash + 1);
	fd = openat(dir, slash + 1, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd >= 0 ? tree_enter(&w, fd) < 0 || walk_down(&w) < 0 : errno != ENOTDIR)
		tree_failed(&w, "walk", path);
	walk_close(&w);
	return tree_outcome(&w, e);
}
