/* protobuf.c - see protobuf.h. A field is a varint (number << 3 | wire type) and what that type says. */
#include "reactor/protobuf.h"

#include <string.h>

enum wire_type { VARINT = 0, FIXED64 = 1, BYTES = 2, FIXED32 = 5 };
enum { VARINT_MAX = 10, FIELD_MAX = (1 << 29) - 1 };

static void put_varint(struct buf *b, uint64_t v)
{
	uint8_t bytes[VARINT_MAX];
	size_t n = 0;

	for (; v >= 0x80; v >>= 7)
		bytes[n++] = (uint8_t)(v | 0x80);
	bytes[n++] = (uint8_t)v;
	buf_append(b, bytes, n);
}

void pb_put_u64(struct buf *b, uint32_t field, uint64_t v)
{
	if (!v)
		return;
	put_varint(b, (uint64_t)field << 3 | VARINT);
	put_varint(b, v);
}

void pb_put_bytes(struct buf *b, uint32_t field, const void *bytes, size_t n)
{
	put_varint(b, (uint64_t)field << 3 | BYTES);
	put_varint(b, n);
	buf_append(b, bytes, n);
}

void pb_put_str(struct buf *b, uint32_t field, const char *s)
{
	if (s && s[0])
		pb_put_bytes(b, field, s, strlen(s));
}

struct pb pb_from(const void *bytes, size_t n)
{
	return (struct pb){ bytes, n ? (const uint8_t *)bytes + n : bytes, false };
}

struct pb pb_inside(const struct pb_field *f)
{
	return pb_from(f->bytes, f->len);
}

static uint64_t get_varint(struct pb *r)
{
	uint64_t v = 0;

	for (unsigned i = 0; i < VARINT_MAX && r->at != r->end; i++) {
		uint8_t byte = *r->at++;

		v |= (uint64_t)(byte & 0x7f) << (7 * i);
		if (!(byte & 0x80))
			return v;
	}
	r->bad = true;
	return 0;
}

static uint64_t get_fixed(struct pb *r, size_t n)
{
	uint64_t v = 0;

	if ((size_t)(r->end - r->at) < n) {
		r->bad = true;
		return 0;
	}
	for (size_t i = 0; i < n; i++)
		v |= (uint64_t)r->at[i] << (8 * i);
	r->at += n;
	return v;
}

static void get_bytes(struct pb *r, struct pb_field *f)
{
	uint64_t n = get_varint(r);

	if (r->bad || n > (uint64_t)(r->end - r->at)) {
		r->bad = true;
		return;
	}
	f->bytes = r->at;
	f->len = (size_t)n;
	r->at += n;
}

bool pb_next(struct pb *r, struct pb_field *f)
{
	uint64_t key;

	*f = (struct pb_field){ 0 };
	if (r->bad || r->at == r->end)
		return false;
	key = get_varint(r);
	if (key >> 3 == 0 || key >> 3 > FIELD_MAX)
		r->bad = true;
	f->number = (uint32_t)(key >> 3);
	if (r->bad)
		return false;
	switch (key & 7) {
	case VARINT:
		f->value = get_varint(r);
		break;
	case FIXED64:
		f->value = get_fixed(r, 8);
		break;
	case FIXED32:
		f->value = get_fixed(r, 4);
		break;
	case BYTES:
		get_bytes(r, f);
		break;
	default:
		r->bad = true;
	}
	return !r->bad;
}

char *pb_text(const struct pb_field *f, struct arena *arena, size_t max)
{
	return arena_strndup(arena, f->bytes ? (const char *)f->bytes : "", f->len < max ? f->len : max);
}

bool pb_copy(const struct pb_field *f, char *out, size_t size)
{
	size_t n = f->len < size - 1 ? f->len : size - 1;

	if (n)
		memcpy(out, f->bytes, n);
	out[n] = '\0';
	return n == f->len;
}
