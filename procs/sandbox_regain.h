/* sandbox_regain.h - takes the namespaces of a sandbox again after their keeper ended: from the pause or from a
 * container, which still live in them. (ARCHITECTURE K9) */
#ifndef PROCS_SANDBOX_REGAIN_H
#define PROCS_SANDBOX_REGAIN_H

#include <stdbool.h>

#include "procs/sandbox.h"

/* which: "ipc", "uts" or "user". True: the namespace lives. The keeper holds sandbox/<id>/<which>, because it did
 * before or from now on; where there is no descriptor for that, it does not yet. */
bool sandbox_regain(const struct sandbox *sandbox, const char *which);

#endif
