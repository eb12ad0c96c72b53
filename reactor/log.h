/* log.h - one line per event on stderr: `2026-01-02T03:04:05.678Z info crispd bus_lost address=... error=...`.
 *
 * The text is an event word, then key=value pairs. A value that comes from outside goes through log_quote(). A byte
 * that is not printable ASCII is written as \xNN in any case. Values of environment variables, passwords and tokens are
 * never written. (ARCHITECTURE R40)
 * INFO: the life of objects. WARN, ERROR: what an operator should act on. DEBUG: every move of a state machine. */
#ifndef REACTOR_LOG_H
#define REACTOR_LOG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum log_level { LOG_LEVEL_DEBUG, LOG_LEVEL_INFO, LOG_LEVEL_WARN, LOG_LEVEL_ERROR };

extern enum log_level log_threshold; /* written by log_open() only */

/* The name is that of the process, static. Lines go to fd 2. */
void log_open(const char *name, enum log_level threshold);

/* LOG_TEXT at first. LOG_JSON: each line is an object (log_json.h). */
enum log_format { LOG_TEXT, LOG_JSON };
void log_set_format(enum log_format format);
enum log_format log_format_now(void);
int log_format_parse(const char *word); /* "text" or "json"; -1 for anything else */

/* The format that the process which started this one has named in its environment. */
#define LOG_FORMAT_ENV "CRISP_LOG_FORMAT"
void log_format_inherit(void);
/* Uses a format, and names it to the processes that are started from now on. */
void log_format_follow(uint32_t format);

/* "debug", "info", "warn" or "error"; -1 for anything else. */
int log_level_parse(const char *word);
const char *log_level_name(enum log_level level);

/* fn appends fields to every line: the names of the objects that the line is about. It gets a line's text, which has no
 * time, level and program, and writes at most `size` bytes with their NUL to out, which is "" before. Each of its
 * fields has a space in front. It must not log. */
void log_names(void (*fn)(const char *text, char *out, size_t size));

/* fn runs when a line was left out since it repeats others (log_repeat.h). That is for warnings, errors, and lines of
 * INFO with an error. It must not log. */
void log_on_left_out(void (*fn)(void));

void log_line(enum log_level level, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* A double-quoted copy with quotes, backslashes and every byte but printable ASCII escaped, cut at 512 bytes. The
 * fourth call after this one overwrites it. */
const char *log_quote(const char *text);

#define log_debug(...) (log_threshold <= LOG_LEVEL_DEBUG ? log_line(LOG_LEVEL_DEBUG, __VA_ARGS__) : (void)0)
#define log_info(...) (log_threshold <= LOG_LEVEL_INFO ? log_line(LOG_LEVEL_INFO, __VA_ARGS__) : (void)0)
#define log_warn(...) (log_threshold <= LOG_LEVEL_WARN ? log_line(LOG_LEVEL_WARN, __VA_ARGS__) : (void)0)
#define log_error(...) log_line(LOG_LEVEL_ERROR, __VA_ARGS__)

#endif
