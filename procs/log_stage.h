/* log_stage.h - moves bytes from a pipe into a log file so that dying at any instruction loses and doubles nothing.
 *
 * One staging pipe and one page of intent serve all streams, since one of them moves at a time. Both are held by the
 * keeper.
 *     intent SPLICING {log, offset, n} -> splice n bytes pipe -> stage -> intent WRITING -> append to the log
 *     -> intent DRAINING -> empty the stage -> intent IDLE
 * After a restart the intent says what is due: SPLICING and WRITING: cut the log to the offset and write what is
 * staged; DRAINING: the log is complete, empty the stage. What was not spliced is still in the container's pipe. */
#ifndef PROCS_LOG_STAGE_H
#define PROCS_LOG_STAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "reactor/err.h"

enum { LOG_CHUNK = 64 * 1024 };

/* Makes the staging pipe and the intent or takes them up from the keeper and finishes what was in flight. INTERNAL. */
int log_stage_open(struct err *e);

/* Copies up to LOG_CHUNK bytes that wait in the pipe, consuming none. As read(2): 0 end of file, -1 with errno
 * (EAGAIN). */
ssize_t log_stage_peek(int pipe_fd, const char **bytes);

/* Where a move goes. */
struct log_stage_target {
	const char *id;    /* container: its log fd is held by the keeper as container/<id>/log */
	int log_fd;        /* -1: no file, the bytes are consumed only */
	bool is_stderr;
};

/* Moves exactly the first n bytes that the last peek of pipe_fd showed. On an error of the log they are consumed from
 * the pipe all the same and the caller has them from the peek. */
int log_stage_move(int pipe_fd, size_t n, const struct log_stage_target *to, struct err *e);

#endif
