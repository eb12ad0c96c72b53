/* log.h - copies a container's log to our own stdout and stderr, and follows it.
 *
 * inotify tells of new bytes, of the file's birth, and of a rotation; nothing is polled. A reader of our output that is
 * slow slows the copying down, not the loop. */
#ifndef HANDLERS_CLI_LOG_H
#define HANDLERS_CLI_LOG_H

#include "reactor/err.h"

struct cli_log;

/* Never called inside cli_log_*(), which may be called inside them; all but cli_log_free(). */
struct cli_log_events {
	void (*grew)(void *arg); /* bytes of the log were read */
	void (*deaf)(void *arg); /* nobody reads our output any more: what comes is dropped; once */
	void *arg;
};

/* The file may come later; its directory is there. INTERNAL: the directory cannot be watched. */
struct cli_log *cli_log_start(const char *path, const struct cli_log_events *events, struct err *e);

/* Nothing more is written to the log: done runs, once, when all of it has been handed on; never inside this call. e:
 * the file could not be read. */
void cli_log_finish(struct cli_log *l, void (*done)(void *arg, const struct err *e));

/* Frees it, at any time; what was not yet handed on is dropped. */
void cli_log_free(struct cli_log *l);

#endif
