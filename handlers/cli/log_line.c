/* log_line.c - see log_line.h. */
#include "handlers/cli/log_line.h"

#include <string.h>

/* The next word. The space behind it is consumed. NULL: there is no space. */
static const char *take_word(const char **at, size_t *left, size_t *len)
{
	const char *begin = *at, *space = memchr(begin, ' ', *left);

	if (!space)
		return NULL;
	*len = (size_t)(space - begin);
	*at += *len + 1;
	*left -= *len + 1;
	return begin;
}

static bool word_is(const char *w, size_t len, const char *want)
{
	return len == strlen(want) && memcmp(w, want, len) == 0;
}

bool cli_log_line_parse(struct cli_log_line *out, const char *text, size_t len)
{
	size_t n;
	const char *w = take_word(&text, &len, &n);

	if (!w || n < sizeof("2006-01-02T15:04:05Z") - 1 || w[4] != '-' || w[10] != 'T')
		return false;
	w = take_word(&text, &len, &n);
	if (!w || (!word_is(w, n, "stdout") && !word_is(w, n, "stderr")))
		return false;
	out->is_stderr = word_is(w, n, "stderr");
	w = take_word(&text, &len, &n);
	if (!w || n < 1 || (w[0] != 'P' && w[0] != 'F') || (n > 1 && w[1] != ':'))
		return false;
	out->ends = w[0] == 'F';
	out->bytes = text;
	out->len = len;
	return true;
}
