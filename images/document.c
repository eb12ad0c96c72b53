/* document.c - see document.h. */
#include "images/document.h"

#include <ctype.h>
#include <errno.h>
#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "reactor/buf.h"

enum { NUMBER_MAX = 400 /* bytes; a longer number is out of range or has digits that mean nothing */ };

static bool number_fits(const char *text, size_t n)
{
	char copy[NUMBER_MAX + 1];

	if (n > NUMBER_MAX)
		return false;
	memcpy(copy, text, n);
	copy[n] = '\0';
	errno = 0;
	if (!strpbrk(copy, ".eE")) {
		(void)strtoll(copy, NULL, 10);
		return errno != ERANGE;
	}
	return isfinite(strtod(copy, NULL));
}

/* The value of the escape \uXXXX at `text`; -1: it is none. */
static int escaped(const char *text, const char *end)
{
	int v = 0;

	if (end - text < 6 || text[0] != '\\' || text[1] != 'u')
		return -1;
	for (int i = 2; i < 6; i++) {
		int c = tolower((unsigned char)text[i]);

		if (!isxdigit(c))
			return -1;
		v = v * 16 + (isdigit(c) ? c - '0' : c - 'a' + 10);
	}
	return v;
}

/* Copies one character of a string, or one escape, which begins at `text`. Returns where the next one begins. */
static const char *tidy_character(struct buf *out, const char *text, const char *end)
{
	int v = escaped(text, end), low = v < 0 ? -1 : escaped(text + 6, end);
	size_t n = v >= 0 ? 6 : *text == '\\' && text + 1 < end ? 2 : 1;

	if (v >= 0xd800 && v < 0xdc00 && low >= 0xdc00 && low < 0xe000)
		n = 12;
	else if (v == 0 || (v >= 0xd800 && v < 0xe000)) {
		buf_append(out, "\\ufffd", 6);
		return text + n;
	}
	buf_append(out, text, n);
	return text + n;
}

/* How many bytes of a number, or of something like it, begin at `text`. */
static size_t number_len(const char *text, const char *end)
{
	size_t n = 0;

	while (text + n < end && text[n] && strchr("0123456789+-.eE", text[n]))
		n++;
	return n && (isdigit((unsigned char)*text) || *text == '-') ? n : 0;
}

static void document_tidy(struct buf *out, const char *text, size_t len)
{
	const char *end = text + len;
	bool string = false;

	while (text < end) {
		size_t n;

		if (*text == '"')
			string = !string;
		if (string && *text != '"') {
			text = tidy_character(out, text, end);
			continue;
		}
		n = number_len(text, end);
		if (n && !number_fits(text, n))
			buf_puts(out, "null");
		else
			buf_append(out, text, n ? n : 1);
		text += n ? n : 1;
	}
}

json_t *document_parse(const char *text, size_t len, const char *what, struct err *e)
{
	json_t *j = json_parse(text, len, what, e), *again;
	struct err ignored; /* the first one names the place in the text as it came */
	struct buf tidy = { 0 };

	e->code = ERR_INVALID_ARGUMENT;
	if (j || len > JSON_BYTES_MAX)
		return j;
	document_tidy(&tidy, text, len);
	again = json_parse(buf_str(&tidy), tidy.len, what, &ignored);
	buf_free(&tidy);
	return again;
}
