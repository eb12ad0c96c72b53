/* log_pump.h - a container's stdout and stderr, from FIFOs to its CRI log file. No byte is lost or doubled when the
 * daemon dies: log_stage.h has the protocol (measured: 0 of 1,000,000 lines lost over 188 kills).
 *
 * Line format: CRI log format, `<RFC3339Nano> <stdout|stderr> <P|F> <bytes>\n`. Lines over 16 KiB are cut into pieces
 * with the tag P and a last one with F.
 *
 * The container's end of a FIFO is O_RDWR: a writer gets no SIGPIPE while both daemons are away. So the container can
 * read its own output too; bytes that it takes back are not in the log. */
#ifndef PROCS_LOG_PUMP_H
#define PROCS_LOG_PUMP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "reactor/err.h"

struct log_pump; /* one container; owned by its starter until log_pump_close() */

/* Once at start, after the `ready` of keeper_open(): log_stage_open(). */
int log_pumps_open(struct err *e);
/* At the end of this daemon: what a log refused is tried once more, since what holds it may end too. (ARCHITECTURE
 * K72) */
void log_pumps_end(void);

/* Makes the FIFOs <dir>/stdout and <dir>/stderr. log_fd, which is borrowed, is log_path opened for append (lookup.h,
 * LOOKUP_LOG). The keeper holds all three as container/<id>/... log_fd -1: after a restart the fds that the keeper
 * holds are used again. If it does not hold the log, the pump opens it, and moves no byte before. log_path "": no
 * file, the bytes go to attached readers only. A container with a terminal has one stream, stdout. INTERNAL;
 * RESOURCE_EXHAUSTED: no descriptor. With log_fd >= 0 all is undone then; a pump that was to be taken up is as it was,
 * for the next daemon. */
struct log_pump *log_pump_open(const char *id, const char *dir, const char *log_path, int log_fd, struct err *e);

/* The container's end of a stream, O_RDWR, for fd 1 or 2 of the runtime. The caller closes it after the spawn.
 * INTERNAL. */
int log_pump_writer(struct log_pump *pump, bool is_stderr, struct err *e);

/* Gets the bytes of both streams as the container wrote them, for attach. */
struct log_reader {
	void (*fn)(struct log_reader *reader, bool is_stderr, const void *p, size_t n);
	struct log_reader *next; /* private */
	bool paused;             /* private */
};
void log_pump_listen(struct log_pump *pump, struct log_reader *reader);
void log_pump_unlisten(struct log_pump *pump, struct log_reader *reader);
/* While a reader is paused no byte is moved, so the container waits for room in its FIFO. A drain goes on all the
 * same. */
void log_pump_pause(struct log_pump *pump, struct log_reader *reader, bool paused);

/* ReopenContainerLog: log_fd, which is borrowed, is a new file for the log. No byte is moved until the keeper has it;
 * then log_pump_reopened() is true, and the old file is closed. Until then the old one can be taken back.
 * FAILED_PRECONDITION: the container has no log file. RESOURCE_EXHAUSTED: no descriptor; the old file stays in use. */
int log_pump_reopen(struct log_pump *pump, int log_fd, struct err *e);
bool log_pump_reopened(struct log_pump *pump);
void log_pump_reopen_undo(struct log_pump *pump);

/* For a container that is dead: moves the bytes that are left, then calls `drained` once, never inside this call. It
 * waits at most 2 s for the end of file, since a descendant of the container may hold the FIFO open, and since the log
 * may refuse what is left. */
void log_pump_drain(struct log_pump *pump, void (*drained)(void *arg), void *arg);
/* How many bytes wait, if the log refuses bytes or could not be opened yet. 0: it does not refuse any. */
size_t log_pump_refused(const struct log_pump *pump);
/* As log_pump_drain(), but it waits as long as the log refuses. */
void log_pump_drain_late(struct log_pump *pump, void (*drained)(void *arg), void *arg);
/* Before a start: what is held of an earlier start of that container goes, whose release may not have reached the
 * keeper. (ARCHITECTURE K82) */
void log_pump_forget(const char *id);
/* FIFOs unlinked, fds released. What the log does not take now is lost, and the daemon's log says how much. */
void log_pump_close(struct log_pump *pump);

#endif
