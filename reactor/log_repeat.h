/* log_repeat.h - lines of the log that say the same again and again: LOG_REPEAT_MAX of them are written in
 * LOG_REPEAT_MS, the others are counted. Two lines are the same when they differ in numbers only, such as times and
 * sizes, and name the same objects. */
#ifndef REACTOR_LOG_REPEAT_H
#define REACTOR_LOG_REPEAT_H

#include <stdbool.h>
#include <stdint.h>

enum { LOG_REPEAT_MAX = 10, LOG_REPEAT_MS = 60000 };

/* Is this line to be written? *left_out: how many that were the same were not, since the last one that was. */
bool log_repeat_passes(const char *text, int64_t now_ms, unsigned *left_out);

/* Those of which some were left out, and no further one came within LOG_REPEAT_MS: fn gets the beginning of the line,
 * up to its error, and their number. True: others may follow later. */
bool log_repeat_over(int64_t now_ms, void (*fn)(const char *line, unsigned left_out));

/* In a process with a loop: these are written in the log as they become due. */
void log_repeat_open(void);

#endif
