/* direct.h - a program run by ourselves, timed like an RPC: what a server's answer is held against. */
#ifndef BENCH_DIRECT_H
#define BENCH_DIRECT_H

#include <stdint.h>

#include "reactor/err.h"

/* e is NULL: it exited with 0. INTERNAL: its exit code, or why it could not be started. */
typedef void direct_done(void *arg, const struct err *e, int64_t took_ns);

/* argv ends with NULL; stdin, stdout and stderr are /dev/null. `done` runs exactly once, never inside the call. The
 * time is from before the spawn until the exit is seen. */
void direct_start(const char *const *argv, direct_done *done, void *arg);

#endif
