/* reopen.h - ReopenContainerLog: the kubelet renamed the log, the next line goes to a new file at the same path.
 * Spec: CRI v1 RuntimeService.ReopenContainerLog. */
#ifndef PROCS_REOPEN_H
#define PROCS_REOPEN_H

#include "procs/container.h"
#include "reactor/err.h"

/* FAILED_PRECONDITION: the container is not RUNNING or has no log. Other errors are those of log_pump_reopen(). An
 * error changes and creates nothing. */
int reopen_log(struct container *container, struct err *e);

#endif
