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
#include "reactor/log.h"
#include "reactor/loop.h"
#include "reactor/own.h"

/* A write of SLOW_MS or more adds SLOW_WEIGHT to the strain, every other write takes 1 off. SMALL_BYTES: a file that is
 * unlinked at once and needs no child. */
enum { SLOW_MS = 20, SLOW_WEIGHT = 32, SMALL_BYTES = 1 << 20 };

static char dir[PATH_MAX];
static unsigned free_percent;
static uint64_t free_bytes;

static const char *partial_path(const char *digest)
{
	return digest_path(dir, digest);
}

static int parse_min_free(const char *text, struct err *e)
{
	static const char *const units[] = { "", "KiB", "MiB", "GiB", "TiB" };
	char *end;
	unsigned long long n = strtoull(text, &end, 10);

	free_percent = 0;
	free_bytes = 0;
	if (end != text && strcmp(end, "%") == 0 && n < 100) {
		free_percent = (unsigned)n;
		return 0;
	}
	for (size_t i = 0; end != text && i < sizeof(units) / sizeof(*units); i++)
		if (strcmp(end, units[i]) == 0 && n <= UINT64_MAX >> 10 * i) {
			free_bytes = (uint64_t)n << 10 * i;
			return 0;
		}
	return err_set(e, ERR_INVALID_ARGUMENT, "images.min_free: %s is not a size", log_quote(text));
}

int partial_open_dir(const char *root, const char *min_free, struct err *e)
{
	snprintf(dir, sizeof(dir), "%s/partial", root);
	if (parse_min_free(min_free, e) < 0)
		return -1;
	if (mkdir(dir, 0700) < 0 && errno != EEXIST)
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
	keep = free_percent ? size / 100 * free_percent : free_bytes;
	if (size > 0 && (left < more || left - more < keep))
		return err_set(e, ERR_RESOURCE_EXHAUSTED, "%" PRIu64 " MiB are left of %" PRIu64 " MiB, and %" PRIu64
			" MiB more are needed (images.min_free)", left >> 20, size >> 20, more >> 20);
	return 0;
}

int partial_open(struct partial *p, const char *digest, uint64_t size, bool anew, struct err *e)
{
	const char *path = partial_path(digest);
	struct stat st;

	*p = (struct partial){ .fd = open(path, O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC | (anew ? O_TRUNC : 0), 0600) };
	if (p->fd < 0 || fstat(p->fd, &st) < 0)
		return err_os(e, ERR_INTERNAL, "open %s", path);
	if ((uint64_t)st.st_size > size) {
		if (ftruncate(p->fd, 0) < 0)
			return err_os(e, ERR_INTERNAL, "truncate %s", path);
		st.st_size = 0;
	}
	p->bytes = (uint64_t)st.st_size;
	return check_space(p->fd, size - p->bytes, e);
}

int partial_append(struct partial *p, const void *bytes, size_t n, struct err *e)
{
	int64_t begun_ns = loop_mono_ns(), took_ms;
	const char *at = bytes;

	if (p->slow)
		return 0;
	for (size_t left = n; left > 0;) {
		ssize_t put = write(p->fd, at, left);

		if (put < 0)
			return err_os(e, errno == ENOSPC || errno == EDQUOT ? ERR_RESOURCE_EXHAUSTED : ERR_INTERNAL,
				"write to %s", dir);
		at += put;
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
	if (p->bytes == 0)
		unlink(partial_path(digest));
	close(take_fd(&p->fd));
}

/* unlink(2) of a large file frees its pages, which takes 2 to 6 ms for 20 MiB: a child does it. */
void partial_drop(struct partial *p, const char *digest)
{
	bool small = p && p->bytes < SMALL_BYTES;

	if (p && p->fd >= 0)
		close(take_fd(&p->fd));
	if (p)
		p->bytes = 0;
	if (small)
		unlink(partial_path(digest));
	else
		discard(partial_path(digest));
}

void partial_each_old(int64_t age_s, void (*fn)(const char *digest))
{
	auto_dir DIR *d = opendir(dir);
	int64_t now_s = loop_real_ns() / 1000000000;
	char digest[DIGEST_SIZE];
	struct stat st;

	for (struct dirent *f = d ? readdir(d) : NULL; f; f = readdir(d)) {
		snprintf(digest, sizeof(digest), "sha256:%.64s", f->d_name);
		if (digest_valid(digest) && fstatat(dirfd(d), f->d_name, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
			now_s - st.st_mtime >= age_s)
			fn(digest);
	}
}
