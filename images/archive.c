/* archive.c - see archive.h. Each job is one child; directories are made below <root>/ingest and renamed when whole. */
#include "images/archive.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "images/config.h"
#include "images/snapshot.h"
#include "images/unpack.h"
#include "images/worker.h"
#include "reactor/arena.h"
#include "reactor/buf.h"
#include "reactor/child.h"
#include "reactor/fault.h"
#include "reactor/list.h"
#include "reactor/loop.h"
#include "reactor/own.h"

enum { TAR_FD = 3, HIDDEN_FD = 4 };

struct archive {
	struct arena *arena;
	struct child *child;
	struct timer timer;          /* for an end without a child */
	char name[UNPACK_NAME_SIZE]; /* below ingest; "": nothing is made there */
	const char *dir;             /* unpack: what it becomes */
	const char *snapshot;        /* apply: whose writable part it becomes */
	struct err err;
	archive_done *done;
	void *arg;
};

static struct archive *archive_new(archive_done *done, void *arg)
{
	struct arena *arena = arena_new();
	struct archive *a = arena_zalloc(arena, sizeof(*a));

	a->arena = arena;
	a->done = done;
	a->arg = arg;
	return a;
}

static void drop_ingest(struct archive *a)
{
	if (*a->name)
		unpack_remove_tree(worker_ingest(a->arena, a->name));
}

static void archive_report(struct archive *a, const struct err *e)
{
	a->done(a->arg, e);
	timer_clear(&a->timer);
	arena_free(a->arena);
}

void archive_cancel(struct archive *a)
{
	timer_clear(&a->timer);
	if (a->child)
		child_cancel(a->child);
	drop_ingest(a);
	arena_free(a->arena);
}

static void on_archive_early_end(struct timer *t)
{
	struct archive *a = container_of(t, struct archive, timer);

	archive_report(a, a->err.code == ERR_OK ? NULL : &a->err);
}

/* Ends in the next turn without a child: with a->err, or with success if that is not set. */
static struct archive *archive_end_early(struct archive *a)
{
	timer_set(&a->timer, 0, on_archive_early_end);
	return a;
}

static int archive_move_in(struct archive *a, struct err *e)
{
	const char *fs = arena_printf(a->arena, "%s/fs", worker_ingest(a->arena, a->name));

	if (a->snapshot)
		return snapshot_replace(a->snapshot, fs, e);
	return EFFECT(rename(fs, a->dir)) < 0 ? err_os(e, ERR_INTERNAL, "rename %s to %s", fs, a->dir) : 0;
}

static void on_archive_end(void *arg, const struct err *failed, struct child_result *r)
{
	struct archive *a = arg;
	struct answer answer;
	struct err e;
	int bad = worker_answer(failed, r, &answer, &e);

	a->child = NULL;
	if (bad == 0 && *a->name)
		bad = archive_move_in(a, &e);
	drop_ingest(a);
	archive_report(a, bad < 0 ? &e : NULL);
}

struct archive *archive_diff(const char *snapshot, const char *dir, archive_done *done, void *arg)
{
	struct archive *a = archive_new(done, arg);
	const char *const *layers = snapshot_layers(snapshot, a->arena);
	struct worker c;

	if (!layers) {
		err_set(&a->err, ERR_INTERNAL, "snapshot %.128s does not exist", snapshot);
		return archive_end_early(a);
	}
	worker_open(&c, a->arena, "diff");
	worker_add(&c, images_config()->root);
	worker_add(&c, snapshot_upper(snapshot, a->arena));
	worker_add(&c, arena_strdup(a->arena, dir));
	worker_add_parents(&c, layers);
	a->child = child_start(&c.spec, on_archive_end, a);
	return a;
}

struct archive *archive_pack(const char *dir, const char *location, const char *log, archive_done *done, void *arg)
{
	struct archive *a = archive_new(done, arg);
	struct worker c;

	worker_open(&c, a->arena, "pack");
	worker_add(&c, arena_strdup(a->arena, dir));
	worker_add(&c, arena_strdup(a->arena, location));
	if (log)
		worker_add_option(&c, "log", log);
	a->child = child_start(&c.spec, on_archive_end, a);
	return a;
}

/* Of such a tar no digests are known. */
static void archive_untar(struct archive *a, struct worker *c)
{
	unpack_new_name("sha256:ckpt", a->name);
	worker_open(c, a->arena, "untar");
	worker_add(c, images_config()->root);
	worker_add(c, a->name);
	worker_add_number(c, "max-bytes", images_config()->max_layer_bytes);
	worker_add_option(c, "min-free", images_config()->min_free);
}

struct archive *archive_unpack(const char *location, const char *dir, archive_done *done, void *arg)
{
	struct archive *a = archive_new(done, arg);
	struct worker c;

	a->dir = arena_strdup(a->arena, dir);
	archive_untar(a, &c);
	worker_add_option(&c, "blob", arena_strdup(a->arena, location));
	worker_add(&c, "--files-only");
	a->child = child_start(&c.spec, on_archive_end, a);
	return a;
}

struct archive *archive_take(const struct strings *layers, const char *dir, archive_done *done, void *arg)
{
	struct archive *a = archive_new(done, arg);
	const char **list = arena_zalloc(a->arena, (layers->n + 1) * sizeof(*list));
	struct worker c;

	for (size_t i = 0; i < layers->n; i++)
		list[i] = layers->at[i];
	a->dir = arena_strdup(a->arena, dir);
	unpack_new_name("sha256:ckpt", a->name);
	worker_open(&c, a->arena, "take");
	worker_add(&c, images_config()->root);
	worker_add(&c, a->name);
	worker_add_parents(&c, list);
	a->child = child_start(&c.spec, on_archive_end, a);
	return a;
}

/* A memfd with the paths, each followed by a NUL. */
static int list_fd(const struct strings *paths, struct err *e)
{
	auto_fd int fd = memfd_create("deleted", MFD_CLOEXEC);
	struct buf text = { 0 };
	ssize_t n = 0;

	for (size_t i = 0; i < paths->n; i++)
		buf_append(&text, paths->at[i], strlen(paths->at[i]) + 1);
	while (fd >= 0 && n >= 0 && text.len > 0)
		n = buf_write(&text, fd);
	buf_free(&text);
	if (fd < 0 || n < 0 || lseek(fd, 0, SEEK_SET) < 0)
		return err_os(e, ERR_INTERNAL, "list of deleted files");
	return take_fd(&fd);
}

struct archive *archive_apply(const char *dir, const struct strings *deleted, const char *snapshot, archive_done *done,
			      void *arg)
{
	struct archive *a = archive_new(done, arg);
	const char *path = arena_printf(a->arena, "%s/rootfs-diff.tar", dir);
	bool has_tar = access(path, F_OK) == 0;
	auto_fd int tar = -1, list = -1;
	struct worker c;

	if (!has_tar && deleted->n == 0)
		return archive_end_early(a);
	tar = memfd_create("empty", MFD_CLOEXEC);
	list = tar < 0 ? -1 : list_fd(deleted, &a->err);
	if (list < 0) {
		if (a->err.code == ERR_OK)
			err_os(&a->err, ERR_INTERNAL, "memfd");
		return archive_end_early(a);
	}
	a->snapshot = arena_strdup(a->arena, snapshot);
	archive_untar(a, &c);
	if (has_tar) {
		worker_add_option(&c, "blob", path);
	} else {
		worker_add_number(&c, "size", 0);
		worker_add_number(&c, "blob-bytes", 0);
		worker_add_number(&c, "blob-fd", TAR_FD);
		c.fds[c.spec.nfds++] = (struct child_fd){ tar, TAR_FD };
	}
	worker_add_number(&c, "hidden-fd", HIDDEN_FD);
	worker_add_parents(&c, snapshot_layers(snapshot, a->arena));
	c.fds[c.spec.nfds++] = (struct child_fd){ list, HIDDEN_FD };
	a->child = child_start(&c.spec, on_archive_end, a);
	return a;
}
