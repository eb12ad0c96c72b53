/* json.c - see json.h. Spec: protobuf.dev, "ProtoJSON Format". */
#include "handlers/cli/json.h"

#include <assert.h>
#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "reactor/own.h"

/* A place in the JSON, for error messages: each level points to the level around it. */
struct place {
	const struct place *outer;
	const char *name; /* NULL: an element of a list */
	size_t index;
};

struct reading {
	struct arena *arena;
	struct err *e;
};

static int json_fault(struct reading *r, const struct place *at, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
static int json_fault(struct reading *r, const struct place *at, const char *fmt, ...)
{
	const char *path = "";
	va_list ap;

	for (; at; at = at->outer) {
		if (!at->name)
			path = arena_printf(r->arena, "[%zu]%s%s", at->index, *path && *path != '[' ? "." : "", path);
		else
			path = arena_printf(r->arena, "%s%s%s", at->name, *path && *path != '[' ? "." : "", path);
	}
	va_start(ap, fmt);
	err_set(r->e, ERR_INVALID_ARGUMENT, "%s%s%s", path, *path ? ": " : "", arena_vprintf(r->arena, fmt, ap));
	va_end(ap);
	return -1;
}

/* protoc-c turns a map into a repeated message, whose generated name ends with Entry. */
static bool is_map(const ProtobufCFieldDescriptor *f)
{
	const ProtobufCMessageDescriptor *d = f->descriptor;
	size_t n;

	if (f->label != PROTOBUF_C_LABEL_REPEATED || f->type != PROTOBUF_C_TYPE_MESSAGE || d->n_fields != 2)
		return false;
	n = strlen(d->name);
	return n > 5 && strcmp(d->name + n - 5, "Entry") == 0 && strcmp(d->fields[0].name, "key") == 0 &&
	       strcmp(d->fields[1].name, "value") == 0;
}

/* ProtoJSON's name of a field: an underscore is dropped and the letter behind it becomes a capital. `out` has room for
 * `name`. */
static void camel_case(char *out, const char *name)
{
	bool up = false;

	for (; *name; name++) {
		if (*name == '_') {
			up = true;
			continue;
		}
		*out++ = up && *name >= 'a' && *name <= 'z' ? (char)(*name - 'a' + 'A') : *name;
		up = false;
	}
	*out = '\0';
}

static const ProtobufCFieldDescriptor *find_field(const ProtobufCMessageDescriptor *d, const char *name)
{
	char other[128];

	for (unsigned i = 0; i < d->n_fields; i++) {
		if (strcmp(d->fields[i].name, name) == 0)
			return &d->fields[i];
		if (strlen(d->fields[i].name) >= sizeof(other))
			continue;
		camel_case(other, d->fields[i].name);
		if (strcmp(other, name) == 0)
			return &d->fields[i];
	}
	return NULL;
}

/* ---- from JSON ---- */

static int read_message(struct reading *r, const struct place *at, const ProtobufCMessageDescriptor *d, const json_t *j,
			ProtobufCMessage **out);

/* A number, or a string with a number in it. `min` and `max` are those of the type. An unsigned 64-bit number above
 * INT64_MAX can only be a string: jansson's integers are signed. */
static int read_signed(struct reading *r, const struct place *at, const json_t *j, int64_t min, int64_t max,
		       int64_t *out)
{
	const char *text = json_string_value(j);
	char *end;

	errno = 0;
	if (json_is_integer(j))
		*out = json_integer_value(j);
	else if (!text || !*text || (*out = strtoll(text, &end, 10), *end || errno))
		return json_fault(r, at, "an integer is expected");
	if (*out < min || *out > max)
		return json_fault(r, at, "%lld is out of range", (long long)*out);
	return 0;
}

static int read_unsigned(struct reading *r, const struct place *at, const json_t *j, uint64_t *out)
{
	const char *text = json_string_value(j);
	int64_t v;
	char *end;

	if (text && *text >= '0' && *text <= '9') {
		errno = 0;
		*out = strtoull(text, &end, 10);
		return *end || errno ? json_fault(r, at, "an integer is expected") : 0;
	}
	if (read_signed(r, at, j, 0, INT64_MAX, &v) < 0)
		return -1;
	*out = (uint64_t)v;
	return 0;
}

static int read_enum(struct reading *r, const struct place *at, const ProtobufCEnumDescriptor *d, const json_t *j,
		     int32_t *out)
{
	const char *text = json_string_value(j);
	const ProtobufCEnumValue *v = text ? protobuf_c_enum_descriptor_get_value_by_name(d, text) : NULL;
	int64_t n;

	if (text && !v)
		return json_fault(r, at, "%s is no %s", text, d->short_name);
	if (!v && (!json_is_integer(j) || read_signed(r, at, j, INT32_MIN, INT32_MAX, &n) < 0))
		return json_fault(r, at, "a name or number of %s is expected", d->short_name);
	*out = v ? v->value : (int32_t)n;
	return 0;
}

/* RFC 4648 section 4, padding required. Returns the length, -1 for anything else. */
static ssize_t base64_decode(uint8_t *out, const char *text)
{
	static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	size_t n = strlen(text), pad = n && text[n - 1] == '=' ? 1 + (n > 1 && text[n - 2] == '=') : 0, len = 0;
	uint32_t group = 0;

	if (n % 4)
		return -1;
	for (size_t i = 0; i < n; i++) {
		const char *digit = i < n - pad ? strchr(digits, text[i]) : digits;

		if (!digit)
			return -1;
		group = group << 6 | (uint32_t)(digit - digits);
		if (i % 4 == 3) {
			for (int shift = 16; shift >= 0; shift -= 8)
				out[len++] = (uint8_t)(group >> shift);
			group = 0;
		}
	}
	return (ssize_t)(len - pad);
}

static int read_bytes(struct reading *r, const struct place *at, const json_t *j, ProtobufCBinaryData *out)
{
	const char *coded = json_string_value(json_object_get(j, "base64"));
	ssize_t n;

	if (json_is_string(j)) {
		out->len = json_string_length(j);
		out->data = arena_memdup(r->arena, json_string_value(j), out->len);
		return 0;
	}
	if (!coded || json_object_size(j) != 1)
		return json_fault(r, at, "text or {\"base64\": \"...\"} is expected");
	out->data = arena_zalloc(r->arena, strlen(coded) + 1);
	n = base64_decode(out->data, coded);
	if (n < 0)
		return json_fault(r, at, "not base64");
	out->len = (size_t)n;
	return 0;
}

static int read_string(struct reading *r, const struct place *at, const json_t *j, char **out)
{
	if (!json_is_string(j))
		return json_fault(r, at, "text is expected");
	*out = arena_strdup(r->arena, json_string_value(j)); /* json_parse() lets no NUL through */
	return 0;
}

static int read_real(struct reading *r, const struct place *at, const json_t *j, double *out)
{
	*out = json_number_value(j);
	return json_is_number(j) ? 0 : json_fault(r, at, "a number is expected");
}

/* One value of the field's type, at `to`. */
static int read_value(struct reading *r, const struct place *at, const ProtobufCFieldDescriptor *f, const json_t *j,
		      void *to)
{
	uint64_t u = 0;
	int64_t i = 0;
	double real = 0;

	switch (f->type) {
	case PROTOBUF_C_TYPE_INT32:
	case PROTOBUF_C_TYPE_SINT32:
	case PROTOBUF_C_TYPE_SFIXED32:
		if (read_signed(r, at, j, INT32_MIN, INT32_MAX, &i) < 0)
			return -1;
		*(int32_t *)to = (int32_t)i;
		return 0;
	case PROTOBUF_C_TYPE_UINT32:
	case PROTOBUF_C_TYPE_FIXED32:
		if (read_signed(r, at, j, 0, UINT32_MAX, &i) < 0)
			return -1;
		*(uint32_t *)to = (uint32_t)i;
		return 0;
	case PROTOBUF_C_TYPE_INT64:
	case PROTOBUF_C_TYPE_SINT64:
	case PROTOBUF_C_TYPE_SFIXED64:
		return read_signed(r, at, j, INT64_MIN, INT64_MAX, to);
	case PROTOBUF_C_TYPE_UINT64:
	case PROTOBUF_C_TYPE_FIXED64:
		if (read_unsigned(r, at, j, &u) < 0)
			return -1;
		*(uint64_t *)to = u;
		return 0;
	case PROTOBUF_C_TYPE_FLOAT:
		if (read_real(r, at, j, &real) < 0)
			return -1;
		*(float *)to = (float)real;
		return 0;
	case PROTOBUF_C_TYPE_DOUBLE: return read_real(r, at, j, to);
	case PROTOBUF_C_TYPE_BOOL:
		*(protobuf_c_boolean *)to = json_is_true(j);
		return json_is_boolean(j) ? 0 : json_fault(r, at, "true or false is expected");
	case PROTOBUF_C_TYPE_ENUM: return read_enum(r, at, f->descriptor, j, to);
	case PROTOBUF_C_TYPE_STRING: return read_string(r, at, j, to);
	case PROTOBUF_C_TYPE_BYTES: return read_bytes(r, at, j, to);
	case PROTOBUF_C_TYPE_MESSAGE: return read_message(r, at, f->descriptor, j, to);
	}
	return json_fault(r, at, "a type that CRI does not have");
}

static size_t value_size(const ProtobufCFieldDescriptor *f)
{
	switch (f->type) {
	case PROTOBUF_C_TYPE_BOOL: return sizeof(protobuf_c_boolean);
	case PROTOBUF_C_TYPE_BYTES: return sizeof(ProtobufCBinaryData);
	case PROTOBUF_C_TYPE_STRING:
	case PROTOBUF_C_TYPE_MESSAGE: return sizeof(void *);
	case PROTOBUF_C_TYPE_INT64:
	case PROTOBUF_C_TYPE_SINT64:
	case PROTOBUF_C_TYPE_SFIXED64:
	case PROTOBUF_C_TYPE_UINT64:
	case PROTOBUF_C_TYPE_FIXED64:
	case PROTOBUF_C_TYPE_DOUBLE: return 8;
	default: return 4;
	}
}

static int read_map(struct reading *r, const struct place *at, const ProtobufCFieldDescriptor *f, const json_t *j,
		    size_t *n, void **items)
{
	const ProtobufCMessageDescriptor *d = f->descriptor;
	ProtobufCMessage **entries;
	const char *key;
	json_t *value;

	if (!json_is_object(j))
		return json_fault(r, at, "an object is expected");
	*items = entries = arena_zalloc(r->arena, json_object_size(j) * sizeof(*entries));
	json_object_foreach((json_t *)j, key, value) {
		struct place inner = { at, key, 0 };
		ProtobufCMessage *m = arena_zalloc(r->arena, d->sizeof_message);

		protobuf_c_message_init(d, m);
		*(char **)((char *)m + d->fields[0].offset) = arena_strdup(r->arena, key);
		if (read_value(r, &inner, &d->fields[1], value, (char *)m + d->fields[1].offset) < 0)
			return -1;
		entries[(*n)++] = m;
	}
	return 0;
}

static int read_list(struct reading *r, const struct place *at, const ProtobufCFieldDescriptor *f, const json_t *j,
		     size_t *n, void **items)
{
	size_t size = value_size(f), i;
	json_t *value;

	if (!json_is_array(j))
		return json_fault(r, at, "a list is expected");
	*items = arena_zalloc(r->arena, json_array_size(j) * size);
	json_array_foreach(j, i, value) {
		struct place inner = { at, NULL, i };

		if (read_value(r, &inner, f, value, (char *)*items + i * size) < 0)
			return -1;
	}
	*n = json_array_size(j);
	return 0;
}

static int read_member(struct reading *r, const struct place *at, const ProtobufCFieldDescriptor *f, const json_t *j,
		       ProtobufCMessage *m)
{
	void *to = (char *)m + f->offset;
	size_t *n = (size_t *)((char *)m + f->quantifier_offset);

	if (json_is_null(j))
		return 0;
	if (f->label != PROTOBUF_C_LABEL_REPEATED)
		return read_value(r, at, f, j, to);
	if (*n)
		return json_fault(r, at, "given twice");
	return is_map(f) ? read_map(r, at, f, j, n, to) : read_list(r, at, f, j, n, to);
}

/* Int64Value and the other wrapper messages: a plain value may stand in their place. */
static bool is_wrapper(const ProtobufCMessageDescriptor *d)
{
	return d->n_fields == 1 && strcmp(d->fields[0].name, "value") == 0;
}

static int read_message(struct reading *r, const struct place *at, const ProtobufCMessageDescriptor *d, const json_t *j,
			ProtobufCMessage **out)
{
	const char *key;
	json_t *value;

	*out = arena_zalloc(r->arena, d->sizeof_message);
	protobuf_c_message_init(d, *out);
	if (is_wrapper(d) && !json_is_object(j))
		return read_member(r, at, &d->fields[0], j, *out);
	if (!json_is_object(j))
		return json_fault(r, at, "an object is expected");
	json_object_foreach((json_t *)j, key, value) {
		const ProtobufCFieldDescriptor *f = find_field(d, key);
		struct place inner = { at, key, 0 };

		if (!f)
			return json_fault(r, &inner, "no such member of %s", d->short_name);
		if (read_member(r, &inner, f, value, *out) < 0)
			return -1;
	}
	return 0;
}

ProtobufCMessage *cli_json_read(const ProtobufCMessageDescriptor *d, const json_t *j, struct arena *a, struct err *e)
{
	struct reading r = { a, e };
	ProtobufCMessage *m;

	return read_message(&r, NULL, d, j, &m) < 0 ? NULL : m;
}

/* ---- to JSON ---- */

static json_t *write_bytes(const ProtobufCBinaryData *b)
{
	static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	bool nul = b->len && memchr(b->data, 0, b->len); /* json_parse() refuses NUL in a string */
	json_t *text = nul ? NULL : json_stringn(b->len ? (const char *)b->data : "", b->len); /* NULL when not UTF-8 */
	auto_free char *coded = NULL;
	char *to;

	if (text)
		return text;
	to = coded = own_must(malloc(b->len / 3 * 4 + 5));
	for (size_t i = 0; i < b->len; i += 3) {
		size_t left = b->len - i;
		uint32_t group = (uint32_t)b->data[i] << 16 | (left > 1 ? (uint32_t)b->data[i + 1] << 8 : 0) |
				 (left > 2 ? b->data[i + 2] : 0u);

		*to++ = digits[group >> 18];
		*to++ = digits[group >> 12 & 63];
		*to++ = left > 1 ? digits[group >> 6 & 63] : '=';
		*to++ = left > 2 ? digits[group & 63] : '=';
	}
	*to = '\0';
	return json_pack("{s:s}", "base64", coded);
}

static json_t *write_string(const char *s)
{
	ProtobufCBinaryData bytes = { s ? strlen(s) : 0, (uint8_t *)s };

	return write_bytes(&bytes); /* a string that is not UTF-8 is shown as base64 instead of left out */
}

static json_t *write_enum(const ProtobufCEnumDescriptor *d, int32_t v)
{
	const ProtobufCEnumValue *known = protobuf_c_enum_descriptor_get_value(d, v);

	return known ? json_string(known->name) : json_integer(v);
}

/* NULL: an unset message, or a number that JSON cannot express (infinity, not a number). */
static json_t *write_value(const ProtobufCFieldDescriptor *f, const void *at)
{
	char text[32];

	switch (f->type) {
	case PROTOBUF_C_TYPE_INT32:
	case PROTOBUF_C_TYPE_SINT32:
	case PROTOBUF_C_TYPE_SFIXED32: return json_integer(*(const int32_t *)at);
	case PROTOBUF_C_TYPE_UINT32:
	case PROTOBUF_C_TYPE_FIXED32: return json_integer(*(const uint32_t *)at);
	case PROTOBUF_C_TYPE_INT64:
	case PROTOBUF_C_TYPE_SINT64:
	case PROTOBUF_C_TYPE_SFIXED64:
		snprintf(text, sizeof(text), "%lld", (long long)*(const int64_t *)at);
		return json_string(text);
	case PROTOBUF_C_TYPE_UINT64:
	case PROTOBUF_C_TYPE_FIXED64:
		snprintf(text, sizeof(text), "%llu", (unsigned long long)*(const uint64_t *)at);
		return json_string(text);
	case PROTOBUF_C_TYPE_FLOAT: return json_real((double)*(const float *)at);
	case PROTOBUF_C_TYPE_DOUBLE: return json_real(*(const double *)at);
	case PROTOBUF_C_TYPE_BOOL: return json_boolean(*(const protobuf_c_boolean *)at);
	case PROTOBUF_C_TYPE_ENUM: return write_enum(f->descriptor, *(const int32_t *)at);
	case PROTOBUF_C_TYPE_STRING: return write_string(*(char *const *)at);
	case PROTOBUF_C_TYPE_BYTES: return write_bytes(at);
	case PROTOBUF_C_TYPE_MESSAGE:
		return *(ProtobufCMessage *const *)at ? cli_json_write(*(ProtobufCMessage *const *)at) : NULL;
	}
	return NULL;
}

static json_t *write_map(const ProtobufCFieldDescriptor *f, ProtobufCMessage *const *entries, size_t n)
{
	const ProtobufCMessageDescriptor *d = f->descriptor;
	json_t *j = json_object();

	for (size_t i = 0; i < n; i++) {
		const char *key = *(char *const *)((const char *)entries[i] + d->fields[0].offset);
		json_t *value = write_value(&d->fields[1], (const char *)entries[i] + d->fields[1].offset);

		if (json_object_set_new(j, key, value) < 0)
			json_object_set_new_nocheck(j, key, json_null()); /* the key is not UTF-8 */
	}
	return j;
}

static json_t *write_list(const ProtobufCFieldDescriptor *f, const char *items, size_t n)
{
	json_t *j = json_array();

	for (size_t i = 0; i < n; i++)
		json_array_append_new(j, write_value(f, items + i * value_size(f)));
	return j;
}

json_t *cli_json_write(const ProtobufCMessage *m)
{
	json_t *j = json_object();
	char name[128];

	for (unsigned i = 0; i < m->descriptor->n_fields; i++) {
		const ProtobufCFieldDescriptor *f = &m->descriptor->fields[i];
		const void *at = (const char *)m + f->offset;
		size_t n = f->label == PROTOBUF_C_LABEL_REPEATED
				   ? *(const size_t *)((const char *)m + f->quantifier_offset)
				   : 0;
		json_t *value;

		assert(strlen(f->name) < sizeof(name));
		camel_case(name, f->name);
		if (f->label != PROTOBUF_C_LABEL_REPEATED)
			value = write_value(f, at);
		else if (is_map(f))
			value = write_map(f, *(ProtobufCMessage *const *const *)at, n);
		else
			value = write_list(f, *(const char *const *)at, n);
		if (value)
			json_object_set_new(j, name, value);
	}
	return j;
}
