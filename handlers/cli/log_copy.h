/* log_copy.h - copies a container's log to stdout and stderr of this process, and follows it.
 *
 * inotify tells of new bytes, of the file's creation, and of a rotation; nothing is polled. A slow reader of stdout or
 * stderr slows the copying down; the loop does not block. */
#ifndef HANDLERS_CLI_LOG_COPY_H
#define HANDLERS_CLI_LOG_COPY_H

#include <stdint.h>

#include "reactor/err.h"

struct cli_log_copy;

/* They are never called inside a function of this header. They may call the functions of this header, except
 * cli_log_copy_free(). */
struct cli_log_copy_events {
	void (*grew)(void *arg); /* bytes of the log were read */
	void (*deaf)(void *arg); /* the reader of stdout or stderr is gone: further lines are dropped; called once */
	void *arg;
};

/* The file may be created later; its directory must exist. INTERNAL: the directory cannot be watched. */
struct cli_log_copy *cli_log_copy_start(const char *path, const struct cli_log_copy_events *events, struct err *e);

/* Right after the start: only the last `tail` lines that are in the log now, and what comes later; below 0: all. Lines
 * that were written before `since_ns` are left out; 0: none. */
void cli_log_copy_from(struct cli_log_copy *copy, int64_t tail, int64_t since_ns);

/* The caller knows that nothing more is written to the log. `done` runs once, when the whole log has been written to
 * stdout and stderr, and never inside this call. `e`: the file could not be read. */
void cli_log_copy_finish(struct cli_log_copy *copy, void (*done)(void *arg, const struct err *e));

/* At any time. Lines that were not yet written are dropped. */
void cli_log_copy_free(struct cli_log_copy *copy);

#endif
