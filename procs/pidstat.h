/* pidstat.h - the line of a process in /proc: who its leader is, and when it began, which with its pid and the boot id
 * is its identity. Spec: proc_pid_stat(5). */
#ifndef PROCS_PIDSTAT_H
#define PROCS_PIDSTAT_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct pidstat {
	char state; /* 'Z': dead, not reaped */
	pid_t parent, session;
	int64_t start_ticks; /* since the boot */
};

bool pidstat_read(pid_t pid, struct pidstat *out); /* false: there is no such process */

/* A pidfd of the process with that pid that began then; -1: it is gone, or dead and only not reaped. */
int pidstat_open(pid_t pid, int64_t start_ticks);

#endif
