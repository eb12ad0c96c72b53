/* log_time.h - times of log lines, and of --since. Spec: RFC 3339. */
#ifndef HANDLERS_CLI_LOG_TIME_H
#define HANDLERS_CLI_LOG_TIME_H

#include <stddef.h>
#include <stdint.h>

/* Nanoseconds since the epoch; -1: the text is not a time of RFC 3339, or one before 1970. */
int64_t cli_log_time(const char *text, size_t len);

/* A time of RFC 3339, or how long ago: "90s", "10m", "1h30m", "2d", and a number is seconds. -1: neither of them. */
int64_t cli_log_since(const char *word, int64_t now_ns);

#endif
