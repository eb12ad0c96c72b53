/* scrub.c - see scrub.h. A line is gone over twice: first for users and passwords before an @, then for names and
 * tokens. */
#include "handlers/cli/scrub.h"

#include <ctype.h>
#include <string.h>
#include <strings.h>

#include "reactor/own.h"

/* ---- users and passwords before an @ ---- */

static bool ends_word(char c)
{
	return c == ' ' || c == '\t' || c == '"' || c == '\'' || c == '<' || c == '>' || c == '`';
}

/* The last @ of the word that does not begin a digest. NULL: none. */
static const char *last_at(const char *from, const char *end)
{
	for (const char *at = end; at-- > from;)
		if (*at == '@' && (end - at < 5 || strncmp(at, "@sha", 4) != 0 || !isdigit((unsigned char)at[4])))
			return at;
	return NULL;
}

/* Where the user begins, when the word has one before its @. NULL: it has none. */
static const char *user_of(const char *word, const char *at, const char *end)
{
	const char *url = memmem(word, (size_t)(at - word), "://", 3), *name = word;
	bool colon, slash;

	if (url)
		return url + 3;
	while (name < at && (isalnum((unsigned char)*name) || *name == '_'))
		name++;
	name = name < at && *name == '=' ? name + 1 : word; /* image=user:password@host/path */
	colon = memchr(name, ':', (size_t)(at - name));
	slash = memchr(name, '/', (size_t)(at - name));
	return colon || (!slash && memchr(at, '/', (size_t)(end - at))) ? name : NULL;
}

static void scrub_users(struct buf *out, const char *line, size_t len)
{
	const char *at = line, *end = line + len, *word, *sign, *user;

	while (at < end) {
		word = at;
		while (at < end && !ends_word(*at))
			at++;
		sign = last_at(word, at);
		user = sign ? user_of(word, sign, at) : NULL;
		if (user) {
			buf_append(out, word, (size_t)(user - word));
			buf_puts(out, SCRUBBED);
			word = sign;
		}
		at += at < end; /* what ended it */
		buf_append(out, word, (size_t)(at - word));
	}
}

/* ---- names and tokens ---- */

static bool in_name(char c)
{
	return isalnum((unsigned char)c) || c == '_' || c == '-' || c == '.';
}

static bool has(const char *word, size_t len, const char *part)
{
	size_t n = strlen(part);

	for (size_t i = 0; i + n <= len; i++)
		if (strncasecmp(word + i, part, n) == 0)
			return true;
	return false;
}

static bool is_secret_name(const char *name, size_t len)
{
	static const char *const parts[] = { "password", "passwd", "passphrase", "secret", "token", "credential",
					     "authorization", "apikey", "api_key", "api-key", "accesskey", "access_key",
					     "access-key", "privatekey", "private_key", "private-key", "cookie" };
	static const char *const lasts[] = { "auth", "auths", "pass", "pwd", "sig", "signature" };
	size_t last = len;

	for (size_t i = 0; i < sizeof(parts) / sizeof(*parts); i++)
		if (has(name, len, parts[i]))
			return true;
	while (last > 0 && isalnum((unsigned char)name[last - 1]))
		last--;
	for (size_t i = 0; i < sizeof(lasts) / sizeof(*lasts); i++)
		if (len - last == strlen(lasts[i]) && strncasecmp(name + last, lasts[i], len - last) == 0)
			return true;
	return false;
}

static bool is_token(const char *word, size_t len)
{
	static const char *const begins[] = { "eyJ", "ghp_", "gho_", "ghu_", "ghs_", "ghr_", "github_pat_", "glpat-",
					      "dckr_pat_", "dckr_oat_", "AKIA", "ASIA", "xox", "hvs." };

	for (size_t i = 0; len >= 16 && i < sizeof(begins) / sizeof(*begins); i++)
		if (strncmp(word, begins[i], strlen(begins[i])) == 0)
			return true;
	return false;
}

/* The quote at `at`, which may be an escaped one, as in a JSON text that is a string of another text. 0: none. */
static size_t quote_len(const char *at, const char *end)
{
	size_t n = 0;

	while (at + n < end && at[n] == '\\')
		n++;
	return at + n < end && (at[n] == '"' || at[n] == '\'') ? n + 1 : 0;
}

/* Where the value ends that begins at `at`: at its closing quote, or where `sign` (= or :) lets a plain value end. */
static const char *value_end(const char *at, const char *end, size_t quote, char sign)
{
	static const char stops[] = " \t,;&)]}";
	const char *opening = at - quote;

	if (quote) {
		for (; at + quote <= end; at++) {
			if (*at == '\\' && quote == 1)
				at++; /* an escaped character of the value */
			else if (strncmp(at, opening, quote) == 0)
				return at;
		}
		return end;
	}
	if (at < end && (*at == '[' || *at == '{'))
		return end;
	for (; at < end && *at != '"' && (sign == ':' || !memchr(stops, *at, sizeof(stops) - 1)); at++)
		at += *at == '\\' && at + 1 < end; /* an escaped quote is of the value */
	return at;
}

static bool is_scheme(const char *word, size_t len)
{
	return (len == 6 && strncasecmp(word, "bearer", 6) == 0) || (len == 5 && strncasecmp(word, "basic", 5) == 0);
}

/* Behind "Bearer ", when the value begins so. */
static const char *skip_scheme(const char *at, const char *end)
{
	const char *word = at;

	while (at < end && isalpha((unsigned char)*at))
		at++;
	if (!is_scheme(word, (size_t)(at - word)))
		return word;
	while (at < end && *at == ' ')
		at++;
	return at;
}

/* A value follows the name that ends at `at`: writes what is between, and SCRUBBED, and returns where the value ends.
 * NULL: none follows. */
static const char *scrub_value(struct buf *out, const char *at, const char *end)
{
	const char *from = at;
	size_t quote;
	char sign;

	at += quote_len(at, end);
	while (at < end && (*at == ' ' || *at == '\t'))
		at++;
	if (at == end || (*at != '=' && *at != ':'))
		return NULL;
	sign = *at++;
	while (at < end && (*at == ' ' || *at == '\t'))
		at++;
	quote = quote_len(at, end);
	at += quote;
	if (at == end)
		return NULL;
	buf_append(out, from, (size_t)(at - from));
	buf_puts(out, SCRUBBED);
	return value_end(quote ? at : skip_scheme(at, end), end, quote, sign);
}

/* "--password abc", also as two strings of a list: the word behind the option. */
static const char *scrub_option(struct buf *out, const char *at, const char *end)
{
	const char *from = at, *gap;
	size_t quote;

	at += quote_len(at, end);
	for (gap = at; at < end && (*at == ' ' || *at == '\t' || *at == ',');)
		at++;
	quote = quote_len(at, end);
	if (at == gap || at + quote == end || at[quote] == '-')
		return NULL;
	at += quote;
	buf_append(out, from, (size_t)(at - from));
	buf_puts(out, SCRUBBED);
	return value_end(at, end, quote, '=');
}

/* "Bearer abc": the word behind the scheme. */
static const char *scrub_scheme(struct buf *out, const char *at, const char *end)
{
	const char *from = at;

	while (at < end && *at == ' ')
		at++;
	if (at == from || at == end)
		return NULL;
	buf_append(out, from, (size_t)(at - from));
	buf_puts(out, SCRUBBED);
	while (at < end && !ends_word(*at) && *at != ',')
		at++;
	return at;
}

/* NULL: no value follows the name. */
static const char *scrub_behind(struct buf *out, const char *name, size_t len, const char *end)
{
	const char *behind = NULL;

	if (is_secret_name(name, len)) {
		behind = scrub_value(out, name + len, end);
		if (!behind && len > 2 && name[0] == '-' && name[1] == '-')
			behind = scrub_option(out, name + len, end);
	}
	if (!behind && is_scheme(name, len))
		behind = scrub_scheme(out, name + len, end);
	return behind;
}

static void scrub_names(struct buf *out, const char *line, size_t len)
{
	const char *at = line, *end = line + len, *word, *behind;
	size_t n;

	while (at < end) {
		for (word = at; at < end && in_name(*at);)
			at++;
		n = (size_t)(at - word);
		if (is_token(word, n)) {
			buf_puts(out, SCRUBBED);
			continue;
		}
		buf_append(out, word, n ? n : 1);
		at += !n;
		behind = n ? scrub_behind(out, word, n, end) : NULL;
		at = behind ? behind : at;
	}
}

/* ---- whole texts ---- */

static void scrub_line(struct buf *out, const char *line, size_t len)
{
	struct buf half = { 0 };
	bool cut = len > SCRUB_LINE_MAX;

	scrub_users(&half, line, cut ? SCRUB_LINE_MAX : len);
	if (half.len)
		scrub_names(out, (const char *)half.at, half.len);
	buf_puts(out, cut ? " [cut]\n" : "\n");
	buf_free(&half);
}

void scrub_text(struct buf *out, const char *text, size_t len)
{
	const char *end = text + len, *line = text, *next;
	bool in_key = false; /* in a private key, over several lines */

	for (; line < end; line = next + 1) {
		size_t n;
		bool begins, ends;

		next = memchr(line, '\n', (size_t)(end - line));
		next = next ? next : end;
		n = (size_t)(next - line);
		begins = memmem(line, n, "-----BEGIN", 10) && memmem(line, n, "PRIVATE KEY", 11);
		ends = memmem(line, n, "-----END", 8);
		if (begins)
			buf_puts(out, SCRUBBED "\n");
		else if (!in_key)
			scrub_line(out, line, n);
		in_key = (in_key || begins) && !ends;
	}
}

void scrub_json(json_t *j)
{
	const char *name;
	json_t *one;
	size_t i;
	void *next;

	json_object_foreach_safe(j, next, name, one) {
		if (is_secret_name(name, strlen(name)))
			json_object_set_new(j, name, json_string(SCRUBBED));
		else
			scrub_json(one);
	}
	json_array_foreach(j, i, one)
		scrub_json(one);
}
