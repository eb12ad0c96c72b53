/* fields.c - see fields.h. One switch for each direction has each kind once. */
#include "reactor/fields.h"

#include <openssl/evp.h>
#include <string.h>

#include "reactor/base64.h"
#include "reactor/own.h"

struct array {
	char *at;
	size_t n;
};

static json_t *string_out(const char *s)
{
	json_t *j = json_string(s);
	size_t len = strlen(s);
	auto_free char *text = NULL;

	if (j)
		return j;
	text = own_must(malloc(4 * ((len + 2) / 3) + 1));
	EVP_EncodeBlock((unsigned char *)text, (const unsigned char *)s, (int)len);
	return json_pack("{s:s}", "base64", text);
}

static int string_in(const char **out, const json_t *j, struct arena *a)
{
	const char *text = json_string_value(json_is_object(j) ? json_object_get(j, "base64") : j);
	size_t len;
	ssize_t n;
	char *bytes;

	if (!text)
		return -1;
	if (json_is_string(j)) {
		*out = arena_strdup(a, text);
		return 0;
	}
	len = strlen(text);
	bytes = arena_zalloc(a, len / 4 * 3 + 1);
	n = base64_decode(bytes, text, len);
	if (n < 0)
		return -1;
	bytes[n] = '\0';
	*out = bytes;
	return 0;
}

static json_t *strings_out(const struct strings *s)
{
	json_t *j = s->n ? json_array() : NULL;

	for (size_t i = 0; i < s->n; i++)
		json_array_append_new(j, string_out(s->at[i]));
	return j;
}

static int strings_in(struct strings *s, const json_t *j, struct arena *a)
{
	if (!json_is_array(j))
		return -1;
	s->n = json_array_size(j);
	s->at = arena_zalloc(a, s->n * sizeof(*s->at));
	for (size_t i = 0; i < s->n; i++)
		if (string_in(&s->at[i], json_array_get(j, i), a) < 0)
			return -1;
	return 0;
}

/* An array of [key, value], not an object: order and repeated keys are kept, and keys need not be UTF-8. */
static json_t *pairs_out(const struct pairs *p)
{
	json_t *j = p->n ? json_array() : NULL;

	for (size_t i = 0; i < p->n; i++) {
		json_t *pair = json_array(); /* json_pack() would take three times as long */

		json_array_append_new(pair, string_out(p->at[i].key));
		json_array_append_new(pair, string_out(p->at[i].value));
		json_array_append_new(j, pair);
	}
	return j;
}

static int pairs_in(struct pairs *p, const json_t *j, struct arena *a)
{
	if (!json_is_array(j))
		return -1;
	p->n = json_array_size(j);
	p->at = arena_zalloc(a, p->n * sizeof(*p->at));
	for (size_t i = 0; i < p->n; i++) {
		const json_t *kv = json_array_get(j, i);

		if (string_in(&p->at[i].key, json_array_get(kv, 0), a) < 0 ||
		    string_in(&p->at[i].value, json_array_get(kv, 1), a) < 0)
			return -1;
	}
	return 0;
}

static json_t *ints_out(const struct ints *v)
{
	json_t *j = v->n ? json_array() : NULL;

	for (size_t i = 0; i < v->n; i++)
		json_array_append_new(j, json_integer(v->at[i]));
	return j;
}

static int ints_in(struct ints *v, const json_t *j, struct arena *a)
{
	if (!json_is_array(j))
		return -1;
	v->n = json_array_size(j);
	v->at = arena_zalloc(a, v->n * sizeof(*v->at));
	for (size_t i = 0; i < v->n; i++) {
		if (!json_is_integer(json_array_get(j, i)))
			return -1;
		v->at[i] = json_integer_value(json_array_get(j, i));
	}
	return 0;
}

static json_t *array_out(const struct field *f, const struct array *v)
{
	json_t *j = v->n ? json_array() : NULL;

	for (size_t i = 0; i < v->n; i++)
		json_array_append_new(j, fields_to_json(f->sub, v->at + i * f->size));
	return j;
}

static int array_in(const struct field *f, struct array *v, const json_t *j, struct arena *a, struct err *e)
{
	if (!json_is_array(j))
		return err_set(e, ERR_INTERNAL, "not an array");
	v->n = json_array_size(j);
	v->at = arena_zalloc(a, v->n * f->size);
	for (size_t i = 0; i < v->n; i++)
		if (fields_from_json(f->sub, v->at + i * f->size, json_array_get(j, i), a, e) < 0)
			return -1;
	return 0;
}

static json_t *int_out(int64_t v)
{
	return v ? json_integer(v) : NULL;
}

static json_t *member_out(const struct field *f, const char *p)
{
	json_t *j;

	switch (f->kind) {
	case FIELD_STR: {
		const char *s = *(const char *const *)p;

		return s && *s ? string_out(s) : NULL;
	}
	case FIELD_I64: return int_out(*(const int64_t *)p);
	case FIELD_U64: return int_out((int64_t)*(const uint64_t *)p); /* the same 64 bits come back */
	case FIELD_I32: return int_out(*(const int32_t *)p);
	case FIELD_U32: return int_out(*(const uint32_t *)p);
	case FIELD_BOOL: return *(const bool *)p ? json_true() : NULL;
	case FIELD_STRINGS: return strings_out((const struct strings *)p);
	case FIELD_PAIRS: return pairs_out((const struct pairs *)p);
	case FIELD_INTS: return ints_out((const struct ints *)p);
	case FIELD_ARRAY: return array_out(f, (const struct array *)p);
	case FIELD_STRUCT:
		j = fields_to_json(f->sub, p);
		if (json_object_size(j))
			return j;
		json_decref(j);
		return NULL;
	}
	return NULL;
}

json_t *fields_to_json(const struct field *table, const void *object)
{
	json_t *j = own_must(json_object());

	for (const struct field *f = table; f->name; f++) {
		json_t *v = member_out(f, (const char *)object + f->offset);

		if (v)
			json_object_set_new(j, f->name, v);
	}
	return j;
}

/* The value of a member that the record does not name. */
static void member_zero(const struct field *f, char *p)
{
	static const struct array nothing;

	switch (f->kind) {
	case FIELD_STR: *(const char **)p = ""; break;
	case FIELD_I64:
	case FIELD_U64: *(int64_t *)p = 0; break;
	case FIELD_I32:
	case FIELD_U32: *(int32_t *)p = 0; break;
	case FIELD_BOOL: *(bool *)p = false; break;
	case FIELD_STRINGS:
	case FIELD_PAIRS:
	case FIELD_INTS:
	case FIELD_ARRAY: memcpy(p, &nothing, sizeof(nothing)); break;
	case FIELD_STRUCT: fields_zero(f->sub, p); break;
	}
}

void fields_zero(const struct field *table, void *object)
{
	for (const struct field *f = table; f->name; f++)
		member_zero(f, (char *)object + f->offset);
}

static int integer_in(int64_t *v, const json_t *j)
{
	if (!json_is_integer(j))
		return -1;
	*v = json_integer_value(j);
	return 0;
}

static int int32_in(char *p, const json_t *j, bool is_signed)
{
	int64_t v;

	if (integer_in(&v, j) < 0 || v < (is_signed ? INT32_MIN : 0) ||
	    v > (is_signed ? INT32_MAX : (int64_t)UINT32_MAX))
		return -1;
	*(uint32_t *)p = (uint32_t)v;
	return 0;
}

/* -1 for a wrong type; e then keeps the caller's message, unless a member inside has set its own. */
static int member_in(const struct field *f, char *p, const json_t *j, struct arena *a, struct err *e)
{
	switch (f->kind) {
	case FIELD_STR: return string_in((const char **)p, j, a);
	case FIELD_I64:
	case FIELD_U64: return integer_in((int64_t *)p, j);
	case FIELD_I32: return int32_in(p, j, true);
	case FIELD_U32: return int32_in(p, j, false);
	case FIELD_BOOL: *(bool *)p = json_is_true(j); return json_is_boolean(j) ? 0 : -1;
	case FIELD_STRINGS: return strings_in((struct strings *)p, j, a);
	case FIELD_PAIRS: return pairs_in((struct pairs *)p, j, a);
	case FIELD_INTS: return ints_in((struct ints *)p, j, a);
	case FIELD_ARRAY: return array_in(f, (struct array *)p, j, a, e);
	case FIELD_STRUCT: return fields_from_json(f->sub, p, j, a, e);
	}
	return -1;
}

int fields_from_json(const struct field *table, void *object, const json_t *j, struct arena *a, struct err *e)
{
	if (!json_is_object(j))
		return err_set(e, ERR_INTERNAL, "not an object");
	for (const struct field *f = table; f->name; f++) {
		char *p = (char *)object + f->offset;
		const json_t *v = json_object_get(j, f->name);

		member_zero(f, p);
		if (!v)
			continue;
		err_set(e, ERR_INTERNAL, "not of the expected type");
		if (member_in(f, p, v, a, e) < 0)
			return err_wrap(e, "%s", f->name);
	}
	return 0;
}
