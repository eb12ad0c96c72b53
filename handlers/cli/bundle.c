/* bundle.c - see bundle.h. The names are short and the files small, so a header of ustar has room for all. */
#include "handlers/cli/bundle.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include <zlib.h>

#include "handlers/cli/scrub.h"
#include "reactor/own.h"

enum { BLOCK = 512, PROBLEMS_MAX = 256 << 10 };

struct bundle {
	gzFile to;
	char *path, *dir;
	struct buf problems;
	size_t n_problems;
	int errnum; /* of the first write that failed; 0: none */
};

struct ustar {
	char name[100], mode[8], uid[8], gid[8], size[12], mtime[12], sum[8], type, link[100], magic[6], version[2],
		user[32], group[32], major[8], minor[8], prefix[155], pad[12];
};
static_assert(sizeof(struct ustar) == BLOCK, "a header is one block");

struct bundle *bundle_open(const char *path, const char *dir, struct err *e)
{
	struct bundle *b;
	int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	gzFile to;

	if (fd < 0)
		return err_os(e, ERR_INTERNAL, "make %s", path), NULL;
	to = own_must(gzdopen(fd, "wb"));
	b = new_zero(struct bundle);
	b->to = to;
	b->path = own_must(strdup(path));
	b->dir = own_must(strdup(dir));
	return b;
}

static void bundle_write(struct bundle *b, const void *bytes, size_t len)
{
	errno = 0;
	if (b->errnum == 0 && len && gzwrite(b->to, bytes, (unsigned)len) != (int)len)
		b->errnum = errno ? errno : EIO;
}

/* size: of a part, which is far below the 4 GiB of an unsigned. */
static void bundle_header(struct bundle *b, const char *name, unsigned size)
{
	struct ustar h = { .mode = "0000600", .uid = "0000000", .gid = "0000000", .sum = "        ", .type = '0',
			   .magic = "ustar", .version = { '0', '0' }, .user = "root", .group = "root" };
	unsigned sum = 0;

	snprintf(h.name, sizeof(h.name), "%s/%s", b->dir, name);
	snprintf(h.size, sizeof(h.size), "%011o", size);
	snprintf(h.mtime, sizeof(h.mtime), "%011llo", (unsigned long long)time(NULL));
	memset(h.sum, ' ', sizeof(h.sum));
	for (size_t i = 0; i < BLOCK; i++)
		sum += ((const unsigned char *)&h)[i];
	snprintf(h.sum, sizeof(h.sum), "%06o", sum & 0777777);
	bundle_write(b, &h, sizeof(h));
}

void bundle_text(struct bundle *b, const char *name, const char *text, size_t len)
{
	static const char zeros[BLOCK];
	struct buf clean = { 0 };

	scrub_text(&clean, text, len);
	if (clean.len) {
		bundle_header(b, name, (unsigned)clean.len);
		bundle_write(b, clean.at, clean.len);
		bundle_write(b, zeros, -clean.len & (BLOCK - 1));
	}
	buf_free(&clean);
}

void bundle_json(struct bundle *b, const char *name, json_t *j)
{
	auto_free char *text = NULL;

	scrub_json(j);
	text = own_must(json_dumps(j, JSON_INDENT(1) | JSON_ENCODE_ANY | JSON_SORT_KEYS));
	bundle_text(b, name, text, strlen(text));
}

void bundle_problem(struct bundle *b, const char *part, const char *text)
{
	const char *end;

	for (; *text && b->problems.len < PROBLEMS_MAX; text = *end ? end + 1 : end) {
		end = strchrnul(text, '\n');
		buf_printf(&b->problems, "%s: %.*s\n", part, (int)(end - text), text);
		b->n_problems++;
	}
}

int bundle_close(struct bundle *b, size_t *problems, struct err *e)
{
	static const char end[2 * BLOCK];
	int rc = 0;

	if (!b->problems.len)
		buf_puts(&b->problems, "none\n");
	bundle_text(b, "problems.txt", (const char *)b->problems.at, b->problems.len);
	bundle_write(b, end, sizeof(end));
	*problems = b->n_problems;
	errno = 0;
	if (gzclose(b->to) != Z_OK && b->errnum == 0)
		b->errnum = errno ? errno : EIO;
	if (b->errnum) {
		unlink(b->path);
		errno = b->errnum;
		rc = err_os(e, ERR_INTERNAL, "write %s", b->path);
	}
	buf_free(&b->problems);
	free(b->path);
	free(b->dir);
	free(b);
	return rc;
}
