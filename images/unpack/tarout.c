/* tarout.c - see tarout.h. */
#include "images/unpack/tarout.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { FLUSH_BYTES = 256 << 10 };
/* Offsets and sizes in a header block. */
enum {
	H_NAME = 0,
	H_MODE = 100,
	H_UID = 108,
	H_GID = 116,
	H_SIZE = 124,
	H_MTIME = 136,
	H_CHECKSUM = 148,
	H_TYPE = 156,
	H_LINK = 157,
	H_MAGIC = 257,
	H_MAJOR = 329,
	H_MINOR = 337,
	NAME_SIZE = 100,
	NUMBER_SIZE = 8,
	LONG_SIZE = 12,
};

static const uint8_t zeros[TAR_BLOCK];

void tarout_open(struct tarout *p, int fd)
{
	*p = (struct tarout){ .fd = fd };
}

void tarout_close(struct tarout *p)
{
	buf_free(&p->out);
}

static int tarout_flush(struct tarout *p, struct err *e)
{
	while (p->out.len > 0)
		if (buf_write(&p->out, p->fd) < 0 && errno != EINTR)
			return err_os(e, errno == EFBIG ? ERR_RESOURCE_EXHAUSTED : ERR_INTERNAL, "write the archive");
	return 0;
}

static int tarout_put(struct tarout *p, const void *bytes, size_t n, struct err *e)
{
	buf_append(&p->out, bytes, n);
	return p->out.len >= FLUSH_BYTES ? tarout_flush(p, e) : 0;
}

static int tarout_pad(struct tarout *p, uint64_t size, struct err *e)
{
	return tarout_put(p, zeros, (size_t)(-size & (TAR_BLOCK - 1)), e);
}

/* n bytes of content were put. */
static int tarout_taken(struct tarout *p, size_t n, struct err *e)
{
	p->left -= n;
	return p->left == 0 ? tarout_pad(p, p->size, e) : 0;
}

/* ---- headers ---- */

/* Writes the value if it fits into n bytes with its NUL. false: it does not. */
static bool put_octal(uint8_t *field, size_t n, int64_t value)
{
	char text[32];

	if (value < 0 || value >> (3 * (n - 1)) != 0)
		return false;
	snprintf(text, sizeof(text), "%0*" PRIo64, (int)n - 1, (uint64_t)value);
	memcpy(field, text, n);
	return true;
}

static bool put_text(uint8_t *field, const char *text)
{
	size_t n = strlen(text);

	memcpy(field, text, n < NAME_SIZE ? n : NAME_SIZE);
	return n <= NAME_SIZE;
}

/* "LENGTH key=value\n", where the length counts its own digits. */
static void put_record(struct buf *pax, const char *key, const void *value, size_t n)
{
	size_t rest = 1 + strlen(key) + 1 + n + 1, len = rest + 1;

	for (size_t digits = 1, ten = 10; len >= ten; digits++, ten *= 10)
		len = rest + digits + 1;
	buf_printf(pax, "%zu %s=", len, key);
	buf_append(pax, value, n);
	buf_puts(pax, "\n");
}

static void put_number_record(struct buf *pax, const char *key, int64_t value)
{
	char text[32];

	snprintf(text, sizeof(text), "%" PRId64, value);
	put_record(pax, key, text, strlen(text));
}

static void put_time_record(struct buf *pax, const struct timespec *t)
{
	char text[48];

	if (t->tv_sec < 0 && t->tv_nsec > 0) /* -1.5 s is tv_sec -2 and tv_nsec 500000000 */
		snprintf(text, sizeof(text), "-%" PRId64 ".%09ld", -((int64_t)t->tv_sec + 1), 1000000000 - t->tv_nsec);
	else
		snprintf(text, sizeof(text), "%" PRId64 ".%09ld", (int64_t)t->tv_sec, t->tv_nsec);
	put_record(pax, "mtime", text, strlen(text));
}

static void finish_header(uint8_t h[TAR_BLOCK])
{
	unsigned sum = 0;
	char text[16];

	memcpy(h + H_MAGIC,
	       "ustar\0"
	       "00",
	       8);
	memset(h + H_CHECKSUM, ' ', NUMBER_SIZE);
	for (size_t i = 0; i < TAR_BLOCK; i++)
		sum += h[i];
	snprintf(text, sizeof(text), "%06o", sum);
	memcpy(h + H_CHECKSUM, text, 7);
}

static uint8_t type_flag(enum tar_type type)
{
	static const char flags[] = {
		[TAR_FILE] = '0',     [TAR_HARDLINK] = '1', [TAR_SYMLINK] = '2', [TAR_CHAR] = '3',
		[TAR_BLOCKDEV] = '4', [TAR_DIR] = '5',      [TAR_FIFO] = '6',
	};

	return (uint8_t)flags[type];
}

/* Values that do not fit into the plain header go into the pax header. */
static void make_header(uint8_t h[TAR_BLOCK], struct buf *pax, const struct tar_entry *n)
{
	static const struct {
		size_t at;
		const char *key;
	} ids[] = { { H_UID, "uid" }, { H_GID, "gid" } };
	const int64_t values[] = { n->uid, n->gid };

	memset(h, 0, TAR_BLOCK);
	h[H_TYPE] = type_flag(n->type);
	if (!put_text(h + H_NAME, n->name))
		put_record(pax, "path", n->name, strlen(n->name));
	if (!put_text(h + H_LINK, n->link))
		put_record(pax, "linkpath", n->link, strlen(n->link));
	put_octal(h + H_MODE, NUMBER_SIZE, n->mode);
	for (size_t i = 0; i < 2; i++) {
		if (put_octal(h + ids[i].at, NUMBER_SIZE, values[i]))
			continue;
		put_octal(h + ids[i].at, NUMBER_SIZE, 0);
		put_number_record(pax, ids[i].key, values[i]);
	}
	if (!put_octal(h + H_SIZE, LONG_SIZE, (int64_t)n->size))
		put_number_record(pax, "size", (int64_t)n->size);
	if (!put_octal(h + H_MTIME, LONG_SIZE, n->mtime.tv_sec) || n->mtime.tv_nsec) {
		put_octal(h + H_MTIME, LONG_SIZE, n->mtime.tv_sec < 0 ? 0 : n->mtime.tv_sec);
		put_time_record(pax, &n->mtime);
	}
	put_octal(h + H_MAJOR, NUMBER_SIZE, n->major);
	put_octal(h + H_MINOR, NUMBER_SIZE, n->minor);
	for (size_t i = 0; i < n->nxattrs; i++) {
		char key[300];

		snprintf(key, sizeof(key), "SCHILY.xattr.%s", n->xattrs[i].name);
		put_record(pax, key, n->xattrs[i].value, n->xattrs[i].size);
	}
	finish_header(h);
}

static int put_pax(struct tarout *p, const struct buf *pax, struct err *e)
{
	uint8_t h[TAR_BLOCK] = { 0 };

	if (pax->len > TAR_META_MAX)
		return err_set(e, ERR_INTERNAL, "the extended header has more than 1 MiB");
	put_text(h + H_NAME, "PaxHeaders/entry");
	h[H_TYPE] = 'x';
	put_octal(h + H_MODE, NUMBER_SIZE, 0644);
	put_octal(h + H_UID, NUMBER_SIZE, 0);
	put_octal(h + H_GID, NUMBER_SIZE, 0);
	put_octal(h + H_SIZE, LONG_SIZE, (int64_t)pax->len);
	put_octal(h + H_MTIME, LONG_SIZE, 0);
	finish_header(h);
	if (tarout_put(p, h, TAR_BLOCK, e) < 0 || tarout_put(p, pax->at, pax->len, e) < 0)
		return -1;
	return tarout_pad(p, pax->len, e);
}

int tarout_entry(struct tarout *p, const struct tar_entry *entry, struct err *e)
{
	struct tar_entry n = *entry;
	uint8_t h[TAR_BLOCK];
	struct buf pax = { 0 };
	int r = 0;

	assert(p->left == 0);
	if (n.type != TAR_FILE)
		n.size = 0;
	make_header(h, &pax, &n);
	if (pax.len > 0)
		r = put_pax(p, &pax, e);
	buf_free(&pax);
	if (r < 0 || tarout_put(p, h, TAR_BLOCK, e) < 0)
		return err_wrap(e, "%.200s", n.name);
	p->size = p->left = n.size;
	return 0;
}

int tarout_data(struct tarout *p, const void *bytes, size_t n, struct err *e)
{
	assert(n <= p->left);
	return tarout_put(p, bytes, n, e) < 0 ? -1 : tarout_taken(p, n, e);
}

int tarout_copy(struct tarout *p, int from, struct err *e)
{
	int cut = 0;

	while (p->left > 0) {
		size_t want = p->left < FLUSH_BYTES ? (size_t)p->left : FLUSH_BYTES;
		void *room = buf_room(&p->out, want);
		ssize_t n = cut ? 0 : read(from, room, want);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return err_os(e, ERR_INTERNAL, "read");
		if (n == 0) {
			cut = 1;
			memset(room, 0, want);
			n = (ssize_t)want;
		}
		buf_added(&p->out, (size_t)n);
		if (tarout_taken(p, (size_t)n, e) < 0 || (p->out.len >= FLUSH_BYTES && tarout_flush(p, e) < 0))
			return -1;
	}
	return cut;
}

int tarout_end(struct tarout *p, struct err *e)
{
	assert(p->left == 0);
	if (tarout_put(p, zeros, TAR_BLOCK, e) < 0 || tarout_put(p, zeros, TAR_BLOCK, e) < 0)
		return -1;
	return tarout_flush(p, e);
}
