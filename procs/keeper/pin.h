/* pin.h - the file on which a network namespace is mounted: made, and removed with all that hides it. */
#ifndef PROCS_KEEPER_PIN_H
#define PROCS_KEEPER_PIN_H

#include "reactor/err.h"

/* Makes the empty file and the directories above it. INTERNAL, also when the path exists: then it is not ours. */
int pin_file(const char *path, struct err *e);

/* Unmounts whatever is mounted at the path, and unlinks it. Requests are carried out in order, some in each turn.
 * `done` runs exactly once, never inside the call: e NULL: nothing is there any more, also where nothing was. */
typedef void pin_done(void *arg, const struct err *e);
void pin_remove(const char *path, pin_done *done, void *arg);

#endif
