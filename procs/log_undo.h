/* log_undo.h - the log of a container whose start is undone, so that it can be started again: as it was before.
 *
 * The stderr of an OCI runtime is the container's, so what it says of its own failure is in the container's log. For a
 * start that failed for good that is as with containerd. After a start that is put back the container starts again with
 * the same log, in which those words would be the container's. (ARCHITECTURE R75) */
#ifndef PROCS_LOG_UNDO_H
#define PROCS_LOG_UNDO_H

#include <stdint.h>

/* Before the runtime runs: the size of the log, for the record; fd is borrowed. -1: there is no log. */
int64_t log_undo_mark(int fd);

/* Cuts the log back to that size. What a container's program may have written stays: more than a few lines, and all of
 * it where a line of stdout is there. fd is borrowed; -1, or mark -1: nothing is done. -1, logged: it could not be cut,
 * and the next start is to try it again. */
int log_undo(const char *id, int fd, int64_t mark);

#endif
