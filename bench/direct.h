/* direct.h - runs a program as a child and times it like an RPC: the figure that a server's RPC is compared with. */
#ifndef BENCH_DIRECT_H
#define BENCH_DIRECT_H

#include <stdint.h>

#include "reactor/err.h"

/* `e` is NULL: the program exited with 0. INTERNAL: its exit code, or the reason why it could not be started. */
typedef void direct_done(void *arg, const struct err *e, int64_t took_ns);

/* argv ends with NULL; stdin, stdout and stderr are /dev/null. `done` runs exactly once, never inside the call. The
 * time runs from before the spawn until the loop sees the exit. */
void direct_start(const char *const *argv, direct_done *done, void *arg);

#endif
