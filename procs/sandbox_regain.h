/* sandbox_regain.h - namespaces of a sandbox whose keeper ended, taken again from its pause or a
 * container, which live in them. */
#ifndef PROCS_SANDBOX_REGAIN_H
#define PROCS_SANDBOX_REGAIN_H

#include <stdbool.h>

#include "procs/sandbox.h"

/* which: "ipc", "uts" or "user". True when the keeper holds sandbox/<id>/<which>, as before or from now on. */
bool sandbox_regain(const struct sandbox *s, const char *which);

#endif
