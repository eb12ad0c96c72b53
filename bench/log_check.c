/* log_check.c - see log_check.h. */
#include "bench/log_check.h"

#include <ctype.h>
#include <stdbool.h>
#include <string.h>

#include "bench/log_line.h"
#include "reactor/own.h"

long log_check_number(const char *line)
{
	char want[LOG_LINE_BYTES + 1], *end;
	long n;

	if (!isdigit((unsigned char)line[0]))
		return -1;
	n = strtol(line, &end, 10);
	log_line_make(want, n);
	return strncmp(line, want, LOG_LINE_BYTES - 1) == 0 && line[LOG_LINE_BYTES - 1] == '\0' ? n : -1;
}

/* The text after the third blank; *partial when the tag is P. NULL: not CRI's format. */
static char *text_of(char *line, bool *partial)
{
	char *at = strchr(line, ' ');

	at = at ? strchr(at + 1, ' ') : NULL;
	if (!at || (at[1] != 'F' && at[1] != 'P') || at[2] != ' ')
		return NULL;
	*partial = at[1] == 'P';
	return at + 3;
}

int log_check(const char *path, long lines, struct log_check *out, struct err *e)
{
	auto_file FILE *f = fopen(path, "re");
	auto_free char *line = NULL, *seen = own_must(calloc((size_t)lines, 1));
	char joined[4 * LOG_LINE_BYTES] = "";
	size_t size = 0, have = 0;
	ssize_t len;

	if (!f)
		return err_os(e, ERR_INTERNAL, "open %s", path);
	*out = (struct log_check){ .lost = lines };
	while ((len = getline(&line, &size, f)) > 0) {
		bool partial;
		char *text = text_of(line, &partial);
		long n;

		line[len - 1] = '\0';
		have += (size_t)snprintf(joined + have, sizeof(joined) - have, "%s", text ? text : "");
		if (text && partial && have < sizeof(joined))
			continue;
		n = log_check_number(joined);
		have = 0;
		joined[0] = '\0';
		if (n < 0 || n >= lines || seen[n]) {
			out->damaged++;
		} else {
			seen[n] = 1;
			out->lost--;
		}
	}
	return 0;
}
