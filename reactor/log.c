/* log.c - see log.h. One write(2) for each line, so that lines of two processes do not mix. */
#include "reactor/log.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "reactor/clock.h"
#include "reactor/log_field.h"
#include "reactor/log_json.h"
#include "reactor/log_repeat.h"

enum { LINE_MAX_BYTES = 2048, NAMES_MAX_BYTES = 512, QUOTE_MAX_BYTES = 512, QUOTES = 4 };
enum { OUT_MAX_BYTES = 4096 }; /* PIPE_BUF: what is longer may be mixed with the line of another process */

enum log_level log_threshold = LOG_LEVEL_INFO;
static const char *who = "crisp";
static void (*name_objects)(const char *text, char *out, size_t size); /* NULL: there are none here */

static void (*on_left_out)(void); /* NULL: nobody asks */
static enum log_format log_format;

static const char *const level_names[] = { "debug", "info", "warn", "error" };

void log_open(const char *name, enum log_level threshold)
{
	who = name;
	log_threshold = threshold;
}

void log_set_format(enum log_format format)
{
	log_format = format;
}

enum log_format log_format_now(void)
{
	return log_format;
}

int log_format_parse(const char *word)
{
	return strcmp(word, "text") == 0 ? LOG_TEXT : strcmp(word, "json") == 0 ? LOG_JSON : -1;
}

void log_format_inherit(void)
{
	const char *word = secure_getenv(LOG_FORMAT_ENV);

	if (word && log_format_parse(word) >= 0)
		log_format = (enum log_format)log_format_parse(word);
}

void log_format_follow(uint32_t format)
{
	log_format = format == LOG_JSON ? LOG_JSON : LOG_TEXT;
	setenv(LOG_FORMAT_ENV, log_format == LOG_JSON ? "json" : "text", 1);
}

void log_on_left_out(void (*fn)(void))
{
	on_left_out = fn;
}

void log_names(void (*fn)(const char *text, char *out, size_t size))
{
	name_objects = fn;
}

int log_level_parse(const char *word)
{
	for (int i = LOG_LEVEL_DEBUG; i <= LOG_LEVEL_ERROR; i++)
		if (strcmp(word, level_names[i]) == 0)
			return i;
	return -1;
}

const char *log_level_name(enum log_level level)
{
	return level_names[level];
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

static void log_time(char out[32])
{
	struct timespec ts;
	struct tm tm;
	size_t n;

	clock_gettime(CLOCK_REALTIME, &ts);
	gmtime_r(&ts.tv_sec, &tm);
	n = strftime(out, 24, "%FT%T", &tm);
	snprintf(out + n, 32 - n, ".%03ldZ", ts.tv_nsec / 1000000);
}

/* text: as it is shown. */
static void log_write(enum log_level level, const char *text)
{
	char line[OUT_MAX_BYTES], time[32];
	size_t n;

	log_time(time);
	if (log_format == LOG_JSON)
		n = log_json(line, sizeof(line) - 1, time, level_names[level], who, text);
	else
		n = (size_t)snprintf(line, sizeof(line) - 1, "%s %s %s %s", time, level_names[level], who, text);
	line[n++] = '\n';
	if (write(STDERR_FILENO, line, n) < 0) {
		/* There is no other place to report to. */
	}
}

/* Of a line that repeats others it is only said how many there were. Its number is added to the names. */
static bool log_passes(enum log_level level, const char *text, char names[NAMES_MAX_BYTES])
{
	struct log_field f;
	unsigned left_out;
	size_t n = strlen(names);

	if (level < LOG_LEVEL_INFO || (level == LOG_LEVEL_INFO && !log_field_find(text, "error", &f)))
		return true;
	if (!log_repeat_passes(text, clock_mono_ms(), &left_out)) {
		if (on_left_out)
			on_left_out();
		return false;
	}
	if (left_out)
		snprintf(names + n, NAMES_MAX_BYTES - n, " left_out=%u", left_out);
	return true;
}

void log_line(enum log_level level, const char *fmt, ...)
{
	char text[LINE_MAX_BYTES], names[NAMES_MAX_BYTES] = "", shown[LINE_MAX_BYTES + NAMES_MAX_BYTES];
	int saved = errno;
	va_list ap;
	size_t n;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	if (name_objects)
		name_objects(text, names, sizeof(names));
	if (!log_passes(level, text, names)) {
		errno = saved;
		return;
	}
	n = log_escape(shown, LINE_MAX_BYTES - 64, text); /* with time and level the line has LINE_MAX_BYTES */
	n += log_escape(shown + n, NAMES_MAX_BYTES, names);
	shown[n] = '\0';
	log_write(level, shown);
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
