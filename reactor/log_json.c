/* log_json.c - see log_json.h. */
#include "reactor/log_json.h"

#include <ctype.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "reactor/log_field.h"
#include "reactor/utf8.h"

enum { KEYS_MAX = 32, VALUE_MAX = 2048, TAIL = 16 }; /* TAIL: what ends a value and the object */

struct object {
	char *out;
	size_t n, size;
	const char *keys[KEYS_MAX]; /* inside the text */
	size_t key_lens[KEYS_MAX], nkeys;
};

static void put(struct object *o, const char *text)
{
	size_t len = strlen(text);

	if (o->n + len + TAIL < o->size) {
		memcpy(o->out + o->n, text, len);
		o->n += len;
	}
}

/* One character as JSON's \uXXXX, two of them beyond U+FFFF. `code` of a byte that is no UTF-8 is given as \xNN. */
static void put_code(struct object *o, uint32_t code)
{
	char text[16];

	if (code < 0x10000)
		snprintf(text, sizeof(text), "\\u%04x", (unsigned)code);
	else
		snprintf(text, sizeof(text), "\\u%04x\\u%04x", (unsigned)(0xd7c0 + (code >> 10)),
			 (unsigned)(0xdc00 + (code & 0x3ff)));
	put(o, text);
}

static uint32_t code_of(const char *at, size_t len)
{
	static const unsigned char first[] = { 0, 0x7f, 0x1f, 0x0f, 0x07 };
	uint32_t code = (unsigned char)at[0] & first[len];

	for (size_t i = 1; i < len; i++)
		code = code << 6 | ((unsigned char)at[i] & 0x3f);
	return code;
}

static void put_string(struct object *o, const char *at, size_t n)
{
	put(o, "\"");
	while (n) {
		size_t len = utf8_char(at, n);
		char text[8];

		if (!len) {
			snprintf(text, sizeof(text), "\\\\x%02x", (unsigned char)*at);
			put(o, text);
			len = 1;
		} else if (len > 1 || (unsigned char)*at < 0x20 || *at == 0x7f) {
			put_code(o, code_of(at, len));
		} else {
			snprintf(text, sizeof(text), *at == '"' || *at == '\\' ? "\\%c" : "%c", *at);
			put(o, text);
		}
		at += len;
		n -= len;
	}
	o->out[o->n++] = '"'; /* has room: TAIL */
}

static void put_member(struct object *o, const char *key, const char *value)
{
	put(o, o->n > 1 ? ",\"" : "\"");
	put(o, key);
	put(o, "\":");
	put_string(o, value, strlen(value));
}

/* Ids and names may look like numbers too, so the key decides. */
static bool is_numeric_key(const char *key, size_t len)
{
	static const char *const ends[] = { "_ms", "_us", "_bytes", "bytes", "pid", "exit_code", "signal", "port",
					    "attempt", "count", "left_out" };

	for (size_t i = 0; i < sizeof(ends) / sizeof(*ends); i++)
		if (len >= strlen(ends[i]) && memcmp(key + len - strlen(ends[i]), ends[i], strlen(ends[i])) == 0)
			return true;
	return false;
}

/* Spec: RFC 8259, section 6, without exponents. */
static bool is_number(const char *at)
{
	at += *at == '-';
	if (!isdigit((unsigned char)*at) || (at[0] == '0' && isdigit((unsigned char)at[1])))
		return false;
	at += strspn(at, "0123456789");
	if (*at == '.')
		at += isdigit((unsigned char)at[1]) ? 1 + strspn(at + 1, "0123456789") : 0;
	return !*at;
}

static bool key_is_new(struct object *o, const struct log_field *f)
{
	for (size_t i = 0; i < o->nkeys; i++)
		if (o->key_lens[i] == f->key_len && memcmp(o->keys[i], f->key, f->key_len) == 0)
			return false;
	if (o->nkeys == KEYS_MAX)
		return false;
	o->keys[o->nkeys] = f->key;
	o->key_lens[o->nkeys++] = f->key_len;
	return true;
}

static bool key_is_taken(const struct log_field *f)
{
	return log_field_is(f, "time") || log_field_is(f, "level") || log_field_is(f, "program") ||
	       log_field_is(f, "event");
}

static void put_field(struct object *o, const struct log_field *f, const char *value, size_t len, bool quoted)
{
	char key[64];

	/* All or nothing of a key and its quotes, so that what is cut is still an object. */
	if (!key_is_new(o, f) || o->n + f->key_len + 2 * TAIL >= o->size)
		return;
	snprintf(key, sizeof(key), ",\"%.*s%s\":", (int)(f->key_len < 50 ? f->key_len : 50), f->key,
		 key_is_taken(f) ? "_" : "");
	if (o->n + strlen(key) + len + TAIL < o->size && !quoted && is_numeric_key(f->key, f->key_len) &&
	    is_number(value)) {
		put(o, key);
		put(o, value);
		return;
	}
	put(o, key);
	put_string(o, value, len);
}

/* Words without a key belong to what stands before them: to the event, or to a value that was not quoted. */
static size_t with_words(const char **at, char *value, size_t len, size_t size)
{
	struct log_field f;
	const char *next = *at;

	while (log_field_next(&next, &f) && !f.key) {
		int n = snprintf(value + len, size - len, "%s%.*s", len ? " " : "", (int)f.value_len, f.value);

		len += n < 0 ? 0 : (size_t)n < size - len ? (size_t)n : size - len - 1;
		*at = next;
	}
	return len;
}

size_t log_json(char *out, size_t size, const char *time, const char *level, const char *program, const char *text)
{
	struct object o = { .out = out, .size = size };
	char value[VALUE_MAX] = "";
	struct log_field f;
	size_t len;

	put(&o, "{");
	put_member(&o, "time", time);
	put_member(&o, "level", level);
	put_member(&o, "program", program);
	with_words(&text, value, 0, sizeof(value));
	value[size / 4 < sizeof(value) ? size / 4 : sizeof(value) - 1] = '\0';
	put_member(&o, "event", value);
	while (log_field_next(&text, &f)) {
		len = log_field_text(&f, value, sizeof(value));
		len = with_words(&text, value, len, sizeof(value));
		put_field(&o, &f, value, len, f.quoted);
	}
	out[o.n++] = '}';
	out[o.n] = '\0';
	return o.n;
}
