/* recover.h - the start of crispd: reads the records of the last run, adopts the processes that live, ends operations
 * that were cut off, and removes files, mounts and processes that no record names.
 *
 * After a reboot (another boot id) sandboxes are NOTREADY and containers EXITED 255 Unknown. The networks of the last
 * boot are given back by CNI DEL before a new pod starts. */
#ifndef HANDLERS_RECOVER_H
#define HANDLERS_RECOVER_H

#include "reactor/err.h"

/* Called when the keeper has handed over the fds that it holds and the stores are open. `done` runs once, never inside
 * the call. INTERNAL: a directory of records cannot be read. */
int recover_start(const char *state, void (*done)(void *arg), void *arg, struct err *e);

#endif
