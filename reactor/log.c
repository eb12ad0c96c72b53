/* log.c - see log.h. One write(2) for each line, so that lines of two processes do not mix. */
#include "reactor/log.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { LINE_MAX_BYTES = 2048, QUOTE_MAX_BYTES = 512, QUOTES = 4 };

enum log_level log_threshold = LOG_LEVEL_INFO;
static const char *who = "crisp";

static const char *const level_names[] = { "debug", "info", "warn", "error" };

void log_open(const char *name, enum log_level threshold)
{
	who = name;
	log_threshold = threshold;
}

int log_level_parse(const char *word)
{
	for (int i = LOG_LEVEL_DEBUG; i <= LOG_LEVEL_ERROR; i++)
		if (strcmp(word, level_names[i]) == 0)
			return i;
	return -1;
}

/* A byte that a terminal or a reader of lines may take for a command. Bytes from 0x80 on are among them: 0x9b alone, or
 * in UTF-8, begins a command of a terminal as ESC [ does. */
static bool log_is_plain(char c)
{
	return (unsigned char)c >= 0x20 && (unsigned char)c < 0x7f;
}

/* All text of a line, quoted or not: no value may end its line and forge the next one. At most `size` bytes. */
static size_t log_escape(char *out, size_t size, const char *text)
{
	size_t n = 0;

	for (; *text && n + 4 < size; text++)
		if (log_is_plain(*text))
			out[n++] = *text;
		else
			n += (size_t)snprintf(out + n, 5, "\\x%02x", (unsigned char)*text);
	return n;
}

void log_line(enum log_level level, const char *fmt, ...)
{
	int saved = errno, n;
	char line[LINE_MAX_BYTES], shown[LINE_MAX_BYTES];
	struct timespec ts;
	struct tm tm;
	va_list ap;

	clock_gettime(CLOCK_REALTIME, &ts);
	gmtime_r(&ts.tv_sec, &tm);
	n = (int)strftime(line, sizeof(line), "%FT%T", &tm);
	n += snprintf(line + n, sizeof(line) - (size_t)n, ".%03ldZ %s %s ", ts.tv_nsec / 1000000, level_names[level],
		      who);
	va_start(ap, fmt);
	n += vsnprintf(line + n, sizeof(line) - (size_t)n, fmt, ap);
	va_end(ap);
	n = (int)log_escape(shown, sizeof(shown) - 1, line);
	shown[n++] = '\n';
	if (write(STDERR_FILENO, shown, (size_t)n) < 0) {
		/* There is no other place to report to. */
	}
	errno = saved;
}

const char *log_quote(const char *s)
{
	static char ring[QUOTES][QUOTE_MAX_BYTES];
	static int next;
	char *out = ring[next++ % QUOTES];
	size_t n = 0;

	out[n++] = '"';
	for (; *s && n < QUOTE_MAX_BYTES - 6; s++) {
		unsigned char c = (unsigned char)*s;

		if (c == '"' || c == '\\')
			out[n++] = '\\', out[n++] = (char)c;
		else if (!log_is_plain(*s))
			n += (size_t)snprintf(out + n, 5, "\\x%02x", c);
		else
			out[n++] = (char)c;
	}
	out[n++] = '"';
	out[n] = '\0';
	return out;
}
