/* log_field.c - see log_field.h. */
#include "reactor/log_field.h"

#include <ctype.h>
#include <string.h>

/* The length of a quoted value from its first quote to its last one, or to the end of a text that was cut. */
static size_t quoted_len(const char *text)
{
	const char *at = text + 1;

	while (*at && *at != '"')
		at += *at == '\\' && at[1] ? 2 : 1;
	return (size_t)(at - text) + (*at == '"');
}

static size_t key_len(const char *text)
{
	size_t n = 0;

	while (isalnum((unsigned char)text[n]) || text[n] == '_')
		n++;
	return text[n] == '=' ? n : 0;
}

bool log_field_next(const char **at, struct log_field *f)
{
	const char *text = *at + strspn(*at, " ");
	size_t n;

	if (!*text)
		return false;
	*f = (struct log_field){ .key_len = key_len(text) };
	if (f->key_len) {
		f->key = text;
		text += f->key_len + 1;
	}
	f->quoted = f->key && *text == '"';
	n = f->quoted ? quoted_len(text) : strcspn(text, " ");
	*at = text + n;
	f->value = text + f->quoted;
	f->value_len = n;
	if (f->quoted)
		f->value_len -= n > 1 && text[n - 1] == '"' ? 2 : 1;
	return true;
}

bool log_field_is(const struct log_field *f, const char *key)
{
	return f->key && strlen(key) == f->key_len && memcmp(f->key, key, f->key_len) == 0;
}

bool log_field_find(const char *text, const char *key, struct log_field *f)
{
	while (log_field_next(&text, f))
		if (log_field_is(f, key))
			return true;
	return false;
}

static int hex_digit(char c)
{
	return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

size_t log_field_text(const struct log_field *f, char *out, size_t size)
{
	const char *at = f->value, *end = at + f->value_len;
	size_t n = 0;

	while (at < end && n + 1 < size) {
		if (!f->quoted || *at != '\\' || end - at < 2) {
			out[n++] = *at++;
		} else if (at[1] == 'x' && end - at >= 4 && hex_digit(at[2]) >= 0 && hex_digit(at[3]) >= 0) {
			out[n++] = (char)(hex_digit(at[2]) << 4 | hex_digit(at[3]));
			at += 4;
		} else {
			out[n++] = at[1];
			at += 2;
		}
	}
	out[n] = '\0';
	return n;
}
