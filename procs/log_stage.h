/* log_stage.h - moves bytes from a pipe into a log file so that a kill at any instruction loses and doubles nothing.
 *
 * One staging pipe and one page of intent serve all streams, because only one stream moves at a time. The keeper holds
 * both too.
 *     intent SPLICING {log, offset} -> splice up to n bytes pipe -> stage -> intent WRITING -> append what is in the
 *     stage to the log -> intent DRAINING -> empty the stage -> intent IDLE
 * After a restart the intent says what is due. SPLICING and WRITING: cut the log to the offset and write what is in the
 * stage. DRAINING: the log is complete, so the stage is emptied. Bytes that were not spliced are still in the pipe.
 *
 * A log that refuses bytes (its disk is full) gets them later. Until then they wait in the pipe in which they are: it
 * becomes the stream's own, the keeper holds it as container/<id>/stdout_refused or stderr_refused, and the stage gets
 * a new pipe, so that other streams go on as soon as the keeper has both. (ARCHITECTURE L4, K70)
 *
 * The container may read its own stdout FIFO (it holds it O_RDWR), so a peek promises nothing: bytes may be gone before
 * they are spliced. What counts is what the stage holds, which only this process reads. (ARCHITECTURE L1, L5) */
#ifndef PROCS_LOG_STAGE_H
#define PROCS_LOG_STAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "reactor/err.h"

enum { LOG_CHUNK = 64 * 1024 };

/* Takes the staging pipe and the intent from the keeper, or makes them, and finishes the move that was in flight.
 * INTERNAL. */
int log_stage_open(struct err *e);

/* Copies up to LOG_CHUNK bytes that wait in the pipe and consumes none. Returns as read(2) does: 0 at the end of file,
 * -1 with errno (EAGAIN). */
ssize_t log_stage_peek(int pipe_fd, const char **bytes);

/* Where a move goes. */
struct log_stage_target {
	const char *id;    /* container: its log fd is held by the keeper as container/<id>/log */
	int log_fd;        /* -1: no file, the bytes are consumed only */
	bool is_stderr;
};

/* What a move moved: 0 <= n <= LOG_CHUNK bytes, valid until the next peek or move. */
struct log_stage_moved {
	const char *bytes;
	size_t n;
};

/* False: the keeper is to confirm a pipe first, and no move can succeed. It may be away. */
bool log_stage_ready(void);

/* Moves up to n bytes from the pipe. Fewer bytes, none, or other bytes than the last peek showed are moved when another
 * process reads the pipe too. On an error of the log (INTERNAL) `moved` has the bytes all the same; they wait for
 * log_stage_again(), which must succeed before the next move of that stream. */
int log_stage_move(int pipe_fd, size_t n, const struct log_stage_target *target, struct log_stage_moved *moved,
		   struct err *e);

/* Writes the bytes that the log has refused. 0 also when there are none. INTERNAL: it refuses them still. */
int log_stage_again(const struct log_stage_target *target, struct err *e);
/* At the end of this daemon, when no answer of the keeper is read any more: what is on its way into the stream's own
 * pipe is tried once more from where it is. Then log_stage_again() is the only call that is allowed. */
void log_stage_end(void);
size_t log_stage_refused(const char *id, bool is_stderr); /* how many bytes wait */
void log_stage_give_up(const char *id, bool is_stderr);   /* these bytes are lost */

#endif
