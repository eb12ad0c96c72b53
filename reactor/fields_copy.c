/* fields_copy.c - see fields.h: deep copies and comparisons by the table, member by member. */
#include <string.h>

#include "reactor/fields.h"

struct array {
	char *at;
	size_t n;
};

static const char *text_of(const char *s)
{
	return s ? s : "";
}

static const char *text_copy(const char *s, struct arena *a)
{
	return s && *s ? arena_strdup(a, s) : "";
}

/* An array without entries is { NULL, 0 }. */
static void *room_for(size_t n, size_t size, struct arena *a)
{
	return n ? arena_zalloc(a, n * size) : NULL;
}

static void strings_copy(struct strings *to, const struct strings *from, struct arena *a)
{
	*to = (struct strings){ room_for(from->n, sizeof(*to->at), a), from->n };
	for (size_t i = 0; i < from->n; i++)
		to->at[i] = text_copy(from->at[i], a);
}

static void pairs_copy(struct pairs *to, const struct pairs *from, struct arena *a)
{
	*to = (struct pairs){ room_for(from->n, sizeof(*to->at), a), from->n };
	for (size_t i = 0; i < from->n; i++)
		to->at[i] = (struct pair){ text_copy(from->at[i].key, a), text_copy(from->at[i].value, a) };
}

static void array_copy(const struct field *f, struct array *to, const struct array *from, struct arena *a)
{
	*to = (struct array){ room_for(from->n, f->size, a), from->n };
	for (size_t i = 0; i < from->n; i++)
		fields_copy(f->sub, to->at + i * f->size, from->at + i * f->size, a);
}

static void member_copy(const struct field *f, void *to, const void *from, struct arena *a)
{
	const struct ints *ints = from;

	switch (f->kind) {
	case FIELD_STR: *(const char **)to = text_copy(*(const char *const *)from, a); break;
	case FIELD_I64:
	case FIELD_U64: *(int64_t *)to = *(const int64_t *)from; break;
	case FIELD_I32:
	case FIELD_U32: *(int32_t *)to = *(const int32_t *)from; break;
	case FIELD_BOOL: *(bool *)to = *(const bool *)from; break;
	case FIELD_STRINGS: strings_copy(to, from, a); break;
	case FIELD_PAIRS: pairs_copy(to, from, a); break;
	case FIELD_INTS:
		*(struct ints *)to = (struct ints){ NULL, ints->n };
		if (ints->n)
			((struct ints *)to)->at = arena_memdup(a, ints->at, ints->n * sizeof(*ints->at));
		break;
	case FIELD_ARRAY: array_copy(f, to, from, a); break;
	case FIELD_STRUCT: fields_copy(f->sub, to, from, a); break;
	}
}

void fields_copy(const struct field *table, void *to, const void *from, struct arena *a)
{
	for (const struct field *f = table; f->name; f++)
		member_copy(f, (char *)to + f->offset, (const char *)from + f->offset, a);
}

static bool same_text(const char *x, const char *y)
{
	return strcmp(text_of(x), text_of(y)) == 0;
}

static bool same_strings(const struct strings *x, const struct strings *y)
{
	bool same = x->n == y->n;

	for (size_t i = 0; same && i < x->n; i++)
		same = same_text(x->at[i], y->at[i]);
	return same;
}

static bool same_pairs(const struct pairs *x, const struct pairs *y)
{
	bool same = x->n == y->n;

	for (size_t i = 0; same && i < x->n; i++)
		same = same_text(x->at[i].key, y->at[i].key) && same_text(x->at[i].value, y->at[i].value);
	return same;
}

static bool same_ints(const struct ints *x, const struct ints *y)
{
	return x->n == y->n && (x->n == 0 || memcmp(x->at, y->at, x->n * sizeof(*x->at)) == 0);
}

static bool same_arrays(const struct field *f, const struct array *x, const struct array *y)
{
	bool same = x->n == y->n;

	for (size_t i = 0; same && i < x->n; i++)
		same = fields_equal(f->sub, x->at + i * f->size, y->at + i * f->size);
	return same;
}

static bool same_member(const struct field *f, const void *x, const void *y)
{
	switch (f->kind) {
	case FIELD_STR: return same_text(*(const char *const *)x, *(const char *const *)y);
	case FIELD_I64:
	case FIELD_U64: return *(const int64_t *)x == *(const int64_t *)y;
	case FIELD_I32:
	case FIELD_U32: return *(const int32_t *)x == *(const int32_t *)y;
	case FIELD_BOOL: return *(const bool *)x == *(const bool *)y;
	case FIELD_STRINGS: return same_strings(x, y);
	case FIELD_PAIRS: return same_pairs(x, y);
	case FIELD_INTS: return same_ints(x, y);
	case FIELD_ARRAY: return same_arrays(f, x, y);
	case FIELD_STRUCT: return fields_equal(f->sub, x, y);
	}
	return false;
}

bool fields_equal(const struct field *table, const void *x, const void *y)
{
	for (const struct field *f = table; f->name; f++)
		if (!same_member(f, (const char *)x + f->offset, (const char *)y + f->offset))
			return false;
	return true;
}
