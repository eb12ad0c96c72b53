/* log_json.h - a line of the log (log.h) as one JSON object. */
#ifndef REACTOR_LOG_JSON_H
#define REACTOR_LOG_JSON_H

#include <stddef.h>

/* Writes {"time":...,"level":...,"program":...,"event":...,KEY:VALUE,...} and a NUL, all of it ASCII. text: printable
 * ASCII, with the escapes of log_quote(). Its words before the first field are the event. A field whose key was there
 * before is left out; one that has the key of the first four gets "_" behind it. Values are strings, but for counts,
 * times, sizes and the like, which are numbers. What has no room is cut inside a value or left out. The result is the
 * length; size is at least 512. */
size_t log_json(char *out, size_t size, const char *time, const char *level, const char *program, const char *text);

#endif
