/* fields_text.c - see fields.h: a struct as JSON text, without a tree of jansson's values between. */
#include <inttypes.h>
#include <openssl/evp.h>
#include <string.h>

#include "reactor/fields.h"
#include "reactor/json.h"
#include "reactor/utf8.h"

struct array {
	const char *at;
	size_t n;
};

/* Plain bytes are appended in runs. */
static void put_utf8(struct buf *out, const char *s, size_t len)
{
	const char *from = s, *end = s + len;

	buf_append(out, "\"", 1);
	for (; s < end; s++) {
		if ((unsigned char)*s >= ' ' && *s != '"' && *s != '\\')
			continue;
		buf_append(out, from, (size_t)(s - from));
		if ((unsigned char)*s >= ' ')
			buf_append(out, (const char[]){ '\\', *s }, 2);
		else
			buf_printf(out, "\\u%04x", (unsigned char)*s);
		from = s + 1;
	}
	buf_append(out, from, (size_t)(s - from));
	buf_append(out, "\"", 1);
}

static void put_string(struct buf *out, const char *s)
{
	size_t len = strlen(s), coded = 4 * ((len + 2) / 3);

	if (utf8_valid(s, len))
		return put_utf8(out, s, len);
	buf_puts(out, "{\"base64\":\"");
	EVP_EncodeBlock(buf_room(out, coded + 1), (const unsigned char *)s, (int)len);
	buf_added(out, coded);
	buf_puts(out, "\"}");
}

static void put_strings(struct buf *out, const struct strings *s)
{
	for (size_t i = 0; i < s->n; i++) {
		buf_append(out, i ? "," : "[", 1);
		put_string(out, s->at[i]);
	}
	buf_append(out, "]", 1);
}

static void put_pairs(struct buf *out, const struct pairs *p)
{
	for (size_t i = 0; i < p->n; i++) {
		buf_puts(out, i ? ",[" : "[[");
		put_string(out, p->at[i].key);
		buf_append(out, ",", 1);
		put_string(out, p->at[i].value);
		buf_append(out, "]", 1);
	}
	buf_append(out, "]", 1);
}

static void put_ints(struct buf *out, const struct ints *v)
{
	for (size_t i = 0; i < v->n; i++)
		buf_printf(out, "%s%" PRId64, i ? "," : "[", v->at[i]);
	buf_append(out, "]", 1);
}

static void put_array(struct buf *out, const struct field *f, const struct array *v)
{
	for (size_t i = 0; i < v->n; i++) {
		buf_append(out, i ? "," : "[", 1);
		fields_to_text(out, f->sub, v->at + i * f->size);
	}
	buf_append(out, "]", 1);
}

static bool is_empty(const struct field *table, const void *object);

/* The member is zero, empty or false: it is left out. */
static bool left_out(const struct field *f, const char *p)
{
	switch (f->kind) {
	case FIELD_STR: return !*(const char *const *)p || !**(const char *const *)p;
	case FIELD_I64:
	case FIELD_U64: return *(const int64_t *)p == 0;
	case FIELD_I32:
	case FIELD_U32: return *(const int32_t *)p == 0;
	case FIELD_BOOL: return !*(const bool *)p;
	case FIELD_STRINGS:
	case FIELD_PAIRS:
	case FIELD_INTS:
	case FIELD_ARRAY: return ((const struct array *)p)->n == 0;
	case FIELD_STRUCT: return is_empty(f->sub, p);
	}
	return true;
}

static bool is_empty(const struct field *table, const void *object)
{
	for (const struct field *f = table; f->name; f++)
		if (!left_out(f, (const char *)object + f->offset))
			return false;
	return true;
}

static void put_member(struct buf *out, const struct field *f, const char *p)
{
	switch (f->kind) {
	case FIELD_STR: put_string(out, *(const char *const *)p); break;
	case FIELD_I64:
	case FIELD_U64: buf_printf(out, "%" PRId64, *(const int64_t *)p); break; /* the same 64 bits come back */
	case FIELD_I32: buf_printf(out, "%" PRId32, *(const int32_t *)p); break;
	case FIELD_U32: buf_printf(out, "%" PRIu32, *(const uint32_t *)p); break;
	case FIELD_BOOL: buf_puts(out, "true"); break;
	case FIELD_STRINGS: put_strings(out, (const struct strings *)p); break;
	case FIELD_PAIRS: put_pairs(out, (const struct pairs *)p); break;
	case FIELD_INTS: put_ints(out, (const struct ints *)p); break;
	case FIELD_ARRAY: put_array(out, f, (const struct array *)p); break;
	case FIELD_STRUCT: fields_to_text(out, f->sub, p); break;
	}
}

void fields_to_text(struct buf *out, const struct field *table, const void *object)
{
	const char *before = "{\"";

	for (const struct field *f = table; f->name; f++) {
		const char *p = (const char *)object + f->offset;

		if (left_out(f, p))
			continue;
		buf_puts(out, before);
		buf_puts(out, f->name);
		buf_puts(out, "\":");
		put_member(out, f, p);
		before = ",\"";
	}
	buf_puts(out, *before == '{' ? "{}" : "}");
}

char *fields_join_text(struct arena *a, const json_t *head, const char *member, const struct field *table,
		       const void *object)
{
	struct buf out = { 0 };
	char *text;

	buf_puts(&out, json_text(a, head));
	out.len--; /* the closing brace */
	buf_printf(&out, ",\"%s\":", member);
	fields_to_text(&out, table, object);
	buf_puts(&out, "}");
	text = arena_strndup(a, (const char *)out.at, out.len);
	buf_free(&out);
	return text;
}
