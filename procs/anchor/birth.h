/* birth.h - in the child that becomes the keeper. */
#ifndef PROCS_ANCHOR_BIRTH_H
#define PROCS_ANCHOR_BIRTH_H

#include <signal.h>

/* Executes the program of the request `start` (struct anchor_start) with stdio[], the channel and the table. SIGTERM,
 * SIGINT and SIGHUP stay blocked, so that none of them ends a keeper that has no handler yet; the keeper unblocks them.
 * Returns never. */
_Noreturn void birth(int start, const int stdio[3], int channel);

#endif
