/* toml.c - see toml.h. A recursive descent parser. The text ends with a NUL, so looking ahead needs no bounds check. */
#include "reactor/toml.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "reactor/buf.h"
#include "reactor/own.h"

enum { DEPTH_MAX = 8 };

struct toml {
	const char *at;
	const char *what;
	int line;
	json_t *root;
	json_t *seen; /* names of the [tables] so far: each may be opened once */
	json_t *lines; /* address of a table -> key -> line; NULL: not wanted */
	struct err *e;
};

static json_t *toml_fail(struct toml *t, const char *cause)
{
	err_set(t->e, ERR_INTERNAL, "%s:%d: %s", t->what, t->line, cause);
	return NULL;
}

static void skip_blanks(struct toml *t)
{
	while (*t->at == ' ' || *t->at == '\t')
		t->at++;
}

static void skip_comment(struct toml *t)
{
	skip_blanks(t);
	if (*t->at == '#')
		t->at += strcspn(t->at, "\n");
}

static bool at_newline(const struct toml *t)
{
	return *t->at == '\n' || (t->at[0] == '\r' && t->at[1] == '\n');
}

/* Skips blanks, comments and line ends: inside arrays and between lines. */
static void skip_lines(struct toml *t)
{
	for (skip_comment(t); at_newline(t); skip_comment(t)) {
		t->at += *t->at == '\r' ? 2 : 1;
		t->line++;
	}
}

static int hex_digit(char c)
{
	const char *digits = "0123456789abcdef", *d = strchr(digits, c >= 'A' && c <= 'F' ? c + 32 : c);

	return c && d ? (int)(d - digits) : -1;
}

static void put_utf8(struct buf *b, unsigned long c)
{
	char u[4];
	size_t n = c < 0x80 ? 1 : c < 0x800 ? 2 : c < 0x10000 ? 3 : 4;
	static const unsigned char lead[] = { 0, 0, 0xc0, 0xe0, 0xf0 };

	for (size_t i = n - 1; i > 0; i--, c >>= 6)
		u[i] = (char)(0x80 | (c & 0x3f));
	u[0] = (char)(lead[n] | c);
	buf_append(b, u, n);
}

/* The escape after a backslash. */
static bool put_escape(struct toml *t, struct buf *b)
{
	static const char from[] = "btnfre\"\\", to[] = "\b\t\n\f\r\033\"\\";
	const char *known = *t->at ? strchr(from, *t->at) : NULL;
	int digits = *t->at == 'u' ? 4 : 8;
	unsigned long c = 0;

	if (known) {
		buf_append(b, &to[known - from], 1);
		t->at++;
		return true;
	}
	if (*t->at != 'u' && *t->at != 'U')
		return false;
	for (t->at++; digits > 0; digits--, t->at++) {
		if (hex_digit(*t->at) < 0)
			return false;
		c = c << 4 | (unsigned long)hex_digit(*t->at);
	}
	if (c == 0 || c > 0x10ffff || (c >= 0xd800 && c < 0xe000))
		return false;
	put_utf8(b, c);
	return true;
}

/* A "basic" or 'literal' string. */
static json_t *parse_string(struct toml *t)
{
	char quote = *t->at++;
	struct buf b = { 0 };
	json_t *s;

	while (*t->at != quote) {
		if ((unsigned char)*t->at < ' ' && *t->at != '\t') {
			buf_free(&b);
			return toml_fail(t, "the string does not end in its line, or holds a control character");
		}
		if (quote == '"' && *t->at == '\\') {
			t->at++;
			if (!put_escape(t, &b)) {
				buf_free(&b);
				return toml_fail(t, "a malformed escape in a string");
			}
		} else {
			buf_append(&b, t->at++, 1);
		}
	}
	t->at++;
	s = json_stringn(b.at ? (const char *)b.at : "", b.len);
	buf_free(&b);
	return s ? s : toml_fail(t, "a string is not valid UTF-8");
}

/* The end of a line inside a long string. A backslash before it takes the line end and all blanks behind it away. */
static void long_string_line(struct toml *t, struct buf *b, bool folded)
{
	if (!folded)
		buf_append(b, "\n", 1);
	t->at += *t->at == '\r' ? 2 : 1;
	t->line++;
	while (folded && (*t->at == ' ' || *t->at == '\t' || at_newline(t))) {
		t->line += *t->at == '\n';
		t->at++;
	}
}

/* Behind a backslash: blanks and the end of the line. */
static bool at_fold(struct toml *t)
{
	const char *end = t->at + strspn(t->at, " \t");

	if (*end != '\n' && !(end[0] == '\r' && end[1] == '\n'))
		return false;
	t->at = end;
	return true;
}

/* What stands between two sets of three quotes: lines are kept, but for a line end right behind the first set. Up to
 * two quotes may stand before the last set. */
static bool put_long_string(struct toml *t, char quote, struct buf *b)
{
	const char end[] = { quote, quote, quote, '\0' };

	t->at += 3;
	if (at_newline(t)) {
		t->at += *t->at == '\r' ? 2 : 1;
		t->line++;
	}
	for (;;) {
		if (strncmp(t->at, end, 3) == 0 && t->at[3] != quote) {
			t->at += 3;
			return true;
		}
		if (at_newline(t)) {
			long_string_line(t, b, false);
		} else if (quote == '"' && *t->at == '\\') {
			t->at++;
			if (at_fold(t))
				long_string_line(t, b, true);
			else if (!put_escape(t, b))
				return toml_fail(t, "a malformed escape in a string");
		} else if ((unsigned char)*t->at < ' ' && *t->at != '\t') {
			return toml_fail(t, "the string does not end, or holds a control character");
		} else {
			buf_append(b, t->at++, 1);
		}
	}
}

static json_t *parse_long_string(struct toml *t)
{
	struct buf b = { 0 };
	bool whole = put_long_string(t, *t->at, &b);
	json_t *s = whole ? json_stringn(b.at ? (const char *)b.at : "", b.len) : NULL;

	buf_free(&b);
	return s || !whole ? s : toml_fail(t, "a string is not valid UTF-8");
}

static json_t *parse_key(struct toml *t)
{
	size_t n = strspn(t->at, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-");

	if (*t->at == '"' || *t->at == '\'')
		return parse_string(t);
	if (n == 0)
		return toml_fail(t, "a key is expected here");
	t->at += n;
	return json_stringn(t->at - n, n);
}

/* key.key.key: opens the table of every key but the last, which goes to *last (owned). Returns the innermost table
 * (borrowed). */
static json_t *parse_path(struct toml *t, json_t *table, json_t **last)
{
	for (int depth = 0;; depth++) {
		json_t *key = parse_key(t), *inner;

		if (!key)
			return NULL;
		*last = key;
		skip_blanks(t);
		if (*t->at != '.')
			return table;
		t->at++;
		skip_blanks(t);
		inner = json_object_get(table, json_string_value(key));
		if (!inner) {
			inner = json_object();
			json_object_set_new(table, json_string_value(key), inner);
		}
		if (json_is_array(inner)) /* of [[tables]]: the last one is meant */
			inner = json_array_get(inner, json_array_size(inner) - 1);
		json_decref(take_ptr(last));
		if (!json_is_object(inner))
			return toml_fail(t, "a dotted key goes through a value that is not a table");
		if (depth == DEPTH_MAX)
			return toml_fail(t, "tables nested too deep");
		table = inner;
	}
}

static json_t *parse_value(struct toml *t, int depth);

static json_t *parse_array(struct toml *t, int depth)
{
	auto_json json_t *list = json_array();

	t->at++;
	for (;;) {
		json_t *v;

		skip_lines(t);
		if (*t->at == ']') {
			t->at++;
			return take_ptr(&list);
		}
		v = parse_value(t, depth);
		if (!v)
			return NULL;
		json_array_append_new(list, v);
		skip_lines(t);
		if (*t->at == ',')
			t->at++;
		else if (*t->at != ']')
			return toml_fail(t, "a comma or ] is expected in the array");
	}
}

enum { ADDRESS_SIZE = 24 };

static void address_text(char text[static ADDRESS_SIZE], const json_t *table)
{
	snprintf(text, ADDRESS_SIZE, "%p", (const void *)table);
}

static void note_line(struct toml *t, const json_t *table, const char *key, int line)
{
	char address[ADDRESS_SIZE];
	json_t *of_table;

	if (!t->lines)
		return;
	address_text(address, table);
	of_table = json_object_get(t->lines, address);
	if (!of_table) {
		of_table = json_object();
		json_object_set_new(t->lines, address, of_table);
	}
	json_object_set_new(of_table, key, json_integer(line));
}

static bool parse_pair(struct toml *t, json_t *table, int depth)
{
	auto_json json_t *key = NULL;
	int line = t->line;
	json_t *v;

	table = parse_path(t, table, &key);
	if (!table)
		return false;
	if (*t->at != '=')
		return toml_fail(t, "= is expected after the key");
	t->at++;
	skip_blanks(t);
	v = parse_value(t, depth);
	if (!v)
		return false;
	if (json_object_get(table, json_string_value(key))) {
		json_decref(v);
		return toml_fail(t, "this key was given before");
	}
	json_object_set_new(table, json_string_value(key), v);
	note_line(t, table, json_string_value(key), line);
	return true;
}

static json_t *parse_inline_table(struct toml *t, int depth)
{
	auto_json json_t *table = json_object();

	t->at++;
	skip_blanks(t);
	if (*t->at == '}') {
		t->at++;
		return take_ptr(&table);
	}
	for (;;) {
		if (!parse_pair(t, table, depth))
			return NULL;
		skip_blanks(t);
		if (*t->at == '}') {
			t->at++;
			return take_ptr(&table);
		}
		if (*t->at != ',')
			return toml_fail(t, "a comma or } is expected in the inline table");
		t->at++;
		skip_blanks(t);
	}
}

/* Integers are numbers. Floats, dates, times and integers in other forms become strings with their text: no key of a
 * hosts.toml has such a value. A blank may stand between a date and a time. */
static json_t *parse_scalar(struct toml *t)
{
	static const char decimal[] = "0123456789_.:+-eEtTzZinfa", based[] = "0123456789abcdefABCDEFxo_";
	const char *text = t->at, *parts = text[0] == '0' && text[1] && strchr("xob", text[1]) ? based : decimal;
	size_t n = strspn(text, parts);
	char *end;
	long long i = strtoll(text, &end, 10);

	if (n == 10 && text[4] == '-' && text[7] == '-' && text[10] == ' ' && text[11] >= '0' && text[11] <= '2')
		n += 1 + strspn(text + 11, parts);
	if (text[n] && !strchr(" \t\r\n#,]}", text[n]))
		return toml_fail(t, "a malformed number or date");
	t->at += n;
	return end == t->at ? json_integer(i) : json_stringn(text, n);
}

/* A number, a date, or the floats inf and nan. */
static bool at_scalar(const struct toml *t)
{
	const char *s = t->at + (*t->at == '-' || *t->at == '+');

	return (*s >= '0' && *s <= '9') || strncmp(s, "inf", 3) == 0 || strncmp(s, "nan", 3) == 0;
}

static json_t *parse_value(struct toml *t, int depth)
{
	if (depth == DEPTH_MAX)
		return toml_fail(t, "values nested too deep");
	if (strncmp(t->at, "\"\"\"", 3) == 0 || strncmp(t->at, "'''", 3) == 0)
		return parse_long_string(t);
	if (*t->at == '"' || *t->at == '\'')
		return parse_string(t);
	if (*t->at == '[')
		return parse_array(t, depth + 1);
	if (*t->at == '{')
		return parse_inline_table(t, depth + 1);
	if (strncmp(t->at, "true", 4) == 0) {
		t->at += 4;
		return json_true();
	}
	if (strncmp(t->at, "false", 5) == 0) {
		t->at += 5;
		return json_false();
	}
	if (at_scalar(t))
		return parse_scalar(t);
	return toml_fail(t, "a string, boolean, number, date, array or inline table is expected here");
}

/* [[a.b]]: one more table in an array. */
static json_t *array_item(struct toml *t, json_t *table, const char *key)
{
	json_t *list = json_object_get(table, key), *item = json_object();

	if (!list) {
		list = json_array();
		json_object_set_new(table, key, list);
	}
	if (!json_is_array(list)) {
		json_decref(item);
		return toml_fail(t, "this table was given before");
	}
	json_array_append_new(list, item);
	return item;
}

static json_t *named_table(struct toml *t, json_t *table, const char *key, const char *name)
{
	json_t *inner = json_object_get(table, key);

	if ((inner && !json_is_object(inner)) || json_object_get(t->seen, name))
		return toml_fail(t, "this table was given before");
	json_object_set_new_nocheck(t->seen, name, json_true());
	if (!inner) {
		inner = json_object();
		json_object_set_new(table, key, inner);
	}
	return inner;
}

/* [a.b] or [[a.b]]: the table that the following pairs belong to. */
static json_t *parse_header(struct toml *t)
{
	const char *begin = t->at;
	bool list = t->at[1] == '[';
	auto_json json_t *key = NULL, *name = NULL;
	json_t *table;

	t->at += list ? 2 : 1;
	skip_blanks(t);
	table = parse_path(t, t->root, &key);
	if (!table)
		return NULL;
	if (*t->at != ']' || (list && t->at[1] != ']'))
		return toml_fail(t, "] is expected after the table's name");
	name = json_stringn_nocheck(begin, (size_t)(t->at - begin));
	t->at += list ? 2 : 1;
	return list ? array_item(t, table, json_string_value(key)) :
		      named_table(t, table, json_string_value(key), json_string_value(name));
}

static bool parse_lines(struct toml *t)
{
	json_t *table = t->root;

	for (skip_lines(t); *t->at; skip_lines(t)) {
		if (*t->at == '[')
			table = parse_header(t);
		else if (!parse_pair(t, table, 0))
			return false;
		if (!table)
			return false;
		skip_comment(t);
		if (*t->at && !at_newline(t))
			return toml_fail(t, "unexpected text after the value");
	}
	return true;
}

static json_t *parse_text(const char *text, size_t len, const char *what, json_t *lines, struct err *e)
{
	auto_free char *copy = own_must(strndup(text, len));
	auto_json json_t *root = json_object(), *seen = json_object();
	struct toml t = { .at = copy, .what = what, .line = 1, .root = root, .seen = seen,
			  .lines = lines, .e = e };

	if (strlen(copy) != len)
		return toml_fail(&t, "a NUL byte in the text");
	return parse_lines(&t) ? take_ptr(&root) : NULL;
}

json_t *toml_parse(const char *text, size_t len, const char *what, struct err *e)
{
	return parse_text(text, len, what, NULL, e);
}

json_t *toml_parse_lines(const char *text, size_t len, const char *what, json_t **lines, struct err *e)
{
	*lines = own_must(json_object());
	return parse_text(text, len, what, *lines, e);
}

int toml_line(const json_t *lines, const json_t *table, const char *key)
{
	char address[ADDRESS_SIZE];

	address_text(address, table);
	return (int)json_integer_value(json_object_get(json_object_get(lines, address), key));
}
