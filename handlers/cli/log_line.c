/* log_line.c - see log_line.h. */
#include "handlers/cli/log_line.h"

#include <string.h>

/* The next word up to a space, which is consumed. NULL: there is no space. */
static const char *word(const char **at, size_t *left, size_t *len)
{
	const char *begin = *at, *space = memchr(begin, ' ', *left);

	if (!space)
		return NULL;
	*len = (size_t)(space - begin);
	*at += *len + 1;
	*left -= *len + 1;
	return begin;
}

static bool is(const char *w, size_t len, const char *want)
{
	return len == strlen(want) && memcmp(w, want, len) == 0;
}

bool cli_log_line_parse(struct cli_log_line *out, const char *text, size_t len)
{
	size_t n;
	const char *w = word(&text, &len, &n);

	if (!w || n < sizeof("2006-01-02T15:04:05Z") - 1 || w[4] != '-' || w[10] != 'T')
		return false;
	w = word(&text, &len, &n);
	if (!w || (!is(w, n, "stdout") && !is(w, n, "stderr")))
		return false;
	out->is_stderr = is(w, n, "stderr");
	w = word(&text, &len, &n);
	if (!w || n < 1 || (w[0] != 'P' && w[0] != 'F') || (n > 1 && w[1] != ':'))
		return false;
	out->ends = w[0] == 'F';
	out->bytes = text;
	out->len = len;
	return true;
}
