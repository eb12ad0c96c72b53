/* sum.c - see sum.h.
 *
 * Directories wait on a stack of paths, so one is open at a time and the depth has no limit. It is the working
 * directory meanwhile: there are no calls that read attributes of a name in an open directory. The order of the walk is
 * the same for the same tree, so the first name of a file with several names is too. */
#include "images/unpack/sum.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "images/path.h"
#include "reactor/arena.h"
#include "reactor/buf.h"
#include "reactor/log.h"
#include "reactor/map.h"
#include "reactor/own.h"

enum { LIST_MAX = 64 << 10 };

struct todo {
	struct todo *next;
	char path[];
};

struct sum {
	int root;
	bool cold;
	const struct contents *known;
	struct digest_state *digest;
	struct arena *arena;
	struct map links;  /* "dev:ino" of a file with several names -> its first one */
	struct todo *todo; /* directories, a stack */
	struct buf line;
	char path[PATH_MAX]; /* of the file at work */
	char names[LIST_MAX], value[XATTR_SIZE_MAX];
	uint8_t block[CONTENT_BLOCK];
};

static int sum_fail(struct sum *s, struct err *e, const char *what)
{
	/* EUCLEAN, EBADMSG: file systems with checksums say so of damaged blocks. */
	bool damage = errno == EIO || errno == EUCLEAN || errno == EBADMSG || errno == ENOENT || errno == ENOTDIR;

	return err_os(e, damage ? ERR_DATA_LOSS : ERR_INTERNAL, "%s %s", what,
		      *s->path ? log_quote(s->path) : "the layer");
}

static void sum_push(struct sum *s, const char *path)
{
	struct todo *t = own_must(malloc(sizeof(*t) + strlen(path) + 1));

	strcpy(t->path, path);
	t->next = s->todo;
	s->todo = t;
}

/* ---- attributes ---- */

/* Those that crisp-unpack sets. Others, such as labels, the node may change. */
static bool sum_counts(const char *name)
{
	static const char *const whole[] = { "security.capability", "security.ima", "trusted.overlay.opaque" };

	for (size_t i = 0; i < sizeof(whole) / sizeof(*whole); i++)
		if (strcmp(name, whole[i]) == 0)
			return true;
	return strncmp(name, "user.", 5) == 0 || strncmp(name, "system.posix_acl_", 17) == 0;
}

static int by_text(const void *x, const void *y)
{
	return strcmp(*(const char *const *)x, *(const char *const *)y);
}

static int sum_attribute(struct sum *s, const char *file, const char *name, struct err *e)
{
	ssize_t n = lgetxattr(file, name, s->value, sizeof(s->value));

	if (n < 0)
		return sum_fail(s, e, "read an attribute of");
	buf_printf(&s->line, " %s=%zd:", name, n);
	buf_append(&s->line, s->value, (size_t)n);
	return 0;
}

static int sum_attributes(struct sum *s, const char *file, struct err *e)
{
	ssize_t len = llistxattr(file, s->names, sizeof(s->names));
	auto_free const char **kept = NULL;
	size_t n = 0;

	if (len <= 0)
		return len == 0 || errno == ENOTSUP ? 0 : sum_fail(s, e, "list the attributes of");
	kept = own_must(calloc((size_t)len / 2 + 1, sizeof(*kept)));
	for (const char *name = s->names; name < s->names + len; name += strlen(name) + 1)
		if (sum_counts(name))
			kept[n++] = name;
	qsort(kept, n, sizeof(*kept), by_text);
	for (size_t i = 0; i < n; i++)
		if (sum_attribute(s, file, kept[i], e) < 0)
			return -1;
	return 0;
}

/* ---- content ---- */

/* Where the data behind `at` begins, at the start of a block (contents.h); -1: there is none, or an error (errno). A
 * file without holes is not asked. */
static off_t sum_data(int fd, off_t at, const struct stat *st)
{
	off_t data;

	if ((uint64_t)st->st_blocks * 512 >= (uint64_t)st->st_size) {
		errno = ENXIO;
		return at < st->st_size ? at : -1;
	}
	data = lseek(fd, at, SEEK_DATA);
	return data < 0 ? -1 : data - data % CONTENT_BLOCK;
}

/* 0: no more data. */
static int sum_block(struct sum *s, int fd, off_t *at, const struct stat *st, struct content *c, struct err *e)
{
	size_t n = 0;

	*at = sum_data(fd, *at, st);
	if (*at < 0)
		return errno == ENXIO ? 0 : sum_fail(s, e, "seek in");
	while (n < CONTENT_BLOCK && *at + (off_t)n < st->st_size) {
		ssize_t got = pread(fd, s->block + n, CONTENT_BLOCK - n, *at + (off_t)n);

		if (got < 0 && errno != EINTR)
			return sum_fail(s, e, "read");
		if (got == 0)
			break;
		n += got > 0 ? (size_t)got : 0;
	}
	content_add(c, (uint64_t)*at, s->block, n);
	*at += CONTENT_BLOCK;
	return n > 0;
}

static int sum_read(struct sum *s, int fd, const struct stat *st, uint64_t *crc, struct err *e)
{
	struct content c = { 0 };
	off_t at = 0;
	int r = 1;

	if (s->cold)
		posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED);
	while (r > 0)
		r = sum_block(s, fd, &at, st, &c, e);
	if (s->cold)
		posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED);
	*crc = content_end(&c, (uint64_t)st->st_size);
	return r;
}

static int sum_content(struct sum *s, const char *name, const struct stat *st, struct err *e)
{
	uint64_t crc;

	if (!s->known || !contents_find(s->known, st->st_ino, &crc)) {
		auto_fd int fd = open(name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);

		if (fd < 0)
			return sum_fail(s, e, "open");
		if (sum_read(s, fd, st, &crc, e) < 0)
			return -1;
	}
	buf_printf(&s->line, " %" PRIu64 " %016" PRIx64, (uint64_t)st->st_size, crc);
	return 0;
}

static int sum_target(struct sum *s, const char *name, struct err *e)
{
	char target[PATH_MAX];
	ssize_t n = readlink(name, target, sizeof(target));

	if (n < 0)
		return sum_fail(s, e, "read");
	buf_printf(&s->line, " %zd:", n);
	buf_append(&s->line, target, (size_t)n);
	return 0;
}

/* ---- one file ---- */

static const char *sum_seen(struct sum *s, const struct stat *st)
{
	char key[64];
	const char *first;

	if (st->st_nlink < 2 || S_ISDIR(st->st_mode))
		return NULL;
	snprintf(key, sizeof(key), "%llx:%llx", (unsigned long long)st->st_dev, (unsigned long long)st->st_ino);
	first = map_get(&s->links, key);
	if (!first)
		map_put(&s->links, arena_strdup(s->arena, key), arena_strdup(s->arena, s->path));
	return first;
}

/* Each part that may hold any bytes has its length before it, so that two trees do not give one text. */
static int sum_file(struct sum *s, const char *name, struct err *e)
{
	const char *first;
	struct stat st;
	int r = 0;

	if (lstat(name, &st) < 0)
		return sum_fail(s, e, "look at");
	buf_free(&s->line);
	buf_printf(&s->line, "%zu:%s", strlen(s->path), s->path);
	first = sum_seen(s, &st);
	if (first) {
		buf_printf(&s->line, " link %zu:%s\n", strlen(first), first);
		digest_update(s->digest, s->line.at, s->line.len);
		return 0;
	}
	buf_printf(&s->line, " %o %u %u", st.st_mode, st.st_uid, st.st_gid);
	if (S_ISREG(st.st_mode)) {
		r = sum_content(s, name, &st, e);
	} else if (S_ISLNK(st.st_mode)) {
		r = sum_target(s, name, e);
	} else if (!S_ISDIR(st.st_mode)) {
		buf_printf(&s->line, " %" PRIu64, (uint64_t)st.st_rdev);
	}
	if (r < 0 || sum_attributes(s, name, e) < 0)
		return -1;
	buf_puts(&s->line, "\n");
	digest_update(s->digest, s->line.at, s->line.len);
	if (S_ISDIR(st.st_mode) && strcmp(name, ".") != 0)
		sum_push(s, s->path);
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

static int sum_dir(struct sum *s, const char *path, struct err *e)
{
	auto_fd int fd = path_open(s->root, path, O_RDONLY | O_DIRECTORY);
	struct dirent **names = NULL;
	int n, r = 0;

	strcpy(s->path, path);
	n = fd < 0 || fchdir(fd) < 0 ? -1 : scandir(".", &names, is_a_name, by_bytes);
	if (n < 0)
		return sum_fail(s, e, "list");
	for (int i = 0; i < n; i++) {
		if (r == 0 && path_join(s->path, path, names[i]->d_name) < 0)
			r = sum_fail(s, e, "list");
		r = r < 0 ? r : sum_file(s, names[i]->d_name, e);
		free(names[i]);
	}
	free(names);
	return r;
}

static int sum_all(struct sum *s, struct err *e)
{
	auto_fd int back = open(".", O_PATH | O_DIRECTORY | O_CLOEXEC);
	int r = back < 0 || fchdir(s->root) < 0 ? sum_fail(s, e, "enter") : sum_file(s, ".", e);

	while (s->todo) {
		struct todo *t = s->todo;

		s->todo = t->next;
		r = r < 0 ? r : sum_dir(s, t->path, e);
		free(t);
	}
	if (back >= 0 && fchdir(back) < 0)
		return err_os(e, ERR_INTERNAL, "go back to the working directory");
	return r;
}

int sum_tree(int fd, bool cold, const struct contents *known, char out[DIGEST_SIZE], struct err *e)
{
	struct sum *s = new_zero(struct sum);
	int r;

	s->root = fd;
	s->cold = cold;
	s->known = known;
	s->digest = digest_new();
	s->arena = arena_new();
	sum_push(s, "");
	r = sum_all(s, e);
	if (r < 0)
		digest_free(s->digest);
	else
		digest_final(s->digest, out);
	buf_free(&s->line);
	map_free(&s->links);
	arena_free(s->arena);
	free(s);
	return r < 0 ? -1 : 0;
}
