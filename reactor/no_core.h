/* no_core.h - the memory of a daemon (credentials, tokens, environments) stays in it. */
#ifndef REACTOR_NO_CORE_H
#define REACTOR_NO_CORE_H

#include <sys/resource.h>

/* The process becomes not dumpable and its soft limit RLIMIT_CORE becomes 0; *before gets the limit that there was
 * (NULL: not wanted). Both are inherited by fork(2). execve(2) makes a process dumpable again and keeps the limit. Both
 * are needed: the kernel starts the program of a core_pattern with a pipe whatever the limit is, and a limit of 0 is
 * what tools show. Only a process with CAP_SYS_PTRACE reads /proc/PID/fd of this one afterwards. (ARCHITECTURE K14) */
void no_core(struct rlimit *before);

#endif
