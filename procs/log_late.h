/* log_late.h - the log of a container that has ended, until its file has taken the last byte.
 *
 * A full disk refuses bytes. The end of the container is told all the same, and what its log has not taken stays in
 * pipes that the keeper holds. It is tried each second, also by a crispd that was started later, until the file takes
 * it or the container is removed. Bounded: all such logs together wait with at most 64 MiB, and there are at most 256
 * of them; of more, the oldest is given up, and the daemon's log says how many bytes were lost. (ARCHITECTURE L4) */
#ifndef PROCS_LOG_LATE_H
#define PROCS_LOG_LATE_H

#include "procs/container.h"

/* The container has ended and its log is drained, as far as the file took the bytes. Its stdio, which the keeper holds,
 * is released; that of the log when all is written: then container->log is NULL. */
void log_late_close(struct container *container);

/* After a restart, for an EXITED container: takes up what the keeper still holds of its log. */
void log_late_adopt(struct container *container);

/* The container is being removed: what the file does not take now is lost. container->log is NULL afterwards, and the
 * keeper holds nothing of the container. */
void log_late_give_up(struct container *container);

/* A duplicate of the log that the keeper holds, owned by the caller; -1: it holds none. */
int log_late_copy(const struct container *container);

#endif
