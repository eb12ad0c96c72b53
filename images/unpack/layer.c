/* layer.c - see layer.h. The outer half of the program: it makes and finishes directories and never reads the tar. */
#include "images/unpack/layer.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "images/unpack/inner.h"
#include "images/unpack/merge.h"
#include "images/path.h"
#include "images/unpack/sum.h"
#include "images/tree.h"
#include "images/unpack/volumes.h"
#include "reactor/log.h"
#include "reactor/own.h"

enum { NEED_MAX = 256 << 20, HIDDEN_MAX = 16 << 20 };

struct work {
	const struct layer_spec *spec;
	int root, ingest, dir, fs; /* <root>, /ingest, /<name>, /fs */
	struct space min_free;
	int parents[LAYER_PARENTS_MAX];
	size_t nparents;
	struct report report;
	struct contents contents; /* untar: of the files that the inner half wrote */
};

static int make_dir(int at, const char *name, mode_t mode, bool may_exist, struct err *e)
{
	int fd;

	if (mkdirat(at, name, mode) < 0 && !(may_exist && errno == EEXIST))
		return err_os(e, ERR_INTERNAL, "make directory %s", name);
	fd = path_open(at, name, O_RDONLY | O_DIRECTORY);
	return fd < 0 ? err_os(e, ERR_INTERNAL, "open directory %s", name) : fd;
}

int layer_open_parents(int root, const char *list, int fds[LAYER_PARENTS_MAX], size_t *n_fds, struct err *e)
{
	char name[NAME_MAX + 1];

	for (const char *p = list; p && *p;) {
		size_t n = strcspn(p, ":");
		auto_fd int layers = path_open(root, "layers", O_PATH | O_DIRECTORY);
		int fd;

		if (n == 0 || n > NAME_MAX || memchr(p, '/', n) || *n_fds == LAYER_PARENTS_MAX)
			return err_set(e, ERR_INTERNAL, "bad list of parents");
		memcpy(name, p, n);
		name[n] = '\0';
		fd = layers < 0 ? -1 : path_open(layers, name, O_RDONLY | O_DIRECTORY);
		if (fd < 0)
			return err_os(e, ERR_INTERNAL, "open layer %s", name);
		fds[(*n_fds)++] = fd;
		p += n + (p[n] == ':');
	}
	return 0;
}

static int work_open(struct work *w, const struct layer_spec *s, struct err *e)
{
	*w = (struct work){ .spec = s, .root = -1, .ingest = -1, .dir = -1, .fs = -1 };
	report_open(&w->report);
	umask(0);
	if (space_parse(s->min_free, &w->min_free, e) < 0)
		return -1;
	w->root = open(s->root, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (w->root < 0)
		return err_os(e, ERR_INTERNAL, "open %s", s->root);
	if (mkdirat(w->root, "layers", 0700) < 0 && errno != EEXIST)
		return err_os(e, ERR_INTERNAL, "make directory layers");
	if ((w->ingest = make_dir(w->root, "ingest", 0700, true, e)) < 0 ||
	    (w->dir = make_dir(w->ingest, s->name, 0700, false, e)) < 0 ||
	    (w->fs = make_dir(w->dir, "fs", 0755, false, e)) < 0)
		return -1;
	return layer_open_parents(w->root, s->parents, w->parents, &w->nparents, e);
}

static int work_close(struct work *w, int r)
{
	struct err e;

	if (r < 0 && w->dir >= 0 && tree_remove(w->ingest, w->spec->name, &e) < 0)
		log_warn("leave path=%s/ingest/%s error=%s", w->spec->root, w->spec->name, log_quote(e.msg));
	report_close(&w->report);
	contents_free(&w->contents);
	for (size_t i = 0; i < w->nparents; i++)
		close(w->parents[i]);
	for (int *fd = &w->root; fd <= &w->fs; fd++)
		if (*fd >= 0)
			close(*fd);
	return r;
}

static int write_need(struct work *w, struct err *e)
{
	auto_fd int fd = openat(w->dir, "need", O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	struct buf text = { 0 };
	ssize_t n = 0;

	report_encode(&w->report, &text);
	while (fd >= 0 && n >= 0 && text.len > 0)
		n = buf_write(&text, fd);
	buf_free(&text);
	return fd < 0 || n < 0 ? err_os(e, ERR_INTERNAL, "write need") : 0;
}

static int read_need(struct work *w, int from, struct err *e)
{
	auto_fd int fd = path_open(from, "need", O_RDONLY);
	struct buf text = { 0 };
	ssize_t n = fd < 0 ? -1 : 1;
	int r;

	while (n > 0 && text.len < NEED_MAX)
		n = buf_read(&text, fd, 1 << 20);
	r = n < 0 ? err_os(e, ERR_INTERNAL, "read need of layer %s", w->spec->from)
		  : report_decode(&w->report, (const char *)text.at, text.len, e);
	buf_free(&text);
	return r;
}

/* The text ends with an empty path: a second NUL. */
static int read_hidden(int fd, struct buf *text, struct err *e)
{
	ssize_t n = fd < 0 ? 0 : 1;

	while (n > 0 && text->len <= HIDDEN_MAX)
		n = buf_read(text, fd, 1 << 20);
	if (n < 0)
		return err_os(e, ERR_INTERNAL, "read the list of deleted files");
	if (text->len > HIDDEN_MAX)
		return err_set(e, ERR_RESOURCE_EXHAUSTED, "the list of deleted files has more than %d bytes",
			       HIDDEN_MAX);
	buf_append(text, "\0", 2);
	return 0;
}

/* NULL: a link may have brought a file of a lower layer, whose inode may have the number of a removed one. */
static const struct contents *layer_contents(const struct work *w)
{
	return w->report.link_at.used > 0 ? NULL : &w->contents;
}

static int layer_do_untar(struct work *w, struct answer *out, struct err *e)
{
	const struct layer_spec *s = w->spec;
	struct inner_spec inner = {
		.dir_fd = w->dir,
		.path = "fs",
		.min_free = w->min_free,
		.files_only = s->files_only,
		.file = s->file,
		.links = s->links,
		.contents = s->diff_id && !s->files_only ? &w->contents : NULL,
		.stream = { .source = { s->blob_fd, STDIN_FILENO, s->blob_bytes, s->size_bytes, s->grows },
			    .digest = s->digest,
			    .diff_id = s->diff_id,
			    .max_bytes = s->max_bytes },
	};
	const struct view parents = { w->parents, w->nparents };
	struct buf hidden = { 0 };
	struct extracted x;
	int r = read_hidden(s->hidden_fd, &hidden, e);

	inner.hidden = (const char *)hidden.at;
	if (r == 0)
		r = inner_run(&inner, &x, &w->report, e);
	buf_free(&hidden);
	if (r < 0 || merge_mark_opaque(w->fs, &w->report, e) < 0 ||
	    merge_set_ima(w->fs, &w->report, &x.xattrs_left_out, e) < 0)
		return -1;
	*out = (struct answer){ x.bytes, x.inodes, x.xattrs_left_out, report_self_contained(&w->report), true,
				      "" };
	if (s->files_only)
		return 0;
	if (!out->self_contained && !s->parents) {
		out->finished = false;
		return write_need(w, e);
	}
	if (!out->self_contained && merge_finish(w->fs, &parents, &w->report, &w->min_free, e) < 0)
		return -1;
	return s->diff_id ? sum_tree(w->fs, false, layer_contents(w), out->digest, e) : 0;
}

static int layer_do_merge(struct work *w, struct answer *out, struct err *e)
{
	const struct view parents = { w->parents, w->nparents };
	struct tree_usage usage;
	char path[PATH_MAX];
	auto_fd int from = -1, fs = -1, layers = path_open(w->root, "layers", O_PATH | O_DIRECTORY);

	from = layers < 0 ? -1 : path_open(layers, w->spec->from, O_RDONLY | O_DIRECTORY);
	fs = from < 0 ? -1 : path_open(from, "fs", O_RDONLY | O_DIRECTORY);
	if (fs < 0)
		return err_os(e, ERR_INTERNAL, "open layer %s", w->spec->from);
	if (read_need(w, from, e) < 0 || merge_clone(fs, w->fs, e) < 0 ||
	    merge_finish(w->fs, &parents, &w->report, &w->min_free, e) < 0)
		return -1;
	snprintf(path, sizeof(path), "%s/ingest/%s/fs", w->spec->root, w->spec->name);
	if (tree_usage(path, &usage, e) < 0)
		return -1;
	*out = (struct answer){ usage.bytes, usage.inodes, 0, false, true, "" };
	return sum_tree(w->fs, false, NULL, out->digest, e);
}

/* ---- an image of a checkpoint ---- */

static int take_file(struct work *w, const char *path, size_t *layer, struct answer *out, struct err *e)
{
	const struct view view = { w->parents, w->nparents };
	struct view_hit hit;
	int r = view_look(&view, path, &hit);

	if (r < 0)
		return err_os(e, ERR_INTERNAL, "look for %.200s", path);
	if (r == 0 || (layer && hit.layer != *layer))
		return 0;
	if (!S_ISREG(hit.st.st_mode))
		return err_set(e, ERR_INVALID_ARGUMENT, "%.200s: not a file", path);
	if (linkat(w->parents[hit.layer], path, w->fs, path, 0) < 0)
		return err_os(e, ERR_INTERNAL, "link %.200s", path);
	out->inodes++;
	out->bytes += (uint64_t)hit.st.st_size;
	return 0;
}

/* The files below checkpoint/ in one layer, except those that a higher layer has too. */
static int take_images(struct work *w, size_t layer, struct answer *out, struct err *e)
{
	auto_fd int fd = path_open(w->parents[layer], "checkpoint", O_RDONLY | O_DIRECTORY);
	auto_dir DIR *list = fd < 0 ? NULL : fdopendir(fd);
	char path[NAME_MAX + 16];
	struct dirent *n;

	if (!list)
		return 0;
	fd = -1; /* closedir(3) closes it */
	while ((errno = 0, n = readdir(list))) {
		snprintf(path, sizeof(path), "checkpoint/%s", n->d_name);
		if (strcmp(n->d_name, ".") == 0 || strcmp(n->d_name, "..") == 0)
			continue;
		if (take_file(w, path, &layer, out, e) < 0)
			return -1;
	}
	return errno ? err_os(e, ERR_INTERNAL, "list checkpoint") : 0;
}

static int layer_do_take(struct work *w, struct answer *out, struct err *e)
{
	static const char *const names[] = { "config.dump", "spec.dump", "crisp.dump", "deleted.files",
					     "rootfs-diff.tar" };

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (take_file(w, names[i], NULL, out, e) < 0)
			return -1;
	if (mkdirat(w->fs, "checkpoint", 0700) < 0)
		return err_os(e, ERR_INTERNAL, "make directory checkpoint");
	for (size_t i = 0; i < w->nparents; i++)
		if (take_images(w, i, out, e) < 0)
			return -1;
	return 0;
}

int layer_take(const struct layer_spec *s, struct answer *out, struct err *e)
{
	struct work w;

	return work_close(&w, work_open(&w, s, e) < 0 ? -1 : layer_do_take(&w, out, e));
}

/* ---- the VOLUMEs of an image ---- */

static int layer_do_volumes(struct work *w, const struct layer_volumes_spec *v, struct answer *out, struct err *e)
{
	const struct view view = { w->parents, w->nparents };
	auto_free struct shift *uids = own_must(calloc(1, sizeof(*uids)));
	auto_free struct shift *gids = own_must(calloc(1, sizeof(*gids)));
	const struct volumes_spec spec = { &view, v->paths, v->n, w->fs, w->spec->max_bytes, w->min_free, uids, gids };
	struct volumes_made made;

	if (shift_parse(v->uids, uids, e) < 0 || shift_parse(v->gids, gids, e) < 0 || volumes_fill(&spec, &made, e) < 0)
		return -1;
	*out = (struct answer){ made.bytes, made.inodes, 0, false, true, "" };
	return 0;
}

int layer_volumes(const struct layer_spec *s, const struct layer_volumes_spec *v, struct answer *out,
		  struct err *e)
{
	struct work w;

	return work_close(&w, work_open(&w, s, e) < 0 ? -1 : layer_do_volumes(&w, v, out, e));
}

int layer_sum(const struct layer_spec *s, struct answer *out, struct err *e)
{
	auto_fd int root = open(s->root, O_PATH | O_DIRECTORY | O_CLOEXEC);
	auto_fd int layers = root < 0 ? -1 : path_open(root, "layers", O_PATH | O_DIRECTORY);
	auto_fd int fd = -1;

	if (layers < 0)
		return err_os(e, ERR_INTERNAL, "open %s/layers", s->root);
	fd = path_open(layers, s->name, O_RDONLY | O_DIRECTORY);
	if (fd < 0)
		return err_os(e, errno == ENOENT || errno == ENOTDIR ? ERR_DATA_LOSS : ERR_INTERNAL, "open layer %s",
			      s->name);
	return sum_tree(fd, true, NULL, out->digest, e);
}

int layer_untar(const struct layer_spec *s, struct answer *out, struct err *e)
{
	struct work w;

	return work_close(&w, work_open(&w, s, e) < 0 ? -1 : layer_do_untar(&w, out, e));
}

int layer_merge(const struct layer_spec *s, struct answer *out, struct err *e)
{
	struct work w;

	return work_close(&w, work_open(&w, s, e) < 0 ? -1 : layer_do_merge(&w, out, e));
}
