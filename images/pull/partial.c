/* partial.c - see partial.h. */
#include "images/pull/partial.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "images/digest.h"
#include "images/discard.h"
#include "images/space.h"
#include "reactor/fault.h"
#include "reactor/log.h"
#include "reactor/loop.h"
#include "reactor/own.h"

/* A write of SLOW_MS or more adds SLOW_WEIGHT to the strain, every other write takes 1 off. SMALL_BYTES: a file that is
 * unlinked at once and needs no child. */
enum { SLOW_MS = 20, SLOW_WEIGHT = 32, SMALL_BYTES = 1 << 20, HOLE_BYTES = 64 << 10 };

/* A file from the future is as good as an old one: the clock was set back, and the file's age is not known. */
enum { FUTURE_S = 60 };

static char dir[PATH_MAX];
static struct space min_free;

static const char *partial_path(const char *digest)
{
	return digest_path(dir, digest);
}

int partial_open_dir(const char *root, const char *free_text, struct err *e)
{
	snprintf(dir, sizeof(dir), "%s/partial", root);
	if (space_parse(free_text, &min_free, e) < 0)
		return -1;
	if (EFFECT(mkdir(dir, 0700)) < 0 && errno != EEXIST)
		return err_os(e, ERR_INTERNAL, "make %s", dir);
	return 0;
}

static int check_space(int fd, uint64_t more, struct err *e)
{
	uint64_t size, left, keep;
	struct statvfs v;

	if (fstatvfs(fd, &v) < 0)
		return err_os(e, ERR_INTERNAL, "statfs %s", dir);
	size = (uint64_t)v.f_blocks * v.f_frsize;
	left = (uint64_t)v.f_bavail * v.f_frsize;
	keep = min_free.percent ? size / 100 * min_free.percent : min_free.bytes;
	if (size > 0 && (left < more || left - more < keep))
		return err_set(e, ERR_RESOURCE_EXHAUSTED, "%" PRIu64 " MiB are left of %" PRIu64 " MiB, and %" PRIu64
			" MiB more are needed (images.min_free)", left >> 20, size >> 20, more >> 20);
	return 0;
}

/* Parts of a blob (ranges.h) leave holes before them. The block before a hole may be filled in part, and blocks have
 * HOLE_BYTES at most. A file system that does not know holes shows none: then the digest finds the damage, and the blob
 * is fetched again. */
static uint64_t whole_bytes(int fd, uint64_t size)
{
	off_t hole = size ? lseek(fd, 0, SEEK_HOLE) : 0;

	if (hole < 0 || (uint64_t)hole >= size)
		return size;
	return hole > 0 ? ((uint64_t)hole - 1) / HOLE_BYTES * HOLE_BYTES : 0;
}

int partial_open(struct partial *p, const char *digest, uint64_t size, bool anew, struct err *e)
{
	const char *path = partial_path(digest);
	struct stat st;

	*p = (struct partial){ 0 };
	p->fd = EFFECT(open(path, O_RDWR | O_CREAT | O_CLOEXEC | (anew ? O_TRUNC : 0), 0600));
	if (p->fd < 0 || fstat(p->fd, &st) < 0)
		return err_os(e, ERR_INTERNAL, "open %s", path);
	if ((uint64_t)st.st_size > size) {
		if (EFFECT(ftruncate(p->fd, 0)) < 0)
			return err_os(e, ERR_INTERNAL, "truncate %s", path);
		st.st_size = 0;
	}
	p->bytes = whole_bytes(p->fd, (uint64_t)st.st_size);
	return check_space(p->fd, size - p->bytes, e);
}

int partial_borrow(struct partial *p, const char *path, uint64_t size, struct err *e)
{
	auto_fd int fd = open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	struct stat st;

	*p = (struct partial){ .fd = -1 };
	if (fd < 0 && (errno == ENOENT || errno == ELOOP))
		return err_set(e, ERR_DATA_LOSS, "the blob is missing");
	if (fd < 0 || fstat(fd, &st) < 0)
		return err_os(e, ERR_INTERNAL, "open %s", path);
	if (!S_ISREG(st.st_mode) || (uint64_t)st.st_size != size)
		return err_set(e, ERR_DATA_LOSS, "the blob has %" PRIu64 " bytes instead of %" PRIu64,
			       (uint64_t)st.st_size, size);
	*p = (struct partial){ .fd = take_fd(&fd), .bytes = size, .borrowed = true };
	return check_space(p->fd, 0, e);
}

int partial_put(struct partial *p, uint64_t offset, const void *bytes, size_t n, struct err *e)
{
	int64_t begun_ns = loop_mono_ns(), took_ms;
	const char *at = bytes;

	if (p->slow)
		return 0;
	for (size_t left = n; left > 0;) {
		ssize_t put = EFFECT(pwrite(p->fd, at, left, (off_t)offset));

		if (put < 0)
			return err_os(e, ERR_INTERNAL, "write to %s", dir);
		at += put;
		offset += (uint64_t)put;
		left -= (size_t)put;
		p->bytes += (uint64_t)put;
	}
	took_ms = (loop_mono_ns() - begun_ns) / 1000000;
	/* A single slow write may only mean that this process got no CPU. Throttling by the kernel
	 * (balance_dirty_pages()) hits about every eighth write of 16 KiB, so that three slow writes come within 32. */
	p->strain = took_ms >= SLOW_MS ? p->strain + SLOW_WEIGHT : p->strain - (p->strain > 0);
	p->slow = p->strain > 2 * SLOW_WEIGHT;
	if (p->slow)
		log_info("partial_slow bytes=%zu took_ms=%" PRId64, n, took_ms);
	return 0;
}

void partial_close(struct partial *p, const char *digest)
{
	if (p->fd < 0)
		return;
	if (p->bytes == 0 && !p->borrowed)
		EFFECT(unlink(partial_path(digest)));
	close(take_fd(&p->fd));
}

/* unlink(2) of a large file frees its pages, which takes 2 to 6 ms for 20 MiB: a child does it. */
bool partial_drop(struct partial *p, const char *digest)
{
	bool small = p && p->bytes < SMALL_BYTES;
	struct err e;

	if (p && p->fd >= 0)
		close(take_fd(&p->fd));
	if (p)
		p->bytes = 0;
	if (small)
		return EFFECT(unlink(partial_path(digest))) == 0 || errno == ENOENT;
	if (discard(partial_path(digest), &e) == 0)
		return true;
	log_warn("partial_left digest=%.19s error=%s", digest, log_quote(e.msg));
	return false; /* its age ends it: partial_each_old() */
}

void partial_each_old(int64_t age_s, partial_fn *fn, void *arg)
{
	auto_dir DIR *d = opendir(dir);
	int64_t now_s = loop_real_ns() / 1000000000;
	char digest[DIGEST_SIZE];
	struct stat st;

	for (struct dirent *f = d ? readdir(d) : NULL; f; f = readdir(d)) {
		snprintf(digest, sizeof(digest), "sha256:%.64s", f->d_name);
		if (digest_valid(digest) && fstatat(dirfd(d), f->d_name, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
		    (now_s - st.st_mtime >= age_s || st.st_mtime > now_s + FUTURE_S))
			fn(arg, digest, (uint64_t)st.st_blocks * 512);
	}
}
