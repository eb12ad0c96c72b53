/* pidstat.h - /proc/<pid>/stat: a process's parent, session and start time. Pid, start time and boot id together
 * identify a process. Spec: proc_pid_stat(5). */
#ifndef PROCS_PIDSTAT_H
#define PROCS_PIDSTAT_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct pidstat {
	char state; /* 'Z': dead, not reaped yet */
	pid_t parent, session;
	unsigned flags; /* PF_* of the kernel's sched.h */
	int64_t start_ticks; /* since the boot */
	int exit_status;     /* as of waitpid(2), of a process in state 'Z'; 0 also where the kernel does not tell it */
};

bool pidstat_parse(const char *text, struct pidstat *out); /* false: not such a line; *out may be half set */
bool pidstat_read(pid_t pid, struct pidstat *out); /* false: there is no such process */

/* The exit status of a process that is dead and not reaped yet, as its parent will get it; every kernel tells it to a
 * process that may trace it (field 52). */
enum pidstat_end {
	PIDSTAT_KNOWN,  /* *status is set */
	PIDSTAT_HIDDEN, /* it is dead, and this process may not see how it ended */
	PIDSTAT_GONE,   /* reaped, or it lives */
};
enum pidstat_end pidstat_exit(pid_t pid, int *status);

/* A pidfd of the process with that pid and start time; -1: it is gone, or dead and not reaped yet. */
int pidstat_open(pid_t pid, int64_t start_ticks);

#endif
