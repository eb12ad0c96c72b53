/* logfile.h - one container's log file: appended to whole batches at a time, reopened after the kubelet renamed it. */
#ifndef PROCS_LOGFILE_H
#define PROCS_LOGFILE_H

#include <stddef.h>
#include <stdint.h>

#include "reactor/err.h"

/* Opens or creates path (0640, missing parents 0755) for append. The fd is the caller's. */
int logfile_open(const char *path, struct err *e);

/* Appends all n bytes or none: after a short or failed write the file is cut back to its old size. A write that takes
 * over 10 ms is counted and logged. INTERNAL. */
int logfile_append(int fd, const void *p, size_t n, struct err *e);


#endif
