/* reap.h - reaps every child of the keeper, started here or reparented, and hands its status to the waiting part. */
#ifndef PROCS_KEEPER_REAP_H
#define PROCS_KEEPER_REAP_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "reactor/err.h"
#include "reactor/list.h"

struct offspring {
	struct link link;
	pid_t pid;
	/* Runs once, just before the reap: the link is already dropped. status as of waitpid(2); at_ns
	 * CLOCK_REALTIME. */
	void (*ended)(struct offspring *offspring, int status, int64_t at_ns);
};

int reap_open(struct err *e); /* subreaper, SIGCHLD blocked and read from a signalfd */

void offspring_add(struct offspring *offspring, pid_t pid,
		   void (*ended)(struct offspring *offspring, int status, int64_t at_ns));
void offspring_drop(struct offspring *offspring); /* allowed when it is not linked */

/* A stray is a child for which no offspring was added. Strays are reaped and forgotten; between strays_listen() and
 * strays_unlisten() the last 512 are remembered. strays_listen() returns a mark for strays_find(). */
uint64_t strays_listen(void);
void strays_unlisten(void);
struct stray {
	pid_t pid;
	int status; /* as of waitpid(2) */
	int64_t at_ns; /* CLOCK_REALTIME */
	bool ran;   /* child_ran() of it; true with status 0, with which no process ends that could not go on */
};
const struct stray *strays_find(pid_t pid, uint64_t mark); /* reaped since the mark, else NULL; valid in this turn */

/* Did this child, which is not reaped yet, get a program by execve(2) since its fork? Also of a dead one: the kernel
 * notes it in the process (PF_FORKNOEXEC), and before it closes an fd that is close-on-exec (fs/exec.c,
 * begin_new_exec()). True where /proc does not say. */
bool child_ran(pid_t pid);

#endif
