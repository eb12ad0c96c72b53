/* sandbox_down.h - gives back a sandbox: pause, network, namespaces, files, cgroup. The caller stopped the containers.
 *
 * Idempotent: it gives back what `made` names, and a part leaves `made` when it is gone. What cannot be given back is
 * an error, and a hidden sandbox becomes listed, so that its owner can try again. Where it is the network, the rest of
 * the sandbox stays for the next try too. There is one exception: where no ADD ever came to its end and the sandbox was
 * listed before, the error is logged and passed over. A network of a kind that this version does not know is an error
 * before anything is given back (network.h). Failed starts, stops and recovery all come here, so that there is one
 * order of giving back. (ARCHITECTURE S6) */
#ifndef PROCS_SANDBOX_DOWN_H
#define PROCS_SANDBOX_DOWN_H

#include "procs/sandbox.h"
#include "reactor/err.h"

struct sandbox_down; /* gone once `done` ran */
typedef void sandbox_down_done(void *arg, const struct err *e);

/* The caller holds the sandbox's lane. The sandbox is NOTREADY at once. No cancel. */
struct sandbox_down *sandbox_down_start(struct sandbox *sandbox, sandbox_down_done *done, void *arg);

/* For recovery: by its record a stop had given the network back and something else is left. */
bool sandbox_down_begun(const struct sandbox *sandbox);

#endif
