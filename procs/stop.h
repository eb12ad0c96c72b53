/* stop.h - stops one container: its stop signal, a grace time, then SIGKILL to its first process and its whole cgroup.
 *
 * Specs: CRI v1, RuntimeService.StopContainer (idempotent, timeout 0 kills at once); OCI runtime-spec, runtime.md
 * "Kill". One machine per container: a second stop joins it and may only shorten the deadline; the soft signal is sent
 * once. */
#ifndef PROCS_STOP_H
#define PROCS_STOP_H

#include <stdint.h>

#include "reactor/err.h"

struct container;
struct stop; /* one waiter; gone once `done` ran or stop_cancel() returned */

typedef void stop_done(void *arg, const struct err *e); /* e NULL: the container is EXITED, and recorded so */

/* grace_ms >= 0. A container that is not running is success. `done` runs exactly once, never inside the call. Errors:
 *   UNAVAILABLE        the keeper is away and the process cannot be signalled
 *   DEADLINE_EXCEEDED  alive 10 s after SIGKILL (process in uninterruptible sleep) */
struct stop *stop_start(struct container *container, int64_t grace_ms, stop_done *done, void *arg);
void stop_cancel(struct stop *stop); /* this waiter leaves, the machine goes on */

#endif
