/* pack.c - see pack.h. */
#include "tests/fakes/pack.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>
#include <zstd.h>

enum { BLOCK = 512 };

static struct buf records; /* of the next pax header */

static void number(uint8_t *field, size_t n, uint64_t v)
{
	if (v < (uint64_t)1 << 3 * (n - 1)) {
		snprintf((char *)field, n, "%0*" PRIo64, (int)n - 1, v);
		return;
	}
	for (size_t i = n; i-- > 0; v >>= 8)
		field[i] = (uint8_t)v;
	field[0] |= 0x80;
}

static void header(struct buf *tar, const struct pack_entry *e, const char *name, const char *link, size_t size)
{
	uint8_t h[BLOCK] = { 0 };
	unsigned sum = 0;

	memcpy(h, name, strnlen(name, 100));
	number(h + 100, 8, e->mode ? e->mode : e->type == '5' ? 0755 : 0644);
	number(h + 108, 8, e->uid);
	number(h + 116, 8, e->gid);
	number(h + 124, 12, size);
	number(h + 136, 12, (uint64_t)e->mtime);
	memset(h + 148, ' ', 8);
	h[156] = (uint8_t)(e->type ? e->type : '0');
	memcpy(h + 157, link, strnlen(link, 100));
	memcpy(h + 257, "ustar  ", 8);
	number(h + 329, 8, e->major);
	number(h + 337, 8, e->minor);
	for (int i = 0; i < BLOCK; i++)
		sum += h[i];
	snprintf((char *)h + 148, 8, "%06o", sum);
	buf_append(tar, h, BLOCK);
}

static void body(struct buf *tar, const void *p, size_t n)
{
	static const uint8_t zeros[BLOCK];

	buf_append(tar, p, n);
	buf_append(tar, zeros, -n & (BLOCK - 1));
}

static void special(struct buf *tar, char type, const void *p, size_t n)
{
	const struct pack_entry e = { .type = type };

	header(tar, &e, "special", "", n);
	body(tar, p, n);
}

void pack_add(struct buf *tar, struct pack_entry e)
{
	const char *link = e.link ? e.link : "";
	size_t size = e.size ? e.size : e.data ? strlen(e.data) : 0;

	if (records.len > 0)
		special(tar, 'x', records.at, records.len);
	buf_free(&records);
	if (strlen(e.name) > 100)
		special(tar, 'L', e.name, strlen(e.name) + 1);
	if (strlen(link) > 100)
		special(tar, 'K', link, strlen(link) + 1);
	header(tar, &e, e.name, link, size);
	if (e.data)
		body(tar, e.data, size);
}

void pack_pax(struct buf *tar, const char *key, const char *value, int n)
{
	size_t size = n < 0 ? strlen(value) : (size_t)n;
	size_t rest = strlen(key) + size + 3, len = rest + 1;

	(void)tar;
	while (len != rest + (size_t)snprintf(NULL, 0, "%zu", len))
		len = rest + (size_t)snprintf(NULL, 0, "%zu", len);
	buf_printf(&records, "%zu %s=", len, key);
	buf_append(&records, value, size);
	buf_puts(&records, "\n");
}

void pack_end(struct buf *tar)
{
	static const uint8_t zeros[2 * BLOCK];

	buf_append(tar, zeros, sizeof(zeros));
}

void pack_gzip(struct buf *out, const struct buf *in)
{
	z_stream z = { 0 };
	size_t room;

	if (deflateInit2(&z, 6, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY) != Z_OK)
		abort();
	room = deflateBound(&z, in->len);
	z.next_in = in->at;
	z.avail_in = (uInt)in->len;
	z.next_out = buf_room(out, room);
	z.avail_out = (uInt)room;
	if (deflate(&z, Z_FINISH) != Z_STREAM_END)
		abort();
	buf_added(out, z.total_out);
	deflateEnd(&z);
}

void pack_zstd(struct buf *out, const struct buf *in)
{
	size_t room = ZSTD_compressBound(in->len);

	buf_added(out, ZSTD_compress(buf_room(out, room), room, in->at, in->len, 3));
}
