/* content.c - see content.h. Blobs have a few KiB, 2 MiB at most (CONFIG_MAX_BYTES), so the daemon writes them itself
 * and no child is needed. They are not synced here: the syncfs(2) before an image's record covers them. */
#include "images/content.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>

#include "images/digest.h"
#include "reactor/fault.h"
#include "reactor/log.h"
#include "reactor/own.h"

static char dir[PATH_MAX];
static uint64_t total, inodes; /* total: of space_of() */

static const char *blob_path(const char *digest)
{
	return digest_path(dir, digest);
}

static uint64_t size_of(const char *digest)
{
	struct stat st;

	return stat(blob_path(digest), &st) == 0 ? (uint64_t)st.st_size : 0;
}

static uint64_t space_of(uint64_t size)
{
	return (size + 4095) & ~UINT64_C(4095);
}

uint64_t content_space(const char *digest)
{
	return space_of(size_of(digest));
}

static void content_count(void *arg, const char *digest)
{
	(void)arg;
	total += content_space(digest);
	inodes++;
}

int content_open(const char *root, struct err *e)
{
	auto_dir DIR *d = NULL;

	if ((size_t)snprintf(dir, sizeof(dir), "%s/blobs", root) >= sizeof(dir))
		return err_set(e, ERR_INTERNAL, "the path %.100s.. is too long", root);
	if (EFFECT(mkdir(dir, 0700)) < 0 && errno != EEXIST)
		return err_os(e, ERR_INTERNAL, "make %s", dir);
	d = opendir(dir);
	if (!d)
		return err_os(e, ERR_INTERNAL, "open %s", dir);
	for (struct dirent *f = readdir(d); f; f = readdir(d))
		if (strstr(f->d_name, ".tmp"))
			EFFECT(unlinkat(dirfd(d), f->d_name, 0));
	total = inodes = 0;
	content_each(content_count, NULL);
	return 0;
}

static int write_all(int fd, const char *p, size_t n)
{
	while (n > 0) {
		ssize_t put = EFFECT(write(fd, p, n));

		if (put < 0)
			return -1;
		p += put;
		n -= (size_t)put;
	}
	return 0;
}

int content_put(const char *digest, const void *p, size_t n, struct err *e)
{
	char tmp[PATH_MAX + DIGEST_SIZE + 8];
	auto_fd int fd = -1;
	uint64_t before = space_of(size_of(digest));
	bool is_new = access(blob_path(digest), F_OK) < 0;

	if (!is_new && size_of(digest) == n)
		return 0;
	snprintf(tmp, sizeof(tmp), "%s.tmp", blob_path(digest));
	fd = EFFECT(open(tmp, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600));
	if (fd < 0)
		return err_os(e, ERR_INTERNAL, "write %s", tmp);
	if (write_all(fd, p, n) < 0 || EFFECT(rename(tmp, blob_path(digest))) < 0) {
		err_os(e, ERR_INTERNAL, "write %s", tmp);
		EFFECT(unlink(tmp));
		return -1;
	}
	total += space_of(n) - before;
	inodes += is_new;
	return 0;
}

char *content_get(const char *digest, struct arena *a, size_t *len)
{
	auto_fd int fd = open(blob_path(digest), O_RDONLY | O_CLOEXEC);
	char real[DIGEST_SIZE];
	struct stat st;
	ssize_t n = 1;
	char *text;

	if (fd < 0 || fstat(fd, &st) < 0)
		return NULL;
	text = arena_zalloc(a, (size_t)st.st_size + 1);
	for (*len = 0; n > 0 && *len < (size_t)st.st_size; *len += n > 0 ? (size_t)n : 0)
		n = read(fd, text + *len, (size_t)st.st_size - *len);
	if (n < 0) { /* that is no damage */
		log_warn("blob_unreadable digest=%.19s error=%s", digest, log_quote(strerror(errno)));
		return NULL;
	}
	digest_of(text, *len, real);
	if (strcmp(real, digest) == 0)
		return text;
	content_remove(digest);
	return NULL;
}

bool content_remove(const char *digest)
{
	uint64_t size = size_of(digest);

	if (EFFECT(unlink(blob_path(digest))) == 0) {
		total -= space_of(size);
		inodes--;
		return true;
	}
	if (errno == ENOENT)
		return true;
	log_warn("blob_left digest=%.19s error=%s", digest, log_quote(strerror(errno)));
	return false;
}

void content_each(void (*fn)(void *arg, const char *digest), void *arg)
{
	auto_dir DIR *d = opendir(dir);
	char digest[DIGEST_SIZE];

	for (struct dirent *f = d ? readdir(d) : NULL; f; f = readdir(d)) {
		if (strlen(f->d_name) != DIGEST_HEX)
			continue;
		snprintf(digest, sizeof(digest), "sha256:%.64s", f->d_name);
		if (digest_valid(digest))
			fn(arg, digest);
	}
}

uint64_t content_bytes(void)
{
	return total;
}

uint64_t content_inodes(void)
{
	return inodes;
}
