/* toml.c - see toml.h. A recursive descent parser. The text ends with a NUL, so looking ahead needs no bounds check. */
#include "images/registry/toml.h"

#include <stdbool.h>
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

	if (t->at[0] == quote && t->at[1] == quote)
		return toml_fail(t, "strings over several lines are not supported");
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

static bool parse_pair(struct toml *t, json_t *table, int depth)
{
	auto_json json_t *key = NULL;
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

static json_t *parse_integer(struct toml *t)
{
	char *end;
	long long n = strtoll(t->at, &end, 10);

	if (*end && !strchr(" \t\r\n#,]}", *end))
		return toml_fail(t, "only decimal integers are supported here");
	t->at = end;
	return json_integer(n);
}

static json_t *parse_value(struct toml *t, int depth)
{
	if (depth == DEPTH_MAX)
		return toml_fail(t, "values nested too deep");
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
	if ((*t->at >= '0' && *t->at <= '9') ||
		((*t->at == '-' || *t->at == '+') && t->at[1] >= '0' && t->at[1] <= '9'))
		return parse_integer(t);
	return toml_fail(t, "a string, boolean, integer, array or inline table is expected here");
}

/* [a.b]: the table that the following pairs belong to. */
static json_t *parse_header(struct toml *t)
{
	const char *begin = t->at;
	auto_json json_t *key = NULL, *name = NULL;
	json_t *table, *inner;

	t->at++;
	if (*t->at == '[')
		return toml_fail(t, "arrays of tables are not supported");
	skip_blanks(t);
	table = parse_path(t, t->root, &key);
	if (!table)
		return NULL;
	if (*t->at != ']')
		return toml_fail(t, "] is expected after the table's name");
	t->at++;
	name = json_stringn_nocheck(begin, (size_t)(t->at - begin));
	inner = json_object_get(table, json_string_value(key));
	if ((inner && !json_is_object(inner)) || json_object_get(t->seen, json_string_value(name)))
		return toml_fail(t, "this table was given before");
	json_object_set_new_nocheck(t->seen, json_string_value(name), json_true());
	if (!inner) {
		inner = json_object();
		json_object_set_new(table, json_string_value(key), inner);
	}
	return inner;
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

json_t *toml_parse(const char *text, size_t len, const char *what, struct err *e)
{
	auto_free char *copy = own_must(strndup(text, len));
	auto_json json_t *root = json_object(), *seen = json_object();
	struct toml t = { .at = copy, .what = what, .line = 1, .root = root, .seen = seen, .e = e };

	if (strlen(copy) != len)
		return toml_fail(&t, "a NUL byte in the text");
	return parse_lines(&t) ? take_ptr(&root) : NULL;
}
