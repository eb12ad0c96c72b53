/* reopen.h - ReopenContainerLog: the kubelet renamed the log, the next line goes to a new file at the same path.
 * Spec: CRI v1 RuntimeService.ReopenContainerLog. */
#ifndef PROCS_REOPEN_H
#define PROCS_REOPEN_H

#include "procs/container.h"
#include "reactor/err.h"

/* `done` runs once, never inside the call. FAILED_PRECONDITION: the container is not RUNNING, now or when the new file
 * is open, or has no log. UNAVAILABLE: the keeper did not take the new file within 10 s. Other errors are those of
 * lookup_start(), and INTERNAL: the file cannot be opened. After an error the old file is written on. */
typedef void reopen_done(void *arg, const struct err *e);
void reopen_log(struct container *container, reopen_done *done, void *arg);

#endif
