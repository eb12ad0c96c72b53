/* recover.h - after a start: reads what the last run left, adopts what runs, finishes what was half done, removes what
 * nobody owns.
 *
 * After a reboot (another boot id) sandboxes are NOTREADY and containers EXITED 255 Unknown, and the networks of that
 * boot are given back by CNI DEL before anything new starts. */
#ifndef HANDLERS_RECOVER_H
#define HANDLERS_RECOVER_H

#include "reactor/err.h"

/* Called once the keeper gave back what it holds and the stores are open. `done` runs once, never inside the call.
 * INTERNAL when a directory of records cannot be read at all. */
int recover_start(const char *state, void (*done)(void *arg), void *arg, struct err *e);

#endif
