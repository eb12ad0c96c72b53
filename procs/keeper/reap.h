/* reap.h - every child of the keeper, born here or adopted, is reaped here and handed to who waits. */
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
	/* Runs once, after the reap; it is unlinked by then. status as waitpid(2), at_ns CLOCK_REALTIME. */
	void (*ended)(struct offspring *o, int status, int64_t at_ns);
};

int reap_open(struct err *e); /* subreaper, SIGCHLD blocked and read from a signalfd */

void offspring_add(struct offspring *o, pid_t pid, void (*ended)(struct offspring *o, int status, int64_t at_ns));
void offspring_drop(struct offspring *o); /* harmless when not linked */

/* A child that nobody waits for is reaped and forgotten, unless someone listens: between the two calls the last of them
 * are remembered. The first returns a mark for strays_find(). */
uint64_t strays_listen(void);
void strays_unlisten(void);
bool strays_find(pid_t pid, uint64_t mark, int *status, int64_t *at_ns); /* reaped since the mark? */

#endif
