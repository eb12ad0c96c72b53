/* log_held.h - the file of a container's log, for its pump: which one it is, and that the keeper holds it.
 *
 * No byte is moved into a file before the keeper has it: a crispd that comes after a death of both daemons must find
 * the file in which a move was cut off. (ARCHITECTURE K71) */
#ifndef PROCS_LOG_HELD_H
#define PROCS_LOG_HELD_H

#include <stdbool.h>

#include "reactor/err.h"
#include "reactor/lookup.h"
#include "reactor/loop.h"

struct log_held {
	const char *id; /* of the container; borrowed */
	char *path;     /* "": no file */
	int fd;         /* borrowed from keeper.c; -1: no file, or it is not open yet */
	bool kept;      /* the keeper has said that it holds it */
	int before;     /* what a reopening replaced, until the keeper has the new one; -1: nothing */
	struct lookup *opening; /* after a restart without a keeper that holds it; NULL: it is open, or there is none */
	struct timer timer;
	void (*opened)(struct log_held *log);
};

/* log_fd as in log_pump_open(). `opened` runs when a file is open that could not be opened at once. INTERNAL;
 * RESOURCE_EXHAUSTED: no descriptor. log_held_close() is due also then. */
int log_held_open(struct log_held *log, const char *id, const char *path, int log_fd,
		  void (*opened)(struct log_held *log), struct err *e);
void log_held_close(struct log_held *log); /* the keeper's copy stays */

/* May bytes be moved? False also while it is being opened; without a file they may. */
bool log_held_ready(struct log_held *log);

/* As log_pump_reopen() and log_pump_reopen_undo(). */
int log_held_reopen(struct log_held *log, int log_fd, struct err *e);
void log_held_reopen_undo(struct log_held *log);

#endif
