/* sandbox_down.h - StopPodSandbox below its containers (the caller stopped those): network, pause, namespaces, files,
 * cgroup. Idempotent: does what `made` says is left. A CNI DEL that fails is an error and stays to be retried; a hidden
 * sandbox becomes listed by it. Only where no ADD ever came to its end, and the sandbox is listed already, such an
 * error is logged and passed over. */
#ifndef PROCS_SANDBOX_DOWN_H
#define PROCS_SANDBOX_DOWN_H

#include "procs/sandbox.h"
#include "reactor/err.h"

struct sandbox_down; /* gone once `done` ran */
typedef void sandbox_down_done(void *arg, const struct err *e);

/* The caller holds s->lane. NOTREADY from the first moment. Runs on: no cancel. */
struct sandbox_down *sandbox_down_start(struct sandbox *s, sandbox_down_done *done, void *arg);

#endif
