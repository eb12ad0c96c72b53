/* message.c - see message.h. */
#include "handlers/cli/message.h"

#include <ctype.h>
#include <stdbool.h>
#include <string.h>

#include "reactor/buf.h"

/* One word that begins with a capital and goes on with a small letter, as the errors of CRI do. */
static bool is_reason(const char *part)
{
	if (!isupper((unsigned char)part[0]) || !islower((unsigned char)part[1]))
		return false;
	for (; *part; part++)
		if (!isalnum((unsigned char)*part))
			return false;
	return true;
}

static bool is_of_name(char c)
{
	return isalnum((unsigned char)c) || c == '-' || c == '_';
}

/* `part` stands in `text`, and no letter is just before or behind it. */
static bool has_words(const char *text, const char *part)
{
	size_t n = strlen(part);

	for (const char *at = strstr(text, part); at; at = strstr(at + 1, part))
		if ((at == text || !is_of_name(at[-1])) && !is_of_name(at[n]))
			return true;
	return false;
}

/* A sentence was said when the same one was; a name (of an object, a file, a host) when it was a part of one. */
static bool was_said(const char *what, const struct buf *said, const char *part)
{
	struct buf text = { 0 };
	bool yes;

	buf_printf(&text, ": %s: %.*s", what, (int)said->len, said->len ? (const char *)said->at : "");
	if (strchr(part, ' ')) {
		struct buf whole = { 0 };

		buf_printf(&whole, ": %s: ", part);
		yes = strstr(buf_str(&text), buf_str(&whole)) != NULL;
		buf_free(&whole);
	} else {
		yes = has_words(buf_str(&text), part);
	}
	buf_free(&text);
	return yes;
}

/* "runc run" before "runc run failed". */
static bool begins_next(const char *part, const char *next)
{
	size_t n = strlen(part);

	return strncmp(next, part, n) == 0 && next[n] == ' ';
}

const char *cli_message(struct arena *a, const char *what, const struct err *e)
{
	const char *code = err_name(e->code), *rest = e->msg, *text;
	struct buf said = { 0 };

	while (*rest) {
		const char *colon = strstr(rest, ": ");
		const char *part = colon ? arena_strndup(a, rest, (size_t)(colon - rest)) : rest;

		if (rest == e->msg && colon && is_reason(part))
			code = part;
		else if (*part && !was_said(what, &said, part) && !begins_next(part, colon ? colon + 2 : ""))
			buf_printf(&said, "%s: ", part);
		rest = colon ? colon + 2 : "";
	}
	text = said.len ? arena_strndup(a, (const char *)said.at, said.len - 2) : e->msg;
	buf_free(&said);
	return arena_printf(a, "%s: %s%s%s", what, code, *text ? ": " : "", text);
}

const char *cli_message_hint(const char *address, const struct err *e)
{
	if (e->code != ERR_UNAVAILABLE || strncmp(e->msg, address, strlen(address)) != 0)
		return NULL;
	if (strstr(e->msg, "Permission denied"))
		return "are you root?";
	if (strstr(e->msg, "No such file or directory") || strstr(e->msg, "Connection refused"))
		return "is crisp running?";
	return NULL;
}
