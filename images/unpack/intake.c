/* intake.c - see intake.h. The path comes from a client: its file system may not answer, so this process opens it. */
#include "images/unpack/intake.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "images/digest.h"
#include "images/space.h"
#include "images/unpack/copy.h"
#include "images/path.h"
#include "images/tree.h"
#include "reactor/log.h"
#include "reactor/own.h"

enum { READ_BYTES = 1 << 20, BLOBS_AT_MOST = 100000 };

struct layout {
	const struct layer_spec *spec;
	struct space min_free;
	int to; /* the new directory */
	struct answer *out;
};

static int layout_copy(struct layout *l, int from, int to, const char *name, struct err *e)
{
	struct stat st;

	if (fstatat(from, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return err_os(e, ERR_FAILED_PRECONDITION, "open %.200s", name);
	if (!S_ISREG(st.st_mode))
		return err_set(e, ERR_INVALID_ARGUMENT, "%.200s: not a file", name);
	if ((uint64_t)st.st_size > l->spec->max_bytes - l->out->bytes)
		return err_set(e, ERR_RESOURCE_EXHAUSTED,
			       "the layout has more than %llu bytes (images.max_layer_bytes)",
			       (unsigned long long)l->spec->max_bytes);
	if (space_check(&l->min_free, to, e) < 0)
		return -1;
	l->out->bytes += (uint64_t)st.st_size;
	l->out->inodes++;
	return copy_object(from, name, &st, to, NULL, e);
}

static int layout_make(int at, const char *name, struct err *e)
{
	int fd = mkdirat(at, name, 0700) < 0 ? -1 : path_open(at, name, O_RDONLY | O_DIRECTORY);

	return fd < 0 ? err_os(e, ERR_INTERNAL, "make directory %s", name) : fd;
}

static int layout_copy_blobs(struct layout *l, int from, struct err *e)
{
	auto_fd int blobs = layout_make(l->to, "blobs", e), to = blobs < 0 ? -1 : layout_make(blobs, "sha256", e);
	int copy = path_open(from, "blobs/sha256", O_RDONLY | O_DIRECTORY);
	auto_dir DIR *list = copy < 0 ? NULL : fdopendir(copy);
	char digest[DIGEST_SIZE + 8];
	struct dirent *n;

	if (to < 0)
		return -1;
	if (!list)
		return err_os(e, ERR_FAILED_PRECONDITION, "open blobs/sha256");
	while ((errno = 0, n = readdir(list))) {
		snprintf(digest, sizeof(digest), "sha256:%.66s", n->d_name);
		if (!digest_valid(digest))
			continue;
		if (l->out->inodes > BLOBS_AT_MOST)
			return err_set(e, ERR_RESOURCE_EXHAUSTED, "more than %d blobs", BLOBS_AT_MOST);
		if (layout_copy(l, dirfd(list), to, n->d_name, e) < 0)
			return -1;
	}
	return errno ? err_os(e, ERR_FAILED_PRECONDITION, "list blobs/sha256") : 0;
}

static int layout_take(struct layout *l, int from, struct err *e)
{
	auto_fd int root = open(l->spec->root, O_RDONLY | O_DIRECTORY | O_CLOEXEC), ingest = -1, dir = -1;

	if (root < 0 || (mkdirat(root, "ingest", 0700) < 0 && errno != EEXIST))
		return err_os(e, ERR_INTERNAL, "open %s/ingest", l->spec->root);
	ingest = path_open(root, "ingest", O_RDONLY | O_DIRECTORY);
	if (ingest < 0)
		return err_os(e, ERR_INTERNAL, "open %s/ingest", l->spec->root);
	dir = layout_make(ingest, l->spec->name, e);
	l->to = dir < 0 ? -1 : layout_make(dir, "fs", e);
	if (l->to < 0)
		return -1;
	if (layout_copy(l, from, l->to, "index.json", e) < 0)
		return err_wrap(e, "not an OCI layout");
	return layout_copy_blobs(l, from, e);
}

static int intake_dir(const struct layer_spec *s, int from, struct answer *out, struct err *e)
{
	struct layout l = { .spec = s, .to = -1, .out = out };
	struct err ignored;
	char path[PATH_MAX];
	int r;

	if (space_parse(s->min_free, &l.min_free, e) < 0)
		return -1;
	r = layout_take(&l, from, e);
	if (l.to >= 0)
		close(l.to);
	snprintf(path, sizeof(path), "%s/ingest", s->root);
	if (r < 0) {
		auto_fd int ingest = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

		if (ingest >= 0 && tree_remove(ingest, s->name, &ignored) < 0)
			log_warn("leave path=%s/%s error=%s", path, s->name, log_quote(ignored.msg));
	}
	out->finished = r == 0;
	return r;
}

/* O_NONBLOCK: open(2) of a fifo would block. */
static int intake_open(const char *path, struct stat *st, struct err *e)
{
	auto_fd int fd = open(path, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);

	if (fd < 0 || fstat(fd, st) < 0)
		return err_os(e, ERR_FAILED_PRECONDITION, "open %.300s", path);
	return take_fd(&fd);
}

int intake(const struct layer_spec *spec, const char *path, struct answer *out, struct err *e)
{
	struct layer_spec s = *spec;
	struct stat st;
	auto_fd int fd = intake_open(path, &st, e);

	if (fd < 0)
		return -1;
	if (S_ISDIR(st.st_mode))
		return intake_dir(spec, fd, out, e);
	if (!S_ISREG(st.st_mode))
		return err_set(e, ERR_FAILED_PRECONDITION, "%.300s: neither a file nor a directory", path);
	s.blob_fd = fd;
	s.blob_bytes = s.size_bytes = (uint64_t)st.st_size;
	s.files_only = s.links = true;
	return layer_untar(&s, out, e);
}

int intake_digest(const char *path, struct answer *out, struct err *e)
{
	auto_free char *buf = own_must(malloc(READ_BYTES));
	struct digest_state *sha;
	struct stat st;
	auto_fd int fd = intake_open(path, &st, e);
	ssize_t n = 0;

	if (fd < 0)
		return -1;
	sha = digest_new();
	while ((n = read(fd, buf, READ_BYTES)) > 0) {
		digest_update(sha, buf, (size_t)n);
		out->bytes += (uint64_t)n;
	}
	digest_final(sha, out->digest);
	return n < 0 ? err_os(e, ERR_INTERNAL, "read %.300s", path) : 0;
}
