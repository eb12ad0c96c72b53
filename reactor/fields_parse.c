/* fields_parse.c - see fields.h: the text of fields_to_text() back into a struct, without a tree of jansson's values.
 *
 * Only that text is read: members in the order of the table, none twice, no space between. All else is left to jansson,
 * whose errors name the place. */
#include <errno.h>
#include <string.h>

#include "reactor/fields.h"
#include "reactor/utf8.h"

struct array {
	char *at;
	size_t n;
};

struct parse {
	const char *at, *end;
	struct arena *arena;
};

static bool take(struct parse *p, const char *word, size_t len)
{
	if ((size_t)(p->end - p->at) < len || memcmp(p->at, word, len) != 0)
		return false;
	p->at += len;
	return true;
}

static bool take_char(struct parse *p, char c)
{
	if (p->at == p->end || *p->at != c)
		return false;
	p->at++;
	return true;
}

static int hex_value(char c)
{
	return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* One ASCII character behind a backslash: \" \\ or \u00xx. */
static bool take_escape(struct parse *p, char *c)
{
	int high, low;

	if (take_char(p, '"') || take_char(p, '\\')) {
		*c = p->at[-1];
		return true;
	}
	if (!take(p, "u00", 3) || p->end - p->at < 2)
		return false;
	high = hex_value(p->at[0]);
	low = hex_value(p->at[1]);
	if (high < 0 || high > 7 || low < 0 || high + low == 0)
		return false;
	*c = (char)(high << 4 | low);
	p->at += 2;
	return true;
}

/* The string is never longer than its text. */
static bool parse_string(struct parse *p, const char **out)
{
	const char *begin;
	char *text, *to;

	if (!take_char(p, '"'))
		return false;
	for (begin = p->at; p->at < p->end && *p->at != '"'; p->at++) {
		if ((unsigned char)*p->at < ' ')
			return false;
		if (*p->at == '\\' && ++p->at == p->end)
			return false;
	}
	if (p->at == p->end)
		return false;
	*out = to = text = arena_strndup(p->arena, begin, (size_t)(p->at - begin));
	if (memchr(begin, '\\', (size_t)(p->at - begin))) {
		p->at = begin;
		while (*p->at != '"')
			if (!take_char(p, '\\'))
				*to++ = *p->at++;
			else if (!take_escape(p, to++))
				return false;
		*to = '\0';
	} else {
		to += p->at - begin;
	}
	p->at++;
	return utf8_valid(text, (size_t)(to - text));
}

static bool parse_int(struct parse *p, int64_t *out)
{
	bool negative = take_char(p, '-');
	const char *digits = p->at;
	int64_t v = 0;

	for (; p->at < p->end && *p->at >= '0' && *p->at <= '9'; p->at++)
		if (__builtin_mul_overflow(v, 10, &v) ||
		    __builtin_sub_overflow(v, *p->at - '0', &v)) /* below zero there is one number more */
			return false;
	if (p->at == digits || (*digits == '0' && p->at - digits > 1))
		return false;
	*out = v;
	return negative || !__builtin_sub_overflow(0, v, out);
}

static bool parse_small_int(struct parse *p, char *out, int64_t min, int64_t max)
{
	int64_t v;

	if (!parse_int(p, &v) || v < min || v > max)
		return false;
	*(uint32_t *)out = (uint32_t)v;
	return true;
}

static bool parse_object(struct parse *p, const struct field *table, void *object, bool first);

/* The kinds of the elements of a list, as the list's kind says. */
static bool parse_element(struct parse *p, const struct field *f, void *element)
{
	struct pair *pair = element;

	switch (f->kind) {
	case FIELD_STRINGS: return parse_string(p, element);
	case FIELD_INTS: return parse_int(p, element);
	case FIELD_PAIRS:
		return take_char(p, '[') && parse_string(p, &pair->key) && take_char(p, ',') &&
		       parse_string(p, &pair->value) && take_char(p, ']');
	default: return take_char(p, '{') && parse_object(p, f->sub, element, true);
	}
}

static size_t element_size(const struct field *f)
{
	switch (f->kind) {
	case FIELD_STRINGS: return sizeof(const char *);
	case FIELD_INTS: return sizeof(int64_t);
	case FIELD_PAIRS: return sizeof(struct pair);
	default: return f->size;
	}
}

static bool parse_list(struct parse *p, const struct field *f, struct array *out)
{
	size_t size = element_size(f);
	struct buf all = { 0 };
	bool good = take_char(p, '[');

	do {
		void *element = buf_room(&all, size);

		memset(element, 0, size);
		good = good && parse_element(p, f, element);
		buf_added(&all, size);
	} while (good && take_char(p, ','));
	good = good && take_char(p, ']');
	out->n = all.len / size;
	out->at = good ? arena_memdup(p->arena, all.at, all.len) : NULL;
	buf_free(&all);
	return good;
}

static bool parse_member(struct parse *p, const struct field *f, char *out)
{
	switch (f->kind) {
	case FIELD_STR: return parse_string(p, (const char **)out);
	case FIELD_I64:
	case FIELD_U64: return parse_int(p, (int64_t *)out);
	case FIELD_I32: return parse_small_int(p, out, INT32_MIN, INT32_MAX);
	case FIELD_U32: return parse_small_int(p, out, 0, UINT32_MAX);
	case FIELD_BOOL: *(bool *)out = true; return take(p, "true", 4);
	case FIELD_STRINGS:
	case FIELD_PAIRS:
	case FIELD_INTS:
	case FIELD_ARRAY: return parse_list(p, f, (struct array *)out);
	case FIELD_STRUCT: return take_char(p, '{') && parse_object(p, f->sub, out, true);
	}
	return false;
}

static bool take_name(struct parse *p, const char *name, bool first)
{
	const char *begin = p->at;

	if ((first || take_char(p, ',')) && take_char(p, '"') && take(p, name, strlen(name)) && take(p, "\":", 2))
		return true;
	p->at = begin;
	return false;
}

/* The members, and the brace at the end. */
static bool parse_object(struct parse *p, const struct field *table, void *object, bool first)
{
	fields_zero(table, object);
	for (const struct field *f = table; f->name; f++) {
		if (!take_name(p, f->name, first))
			continue;
		if (!parse_member(p, f, (char *)object + f->offset))
			return false;
		first = false;
	}
	return take_char(p, '}');
}

bool fields_parse(const char *text, size_t len, const struct field *table, void *object, struct arena *a)
{
	struct parse p = { text, text + len, a };

	return take_char(&p, '{') && parse_object(&p, table, object, true) && p.at == p.end;
}
