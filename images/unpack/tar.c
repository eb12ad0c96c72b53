/* tar.c - see tar.h. */
#include "images/unpack/tar.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "reactor/log.h"

/* Offsets in a header block. */
enum {
	H_NAME = 0, H_MODE = 100, H_UID = 108, H_GID = 116, H_SIZE = 124, H_MTIME = 136, H_CHECKSUM = 148, H_TYPE = 156,
	H_LINK = 157, H_MAGIC = 257, H_MAJOR = 329, H_MINOR = 337, H_PREFIX = 345, H_STAR_MAGIC = 508,
	NAME_SIZE = 100, PREFIX_SIZE = 155, STAR_PREFIX_SIZE = 131,
};

void tar_open(struct tar *t, struct inflate *in)
{
	*t = (struct tar){ .in = in };
}

void tar_close(struct tar *t)
{
	buf_free(&t->text);
	buf_free(&t->long_name);
	buf_free(&t->long_link);
	free(t->xattrs);
	free(t->pieces);
}

int tar_bad(struct tar *t, struct err *e, const char *what)
{
	if (!t->entry.name || !*t->entry.name)
		return inflate_damaged(t->in, e, "tar: %s", what);
	return inflate_damaged(t->in, e, "tar: %s: %s", log_quote(t->entry.name), what);
}

/* ---- numbers ---- */

int tar_decimal(const char *p, size_t n, uint64_t *out)
{
	uint64_t v = 0;

	if (n == 0 || n > 19)
		return -1;
	for (size_t i = 0; i < n; i++) {
		if (p[i] < '0' || p[i] > '9')
			return -1;
		v = v * 10 + (uint64_t)(p[i] - '0');
	}
	*out = v;
	return 0;
}

/* GNU's base 256: two's complement, big-endian. The top bit marks this format, bit 6 is the sign. */
static int base256(const uint8_t *p, size_t n, int64_t *out)
{
	bool negative = p[0] & 0x40;
	uint64_t v = negative ? ~(uint64_t)0 : 0;

	for (size_t i = 0; i < n; i++) {
		uint8_t byte = i ? p[i] : (uint8_t)(negative ? p[0] | 0x80 : p[0] & 0x7f);

		if (v >> 55 != (negative ? 0x1ff : 0)) /* the next shift would lose digits or the sign */
			return -1;
		v = v << 8 | byte;
	}
	*out = (int64_t)v;
	return 0;
}

int tar_number(const uint8_t *p, size_t n, int64_t *out)
{
	uint64_t v = 0;
	size_t i = 0;

	if (p[0] & 0x80)
		return base256(p, n, out);
	while (i < n && (p[i] == ' ' || p[i] == '\0'))
		i++;
	for (; i < n && p[i] >= '0' && p[i] <= '7'; i++) {
		if (v >> 60)
			return -1;
		v = v << 3 | (uint64_t)(p[i] - '0');
	}
	if (i < n && p[i] != ' ' && p[i] != '\0')
		return -1;
	*out = (int64_t)v;
	return 0;
}

static int header_number(struct tar *t, const uint8_t *h, size_t at, size_t n, const char *what, int64_t *out,
			 struct err *e)
{
	return tar_number(h + at, n, out) < 0 ? tar_bad(t, e, what) : 0;
}

/* ---- blocks ---- */

/* 1: a block; 0: the stream ended before it. */
static int next_block(struct tar *t, uint8_t block[TAR_BLOCK], struct err *e)
{
	size_t have = 0;

	while (have < TAR_BLOCK) {
		const uint8_t *p;
		ssize_t n = inflate_peek(t->in, &p, e);

		if (n < 0)
			return -1;
		if (n == 0)
			return have ? tar_bad(t, e, "the archive ends inside a block") : 0;
		if ((size_t)n > TAR_BLOCK - have)
			n = (ssize_t)(TAR_BLOCK - have);
		memcpy(block + have, p, (size_t)n);
		inflate_skip(t->in, (size_t)n);
		have += (size_t)n;
	}
	return 1;
}

int tar_block(struct tar *t, uint8_t block[TAR_BLOCK], struct err *e)
{
	int r;

	if (t->left < TAR_BLOCK)
		return tar_bad(t, e, "the sparse map goes beyond the entry's end");
	r = next_block(t, block, e);
	if (r == 0)
		return tar_bad(t, e, "the archive ends inside an entry");
	t->left -= TAR_BLOCK;
	return r < 0 ? -1 : 0;
}

/* Skips n bytes, or appends them to `into`. */
static int tar_take(struct tar *t, uint64_t n, struct buf *into, struct err *e)
{
	while (n > 0) {
		const uint8_t *p;
		ssize_t have = inflate_peek(t->in, &p, e);

		if (have < 0)
			return -1;
		if (have == 0)
			return tar_bad(t, e, "the archive ends inside an entry");
		if ((uint64_t)have > n)
			have = (ssize_t)n;
		if (into)
			buf_append(into, p, (size_t)have);
		inflate_skip(t->in, (size_t)have);
		n -= (uint64_t)have;
	}
	return 0;
}

static bool is_zero(const uint8_t *p, size_t n)
{
	return n == 0 || (p[0] == 0 && memcmp(p, p + 1, n - 1) == 0);
}

/* Two zero blocks end the archive; what follows, padding or rubbish, is no part of it for GNU tar, Go and containerd. A
 * single zero block must be the last one: some readers go on behind it, others do not. */
static int tar_end(struct tar *t, struct err *e)
{
	uint8_t second[TAR_BLOCK];
	const uint8_t *p;
	ssize_t n = next_block(t, second, e);

	if (n > 0 && !is_zero(second, TAR_BLOCK))
		return inflate_damaged(t->in, e, "tar: an entry after the end of the archive");
	while (n > 0 && (n = inflate_peek(t->in, &p, e)) > 0)
		inflate_skip(t->in, (size_t)n);
	return (int)n;
}

static int check_sum(struct tar *t, const uint8_t *h, struct err *e)
{
	int64_t want, sum = 0, signed_sum = 0;

	for (int i = 0; i < TAR_BLOCK; i++) {
		uint8_t byte = i >= H_CHECKSUM && i < H_CHECKSUM + 8 ? ' ' : h[i];

		sum += byte;
		signed_sum += (int8_t)byte; /* some old writers summed signed bytes */
	}
	if (header_number(t, h, H_CHECKSUM, 8, "not a tar header", &want, e) < 0)
		return -1;
	return want == sum || want == signed_sum ? 0 : tar_bad(t, e, "a header's checksum does not match");
}

/* ---- entries ---- */

static void tar_forget_entry(struct tar *t)
{
	t->entry = (struct tar_entry){ .name = "", .link = "" };
	t->pax = (struct tar_pax){ .sparse_major = -1, .sparse_minor = -1 };
	buf_free(&t->text);
	buf_free(&t->long_name);
	buf_free(&t->long_link);
	t->nxattrs = t->npieces = t->piece = 0;
	t->sparse = false;
	t->done = 0;
}

static const char *field_string(char *to, const uint8_t *field, size_t n)
{
	n = strnlen((const char *)field, n);
	memcpy(to, field, n);
	to[n] = '\0';
	return to;
}

static const char *header_name(struct tar *t, const uint8_t *h)
{
	size_t max = 0, n = 0;

	if (memcmp(h + H_MAGIC, "ustar\0", 6) == 0) /* GNU's magic is "ustar  " and has no prefix */
		max = memcmp(h + H_STAR_MAGIC, "tar", 4) == 0 ? STAR_PREFIX_SIZE : PREFIX_SIZE;
	if (max > 0 && h[H_PREFIX]) {
		n = strlen(field_string(t->name, h + H_PREFIX, max));
		t->name[n++] = '/';
	}
	field_string(t->name + n, h + H_NAME, NAME_SIZE);
	return t->name;
}

static int entry_type(struct tar *t, uint8_t flag, struct err *e)
{
	size_t n = strlen(t->entry.name);

	switch (flag) {
	case '\0': /* before POSIX a directory was a name that ends with a slash */
		t->entry.type = n > 0 && t->entry.name[n - 1] == '/' ? TAR_DIR : TAR_FILE;
		return 0;
	case '0': case '7': case 'S': t->entry.type = TAR_FILE; return 0;
	case '1': t->entry.type = TAR_HARDLINK; return 0;
	case '2': t->entry.type = TAR_SYMLINK; return 0;
	case '3': t->entry.type = TAR_CHAR; return 0;
	case '4': t->entry.type = TAR_BLOCKDEV; return 0;
	case '5': t->entry.type = TAR_DIR; return 0;
	case '6': t->entry.type = TAR_FIFO; return 0;
	default:
		return inflate_damaged(t->in, e, "tar: %s: entries of type 0x%02x are not supported",
				       log_quote(t->entry.name), flag);
	}
}

static int entry_id(struct tar *t, const uint8_t *h, size_t at, const char *what, uint32_t *out, struct err *e)
{
	int64_t v;

	if (header_number(t, h, at, 8, what, &v, e) < 0)
		return -1;
	if (v < 0 || v > UINT32_MAX)
		return tar_bad(t, e, what);
	*out = (uint32_t)v;
	return 0;
}

static int entry_numbers(struct tar *t, const uint8_t *h, struct err *e)
{
	struct tar_entry *n = &t->entry;
	int64_t mode, mtime;

	if (header_number(t, h, H_MODE, 8, "bad mode", &mode, e) < 0 ||
	    header_number(t, h, H_MTIME, 12, "bad mtime", &mtime, e) < 0 ||
	    (!t->pax.has_uid && entry_id(t, h, H_UID, "bad uid", &n->uid, e) < 0) ||
	    (!t->pax.has_gid && entry_id(t, h, H_GID, "bad gid", &n->gid, e) < 0))
		return -1;
	n->mode = (mode_t)mode & 07777;
	n->mtime.tv_sec = (time_t)mtime;
	if (t->pax.has_uid)
		n->uid = t->pax.uid;
	if (t->pax.has_gid)
		n->gid = t->pax.gid;
	if (t->pax.has_mtime)
		n->mtime = t->pax.mtime;
	if (n->type != TAR_CHAR && n->type != TAR_BLOCKDEV)
		return 0;
	return entry_id(t, h, H_MAJOR, "bad device number", &n->major, e) < 0 ||
		entry_id(t, h, H_MINOR, "bad device number", &n->minor, e) < 0 ? -1 : 0;
}

static int entry_size(struct tar *t, const uint8_t *h, struct err *e)
{
	int64_t size;

	if (header_number(t, h, H_SIZE, 12, "bad size", &size, e) < 0)
		return -1;
	if (t->pax.has_size)
		size = (int64_t)t->pax.size;
	if (size < 0 || size > INT64_MAX - TAR_BLOCK)
		return tar_bad(t, e, "bad size");
	/* Links, directories and devices have no body, even if their size is not 0: Go, and so containerd, reads them
	 * in this way. */
	t->left = t->entry.type == TAR_FILE ? (uint64_t)size : 0;
	t->padding = -t->left & (TAR_BLOCK - 1);
	t->entry.size = t->left;
	if (t->entry.type != TAR_FILE)
		return 0;
	if (h[H_TYPE] == 'S')
		return sparse_old_gnu(t, h, e);
	return sparse_pax(t, e);
}

static int read_entry(struct tar *t, const uint8_t *h, struct err *e)
{
	struct tar_entry *n = &t->entry;
	const struct tar_pax *pax = &t->pax;

	n->name = t->long_name.len ? (const char *)t->long_name.at : header_name(t, h);
	n->link = t->long_link.len ? (const char *)t->long_link.at : field_string(t->link, h + H_LINK, NAME_SIZE);
	if (pax->path)
		n->name = pax->path;
	if (pax->sparse_name)
		n->name = pax->sparse_name;
	if (pax->linkpath)
		n->link = pax->linkpath;
	n->xattrs = t->xattrs;
	n->nxattrs = t->nxattrs;
	return entry_type(t, h[H_TYPE], e) < 0 || entry_numbers(t, h, e) < 0 || entry_size(t, h, e) < 0 ? -1 : 0;
}

/* Reads an extended header: an entry whose body describes the next entry. */
static int read_meta(struct tar *t, const uint8_t *h, struct err *e)
{
	struct buf *into = h[H_TYPE] == 'x' ? &t->text : h[H_TYPE] == 'L' ? &t->long_name : &t->long_link;
	int64_t size;

	if (header_number(t, h, H_SIZE, 12, "bad size", &size, e) < 0)
		return -1;
	if (size < 0 || size > TAR_META_MAX)
		return tar_bad(t, e, "an extended header of more than 1 MiB");
	if (h[H_TYPE] == 'g')
		return tar_take(t, ((uint64_t)size + TAR_BLOCK - 1) & ~(uint64_t)(TAR_BLOCK - 1), NULL, e);
	buf_free(into);
	if (tar_take(t, (uint64_t)size, into, e) < 0 || tar_take(t, -(uint64_t)size & (TAR_BLOCK - 1), NULL, e) < 0)
		return -1;
	if (h[H_TYPE] == 'x')
		return pax_parse(t, e);
	/* GNU's length includes the NUL. A NUL in the middle ends the name, as in a plain header. */
	buf_append(into, "", 1);
	return 0;
}

int tar_next(struct tar *t, const struct tar_entry **entry, struct err *e)
{
	uint8_t h[TAR_BLOCK];
	bool meta = false;
	int r;

	if (tar_take(t, t->left + t->padding, NULL, e) < 0)
		return -1;
	t->left = t->padding = 0;
	tar_forget_entry(t);
	while ((r = next_block(t, h, e)) > 0) {
		if (is_zero(h, TAR_BLOCK)) {
			r = 0;
			break;
		}
		if (check_sum(t, h, e) < 0)
			return -1;
		if (h[H_TYPE] && strchr("xgLK", h[H_TYPE])) {
			meta = meta || h[H_TYPE] != 'g';
			if (read_meta(t, h, e) < 0)
				return -1;
			continue;
		}
		if (read_entry(t, h, e) < 0)
			return -1;
		*entry = &t->entry;
		return 1;
	}
	if (r == 0 && meta)
		return tar_bad(t, e, "the archive ends after an extended header");
	return r < 0 ? -1 : tar_end(t, e);
}

ssize_t tar_data(struct tar *t, uint64_t *offset, const uint8_t **p, struct err *e)
{
	uint64_t most = t->left;
	ssize_t n;

	while (t->sparse && t->piece < t->npieces && t->done == t->pieces[t->piece].size) {
		t->piece++;
		t->done = 0;
	}
	if (t->sparse)
		most = t->piece < t->npieces ? t->pieces[t->piece].size - t->done : 0;
	if (most == 0)
		return 0;
	n = inflate_peek(t->in, p, e);
	if (n < 0)
		return -1;
	if (n == 0)
		return tar_bad(t, e, "the archive ends inside an entry");
	if ((uint64_t)n > most)
		n = (ssize_t)most;
	*offset = t->done + (t->sparse ? t->pieces[t->piece].offset : 0);
	t->done += (uint64_t)n;
	t->left -= (uint64_t)n;
	/* inflate_skip() only moves a position: the bytes stay valid until the next inflate_peek(). */
	inflate_skip(t->in, (size_t)n);
	return n;
}
